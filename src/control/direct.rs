//! Whom this node asks for a ballot directly, and when, while the store carries none to it (DECIDING section 4).
//!
//! Each peer has its own turns, so one that does not answer holds up nobody. Questions begin some seconds before the node
//! calls itself detached: ballots age meanwhile, and a fleet that can hear each other is not alone for a moment.

use std::{collections::BTreeMap, time::Duration};

use crate::model::{Company, Link, Mono, NodeId, NodeSeen, PeerUrl};

/// Most nodes that are asked. Of more, as many of each region as there is room for: regions vote, and not nodes.
pub const ASKED_MAX: usize = 256;
/// Most questions under way at once; further ones wait for the next answer.
pub const UNDER_WAY_MAX: usize = 64;
/// Time between two questions to the same node, if a quarter of `stale_after` is not shorter.
const EVERY: Duration = Duration::from_secs(2);
/// Longest time between two questions to one that does not answer; until then it doubles.
const EVERY_MAX: Duration = Duration::from_secs(16);
/// So many questions in a row without an answer are told; one that was lost is not.
const SILENT_AFTER: u32 = 2;

/// What came of a question, where that is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// It answers directly.
    Reached,
    /// It does not, or not any more.
    Unreached,
}

/// Who was asked when, and how that went.
#[derive(Debug, Default)]
pub struct Pacing(BTreeMap<NodeId, Turn>);

#[derive(Debug, Default)]
struct Turn {
    /// Which of its addresses is asked; the next one after each failure.
    address: usize,
    /// In a row.
    failures: u32,
    /// Not before.
    due: Mono,
    under_way: bool,
    told: Option<Turned>,
}

impl Pacing {
    /// Whom to ask now, and where; nobody while the store carries ballots. Each has to be answered for with
    /// [`Self::answered`].
    pub fn due(&mut self, now: Mono, company: &Company) -> Vec<(NodeId, PeerUrl)> {
        let asked = asked(company);
        self.0.retain(|node, _| asked.contains_key(node));
        let mut room = self.room();
        let mut found = Vec::new();
        for (node, addresses) in asked {
            let turn = self.0.entry(node.clone()).or_default();
            if room == 0 || turn.under_way || now < turn.due {
                continue;
            }
            let Some(address) = addresses.get(turn.address % addresses.len().max(1)) else { continue };
            (turn.under_way, room) = (true, room - 1);
            found.push((node.clone(), address.clone()));
        }
        found
    }

    /// A question ended, with a ballot or without. `chance` of 0 to 1 spreads the next one: nodes that lost their store
    /// together do not go on asking together.
    pub fn answered(
        &mut self,
        node: &NodeId,
        heard: bool,
        now: Mono,
        stale_after: Duration,
        chance: f64,
    ) -> Option<Turned> {
        let turn = self.0.get_mut(node)?;
        turn.under_way = false;
        let every = EVERY.min(stale_after / 4);
        let (turned, pause) = if heard {
            turn.failures = 0;
            (Some(Turned::Reached), every)
        } else {
            turn.failures = turn.failures.saturating_add(1);
            turn.address = turn.address.wrapping_add(1);
            let longer = every.saturating_mul(2_u32.saturating_pow(turn.failures - 1));
            ((SILENT_AFTER <= turn.failures).then_some(Turned::Unreached), longer.min(EVERY_MAX.max(every)))
        };
        turn.due = now.plus(pause.mul_f64(0.75 + 0.25 * chance.clamp(0.0, 1.0)));
        let news = turned.filter(|turned| turn.told != Some(*turned))?;
        turn.told = Some(news);
        Some(news)
    }

    /// When the next question is due, if there is room for it: else the next answer makes some.
    #[must_use]
    pub fn wake_at(&self) -> Option<Mono> {
        if self.room() == 0 {
            return None;
        }
        self.0.values().filter(|turn| !turn.under_way).map(|turn| turn.due).min()
    }

    fn room(&self) -> usize {
        UNDER_WAY_MAX.saturating_sub(self.0.values().filter(|turn| turn.under_way).count())
    }

    /// Whether this node is still asked.
    #[must_use]
    pub fn asks(&self, node: &NodeId) -> bool {
        self.0.contains_key(node)
    }

    /// How many answer directly.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.0.values().filter(|turn| turn.told == Some(Turned::Reached)).count()
    }
}

/// The others that have an address, with their addresses, while there is something to ask.
fn asked(company: &Company) -> BTreeMap<&NodeId, &[PeerUrl]> {
    let silent = match company.mode.link {
        Link::Single => false,
        Link::Connected => company.overdue,
        Link::Detached | Link::Alone => true,
    };
    if !silent {
        return BTreeMap::new();
    }
    let with_address = company.others.iter().filter(|other| !other.admin.is_empty());
    if company.others.len() <= ASKED_MAX {
        return with_address.map(of).collect();
    }
    let mut taken: BTreeMap<_, usize> = BTreeMap::new();
    let mut ranked: Vec<_> = with_address
        .map(|other| {
            let before = taken.entry(&other.region).or_default();
            *before += 1;
            (*before, other)
        })
        .collect();
    // Stable: within a rank they stay in the order of their names.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(ASKED_MAX).map(|(_, other)| of(other)).collect()
}

