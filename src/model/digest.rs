//! Digests over values, through their `Debug` form.
//!
//! Why `Debug`: it covers every field without a second list of them that could fall behind, and digests are compared
//! only between nodes of one version. Secrets print as a placeholder, so a digest tells nothing about them; a
//! changed secret is seen through the check's revision.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Digest, Parts};

struct Feed(Sha256);

impl std::fmt::Write for Feed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// The digest of anything that prints itself wholly.
pub fn of(value: &impl std::fmt::Debug) -> Digest {
    let mut feed = Feed(Sha256::new());
    write!(feed, "{value:?}").expect("hashing does not fail");
    Digest(feed.0.finalize().into())
}

pub(super) fn of_parts(parts: &Parts) -> Digest {
    of(parts)
}
