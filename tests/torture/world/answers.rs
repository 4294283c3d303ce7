//! What clients are answered, waited for and looked on.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use super::{PATIENCE, World};
use crate::node::until;

impl World {
    /// Waits until the newest answers of these nodes are as wanted, from now on; how long it took.
    pub(crate) fn answered(
        &self,
        what: &str,
        nodes: &[usize],
        name: &str,
        within: Duration,
        wanted: impl Fn(&[Ipv4Addr]) -> bool,
    ) -> Duration {
        let begun = Instant::now();
        let answers = || nodes.iter().map(|node| self.hammer.newest(*node, name, begun)).collect::<Vec<_>>();
        loop {
            let now = answers();
            if now.iter().all(|answer| answer.as_ref().is_some_and(|answer| wanted(&answer.addresses))) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < within, "{what}: after {within:?} {name} is {now:?} on {nodes:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Looks on for a while: every answer of these nodes is as wanted.
    pub(crate) fn stays(
        &self,
        what: &str,
        nodes: &[usize],
        name: &str,
        lasts: Duration,
        wanted: impl Fn(&[Ipv4Addr]) -> bool,
    ) {
        let begun = Instant::now();
        until("the time is over", lasts + PATIENCE, || (lasts <= begun.elapsed()).then_some(()));
        let wrong = self.hammer.look(begun, |asked| {
            let mut fits = asked.iter().filter(|one| one.name == name && nodes.contains(&one.node));
            fits.find(|one| one.answer.as_ref().is_some_and(|answer| !wanted(&answer.addresses))).cloned()
        });
        if let Some(wrong) = wrong {
            panic!("{what}: {wrong:?} after {:?}", wrong.at.duration_since(begun));
        }
    }
}
