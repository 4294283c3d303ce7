//! The picture in force, as handlers take it: one snapshot and what it was last good for, for the whole request.

use std::sync::Arc;

use axum::extract::FromRef;

use super::{handles::Handles, picture::Picture};
use crate::{
    model::{Company, LastGood, Snapshot},
    steer::{AnswerTable, compile},
};

/// One moment; everything in an answer is of it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) good: Arc<LastGood>,
    pub(super) company: Arc<Company>,
    live: Arc<AnswerTable>,
}

impl FromRef<Handles> for Seen {
    fn from_ref(handles: &Handles) -> Self {
        let snapshot = Arc::clone(&handles.snapshot.borrow());
        let live = handles.live.load();
        let company = Arc::clone(&handles.company.borrow());
        Self { snapshot, good: Arc::new(live.last_good()), company, live }
    }
}

impl Seen {
    /// The answers of this very moment; that of the doors may be one step ahead or behind.
    pub(super) fn table(&self) -> Arc<AnswerTable> {
        if Arc::ptr_eq(self.live.snapshot(), &self.snapshot) {
            return Arc::clone(&self.live);
        }
        Arc::new(compile(&self.snapshot, Some(&self.live), &self.good))
    }

    pub(super) fn picture(&self) -> Picture<'_> {
        Picture::of(&self.snapshot, &self.good)
    }
}
