//! Digests over values, through their `Debug` form.
//!
//! Why `Debug`: it covers every field without a second list of them that could fall behind, and digests are compared
//! only between nodes of one version. Secrets print as a placeholder, so a digest tells nothing about them; a
//! changed secret is seen through the check's revision.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Digest, Parts};

/// Octets that are gathered before they are hashed: a value prints itself in pieces of a few letters.
const HELD_MAX: usize = 4096;

struct Feed {
    hash: Sha256,
    held: Vec<u8>,
}

impl std::fmt::Write for Feed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if HELD_MAX < self.held.len() + text.len() {
            self.hash.update(&self.held);
            self.held.clear();
        }
        self.held.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The digest of anything that prints itself wholly.
pub fn of(value: &impl std::fmt::Debug) -> Digest {
    let mut feed = Feed { hash: Sha256::new(), held: Vec::with_capacity(HELD_MAX) };
    write!(feed, "{value:?}").expect("hashing does not fail");
    feed.hash.update(&feed.held);
    Digest(feed.hash.finalize().into())
}

pub(super) fn of_parts(parts: &Parts) -> Digest {
    of(parts)
}