fn of(other: &NodeSeen) -> (&NodeId, &[PeerUrl]) {
    (&other.node, &other.admin)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Agreement, Mode, Wall};

    const STALE_AFTER: Duration = Duration::from_secs(10);

    fn node(number: usize) -> NodeId {
        format!("n{number:03}").parse().unwrap()
    }

    /// Nodes by number, each in the region of its number's remainder, with so many addresses.
    fn company(link: Link, overdue: bool, others: impl Iterator<Item = (usize, usize)>) -> Company {
        let seen = |(number, addresses): (usize, usize)| NodeSeen {
            node: node(number),
            region: Some(if number % 10 == 0 { "rare" } else { "often" }.parse().unwrap()),
            provider: None,
            heard: Wall(0),
            heard_mono: None,
            votes: false,
            suspect: false,
            presence: None,
            clock_offset_ms: None,
            agreement: Agreement::Unheard,
            admin: (0..addresses).map(|at| format!("https://n{number}-{at}:8653").parse().unwrap()).collect(),
        };
        let others = others.map(seen).collect();
        Company { mode: Mode { link, ..Mode::default() }, own: None, votes: true, overdue, others }
    }

    fn two(link: Link, overdue: bool) -> Company {
        company(link, overdue, [(1, 1), (2, 2), (3, 0)].into_iter())
    }

    fn names(asked: &[(NodeId, PeerUrl)]) -> Vec<String> {
        asked.iter().map(|(_, address)| address.to_string()).collect()
    }

    #[test]
    fn nobody_is_asked_while_the_store_speaks() {
        let check = |link, overdue, expected: &[&str]| {
            let found = Pacing::default().due(Mono(0), &two(link, overdue));
            assert_eq!(names(&found), expected, "{link:?} {overdue}");
        };
        let both = ["https://n1-0:8653", "https://n2-0:8653"];
        check(Link::Single, true, &[]);
        check(Link::Connected, false, &[]);
        check(Link::Connected, true, &both);
        for overdue in [false, true] {
            check(Link::Detached, overdue, &both);
            check(Link::Alone, overdue, &both);
        }
        let mut pacing = Pacing::default();
        let _ = pacing.due(Mono(0), &two(Link::Detached, true));
        assert_eq!(pacing.due(Mono(1), &two(Link::Connected, false)), []);
        assert!(!pacing.asks(&node(1)) && pacing.wake_at().is_none());
        assert_eq!(pacing.answered(&node(1), true, Mono(2), STALE_AFTER, 0.5), None, "nobody waits for it any more");
    }

    #[test]
    fn one_that_answers_is_asked_again_well_before_its_ballot_is_stale() {
        let company = two(Link::Detached, true);
        let mut pacing = Pacing::default();
        assert_eq!(pacing.due(Mono(0), &company).len(), 2);
        assert_eq!(pacing.due(Mono(9_000), &company), [], "both are under way");
        for (chance, due) in [(0.0, 10_500), (1.0, 11_000), (7.0, 11_000)] {
            pacing.answered(&node(1), true, Mono(9_000), STALE_AFTER, chance);
            assert_eq!(pacing.wake_at(), Some(Mono(due)), "{chance}");
        }
        pacing.answered(&node(1), true, Mono(9_000), Duration::from_secs(2), 1.0);
        assert_eq!(pacing.due(Mono(9_499), &company), [], "a quarter of 2 s");
        assert_eq!(names(&pacing.due(Mono(9_500), &company)), ["https://n1-0:8653"]);
    }

    #[test]
    fn one_that_does_not_is_asked_elsewhere_and_less_often_and_both_are_told_once() {
        let company = two(Link::Alone, true);
        let mut pacing = Pacing::default();
        let mut now = Mono(0);
        let mut ask = |heard: bool, now: &mut Mono| {
            let asked = pacing.due(*now, &company);
            let at = asked.iter().find(|(other, _)| *other == node(2)).map(|(_, at)| at.to_string());
            let turned = pacing.answered(&node(2), heard, *now, STALE_AFTER, 1.0);
            let begun = now.0;
            *now = pacing.wake_at().unwrap();
            (at.unwrap().chars().nth(11).unwrap(), turned, (now.0 - begun) / 1000)
        };
        assert_eq!(ask(true, &mut now), ('0', Some(Turned::Reached), 2));
        assert_eq!(ask(true, &mut now), ('0', None, 2));
        assert_eq!(ask(false, &mut now), ('0', None, 2), "one that was lost is no news");
        assert_eq!(ask(false, &mut now), ('1', Some(Turned::Unreached), 4));
        assert_eq!(ask(false, &mut now), ('0', None, 8));
        assert_eq!(ask(false, &mut now), ('1', None, 16));
        assert_eq!(ask(false, &mut now), ('0', None, 16));
        assert_eq!(ask(true, &mut now), ('1', Some(Turned::Reached), 2));
        assert_eq!(ask(true, &mut now), ('1', None, 2), "the address that answered stays");
    }

    #[test]
    fn a_large_fleet_is_asked_within_bounds_and_no_region_is_left_out() {
        let company = company(Link::Detached, true, (0..1000).map(|number| (number, 1)));
        let mut pacing = Pacing::default();
        let mut all = BTreeSet::new();
        for round in 1..=4 {
            let asked = pacing.due(Mono(0), &company);
            assert_eq!(asked.len(), UNDER_WAY_MAX, "{round}");
            assert_eq!(pacing.due(Mono(0), &company), [], "no more are under way at once");
            assert_eq!(pacing.wake_at(), None, "the next answer makes room");
            for (node, _) in asked {
                pacing.answered(&node, true, Mono(0), STALE_AFTER, 0.0);
                all.insert(node);
            }
        }
        assert_eq!(pacing.due(Mono(0), &company), []);
        let rare = all.iter().filter(|node| node.as_str().ends_with('0')).count();
        assert_eq!((all.len(), rare, pacing.reached()), (ASKED_MAX, 100, ASKED_MAX));
    }
}
