//! Anchors: unrelated targets that prove a node's own network (DECIDING section 3, self-test).

use std::{fmt, time::Duration};

/// How often each anchor is asked: often enough to know within a few failed probes of endpoints whose fault it is.
pub const ANCHOR_INTERVAL: Duration = Duration::from_secs(5);
/// Most anchors; more prove nothing more.
pub const ANCHORS_MAX: usize = 16;

/// A target of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anchor {
    /// As it was written: `tcp://192.0.2.1:443`, `https://status.example.net/`.
    pub url: Box<str>,
    /// How it is asked.
    pub ask: AnchorAsk,
    /// A name or an address.
    pub host: Box<str>,
    /// Where it listens.
    pub port: u16,
}

/// How an anchor is asked. Any answer proves the network, an error page as well as any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnchorAsk {
    /// A connection stands.
    Tcp,
    /// A response comes.
    Http,
    /// The same, over TLS.
    Https,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
