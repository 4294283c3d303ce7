//! Modes: how a node decides, by whom it hears and what its store says (DECIDING section 4).

use std::{fmt, sync::Arc};

/// Whom a node hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Link {
    /// No other node was ever known: normal rules.
    #[default]
    Single,
    /// Its own heartbeat comes back through the store, and peers are heard.
    Connected,
    /// Its own heartbeat does not come back: ballots are fetched from peers directly.
    Detached,
    /// No peer is heard by any way: own votes only, with more care.
    Alone,
}

super::service::words!(Link { Single = "single", Connected = "connected", Detached = "detached", Alone = "alone" });

/// How a node decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// Whom it hears.
    pub link: Link,
    /// The store was rewound or replaced: the durable state that was known stays, and a person decides.
    pub held: bool,
    /// Automation takes nothing out: a freeze of everything, or nobody left whose votes could be believed.
    pub frozen: bool,
}

impl Mode {
    /// The one word for it; what changes least by itself is said first.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self { frozen: true, .. } => "frozen",
            Self { held: true, .. } => "held",
            Self { link, .. } => link.word(),
        }
    }
}

impl fmt::Display for Mode {
    /// All of it: `connected`, `alone held`, `alone held frozen`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.link.word())?;
        for (holds, word) in [(self.held, " held"), (self.frozen, " frozen")] {
            f.write_str(if holds { word } else { "" })?;
        }
        Ok(())
    }
}

/// What is so on this node only; never part of the digest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Here {
    /// How it decides.
    pub mode: Mode,
    /// Slots that this node alone sees down, sorted: ranked last for clients nearest to its own region, where
    /// `own_view = "rank-last"`.
    pub last: Arc<[usize]>,
}
