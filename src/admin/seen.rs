//! The picture in force, as handlers take it: one snapshot and what it was last good for, for the whole request.

use std::sync::Arc;

use axum::extract::FromRef;

use super::{handles::Handles, picture::Picture};
use crate::model::{LastGood, Snapshot};

/// One moment; everything in an answer is of it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) good: Arc<LastGood>,
}

impl FromRef<Handles> for Seen {
    fn from_ref(handles: &Handles) -> Self {
        let snapshot = Arc::clone(&handles.snapshot.borrow());
        Self { snapshot, good: Arc::new(handles.live.load().last_good()) }
    }
}

impl Seen {
    pub(super) fn picture(&self) -> Picture<'_> {
        Picture::of(&self.snapshot, &self.good)
    }
}
