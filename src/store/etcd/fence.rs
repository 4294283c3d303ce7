//! What a node accepts as the newer state: `(epoch, generation)` never goes back on a node, whatever etcd says.
//!
//! An epoch is an identity, drawn when the state was made, and how often a person has adopted it since
//! (`01JD8ZK3T0B6W9E1Q2R3S4T5V6.2`; none at all is 0). A restored backup has the identity and an older generation; a
//! wiped etcd has another identity. Neither is followed: what was in force stays in force and nothing is written, until
//! a person adopts a state, which raises the number.

use super::super::epoch::Epoch;

/// How far a node has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: String,
    pub(super) generation: u64,
}

impl Mark {
    /// Whether a state may follow; in words why not.
    pub(super) fn allows(&self, epoch: &str, generation: u64) -> Result<(), String> {
        let (known, found) = (Epoch::of(&self.epoch), Epoch::of(epoch));
        if known.identity != found.identity {
            return Err(format!(
                "etcd holds another state ({epoch}) than this node knew ({}, generation {})",
                self.epoch, self.generation
            ));
        }
        if (found.adopted, generation) < (known.adopted, self.generation) {
            return Err(format!(
                "etcd holds an older state (epoch {epoch}, generation {generation}) than this node knew (epoch {}, \
                 generation {})",
                self.epoch, self.generation
            ));
        }
        Ok(())
    }

    /// Whether a person has adopted a state since this mark: then etcd itself may be another.
    pub(super) fn adopted_since(&self, epoch: &str) -> bool {
        super::super::epoch::continues(&self.epoch, epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_back_and_a_person_s_act_goes_before_generations() {
        let known = Mark { epoch: "A.2".into(), generation: 7 };
        for (epoch, generation, allowed) in [
            ("A.2", 7, true),
            ("A.2", 8, true),
            ("A.2", 6, false),
            ("A.3", 1, true),
            ("A.1", 9, false),
            ("A", 9, false),
            ("B.2", 9, false),
            ("", 9, false),
        ] {
            assert_eq!(known.allows(epoch, generation).is_ok(), allowed, "{epoch} {generation}");
        }
        assert!(known.adopted_since("A.3") && !known.adopted_since("A.2") && !known.adopted_since("B.3"));
        let embedded = Mark { epoch: "01JD8ZK3T0B6W9E1Q2R3S4T5V6".into(), generation: 70 };
        assert!(embedded.allows("01JD8ZK3T0B6W9E1Q2R3S4T5V6.1", 1).is_ok(), "moved over from the embedded store");
    }
}
