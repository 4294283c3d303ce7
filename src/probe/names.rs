//! Targets: endpoints that are names of others, resolved by ourselves in the background.
//!
//! Why not at each probe: what is answered in the place of a target (its addresses, where a CNAME may not stand) needs
//! the same knowledge, and a resolver that hangs must hold up no probe. Bounded in every way: [`NAMES_MAX`] names,
//! [`ADDRESSES_MAX`] addresses of each, [`IN_FLIGHT_MAX`] lookups at once, none longer than [`LOOKUP_MAX`].

mod book;
mod directory;
mod system;

use std::{collections::BTreeSet, future, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    book::{Book, Pair},
    directory::Place,
};
pub use self::{directory::Directory, system::System};
use crate::model::{DnsName, Family, Fleet, Resolved};

pub(super) use self::directory::Place as Whereabouts;

/// Most targets that are resolved; further ones, in the order of their names, are not, and are said so in the log.
pub const NAMES_MAX: usize = 10_000;
/// Most addresses kept of one name: half of them of each family, the lowest, so that equal sets stay equal.
pub const ADDRESSES_MAX: usize = 16;
/// Lookups at once; others wait. A resolver of one machine is easily run over.
const IN_FLIGHT_MAX: usize = 64;
/// A lookup that takes longer was not answered.
const LOOKUP_MAX: Duration = Duration::from_secs(8);

/// What a resolver says of one family of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These addresses, for so many seconds.
    Found(Vec<std::net::IpAddr>, u32),
    /// There is no such name, or it has none of this family.
    Nothing,
    /// The resolver answered that it cannot find out.
    Broken,
    /// The resolver did not answer.
    Silent,
}

/// Where addresses of names come from.
pub trait Lookup: Send + Sync + 'static {
    /// Follows aliases to the end. The caller owns the deadline.
    fn lookup<'l>(&'l self, name: &'l DnsName, family: Family) -> Pin<Box<dyn Future<Output = Part> + Send + 'l>>;
}

/// What became known of a target; told when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub target: DnsName,
    /// Its addresses; none when it has had none for too long.
    pub found: Resolved,
}

/// Resolves the targets of a fleet again and again.
pub struct Names {
    fleet: watch::Receiver<Arc<Fleet>>,
    lookup: Arc<dyn Lookup>,
    directory: Directory,
    out: mpsc::Sender<Found>,
}

impl Names {
    /// `fleet` says which; what is found is kept in `directory` for the probes, and goes to `out` when it changes.
    #[must_use]
    pub fn new(
        fleet: watch::Receiver<Arc<Fleet>>,
        lookup: Arc<dyn Lookup>,
        directory: Directory,
        out: mpsc::Sender<Found>,
    ) -> Self {
        Self { fleet, lookup, directory, out }
    }

    /// Resolves until told to stop, or until nobody is left who gives fleets or takes what is found.
    pub async fn run(mut self, until: CancellationToken) {
        let mut book = Book::default();
        let mut running: JoinSet<(DnsName, Pair)> = JoinSet::new();
        self.adopt(&mut book);
        loop {
            while running.len() < IN_FLIGHT_MAX
                && let Some(name) = book.start(Instant::now())
            {
                let lookup = Arc::clone(&self.lookup);
                running.spawn(async move {
                    let pair = ask(&*lookup, &name).await;
                    (name, pair)
                });
            }
            let due = book.next_due().filter(|_| running.len() < IN_FLIGHT_MAX);
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.out.closed() => return,
                changed = self.fleet.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.adopt(&mut book);
                }
                Some(ended) = running.join_next() => match ended {
                    Ok((name, pair)) => {
                        if let Some(found) = self.learn(&mut book, name, pair)
                            && self.out.send(found).await.is_err()
                        {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "a lookup came to grief");
                        book.recover(Instant::now());
                    }
                },
                () = wait(due) => {}
            }
        }
    }

    fn adopt(&mut self, book: &mut Book) {
        let fleet = Arc::clone(&self.fleet.borrow_and_update());
        let mut names: BTreeSet<DnsName> =
            fleet.endpoints.iter().filter_map(|endpoint| endpoint.target().cloned()).collect();
        if NAMES_MAX < names.len() {
            let left_out = names.len() - NAMES_MAX;
            tracing::error!(left_out, max = NAMES_MAX, "more targets than are resolved");
            names = names.into_iter().take(NAMES_MAX).collect();
        }
        self.directory.keep_only(&names);
        book.adopt(names, Instant::now());
    }

    fn learn(&self, book: &mut Book, name: DnsName, pair: Pair) -> Option<Found> {
        let (place, told) = book.take(&name, pair, Instant::now())?;
        self.directory.put(&name, place);
        let found = told?;
        if found.addresses.is_empty() {
            tracing::warn!(target = %name, "the target has no addresses any more");
        } else {
            tracing::debug!(target = %name, addresses = ?found.addresses, ttl = found.ttl, "target resolved");
        }
        Some(Found { target: name, found })
    }
}

async fn ask(lookup: &dyn Lookup, name: &DnsName) -> Pair {
    let one = async |family| timeout(LOOKUP_MAX, lookup.lookup(name, family)).await.unwrap_or(Part::Silent);
    let (v4, v6) = tokio::join!(one(Family::V4), one(Family::V6));
    Pair { v4, v6 }
}

async fn wait(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests;
