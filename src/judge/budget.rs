//! The removal budget (DECIDING section 6): of the fleet's endpoints automation takes out so many within a time; what
//! is beyond waits until two thirds of the votes have agreed for a while, or until there is room again.
//!
//! Counted per endpoint: one that leaves again, or with another family, within the time has been counted. Those of one
//! outage are one removal together, also those that left before it was known to be one. A confirmed removal counts,
//! too, so that what is not confirmed waits the longer. That room returns lets nodes of one opinion end alike: what is
//! held by one and gone by another leaves at the latest when the time is over.

use std::collections::{BTreeMap, BTreeSet};

use super::outage::Group;
use crate::model::{EndpointId, Mono, RemovalBudget, Tally};

/// What has left within the time. Bounded by the endpoints there are.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    left: BTreeMap<EndpointId, Removal>,
}

#[derive(Debug, Clone)]
struct Removal {
    at: Mono,
    outage: Option<Group>,
}

/// An endpoint that would leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// When its quorum was reached.
    pub reached: Mono,
    /// Which.
    pub endpoint: EndpointId,
    /// The outage it belongs to.
    pub outage: Option<Group>,
    /// Two thirds of the votes have agreed for long enough.
    pub confirmed: bool,
}

/// How many may leave within [`RemovalBudget::per`], of so many endpoints.
#[must_use]
pub fn allowed(policy: &RemovalBudget, endpoints: usize) -> usize {
    let at_least = usize::try_from(policy.at_least).unwrap_or(usize::MAX);
    (endpoints * usize::from(policy.share) / 100).max(at_least)
}

/// Whether two thirds of the votes cast are for down. One region's vote alone is all there is to be had of them: then
/// its own network must not be known to be at fault.
#[must_use]
pub fn agrees(tally: Tally, self_test_failed: bool) -> bool {
    let (down, cast) = (u32::from(tally.down), u32::from(tally.cast()));
    cast > 0 && down * 3 >= cast * 2 && (cast > 1 || !self_test_failed)
}

impl Budget {
    /// Which of the wishes are granted, in the order in which they reached their quorum, ties by id.
    pub fn grant(
        &mut self,
        policy: &RemovalBudget,
        endpoints: usize,
        now: Mono,
        mut wishes: Vec<Wish>,
    ) -> BTreeSet<EndpointId> {
        self.age(policy, now);
        for wish in wishes.iter().filter(|wish| wish.outage.is_some()) {
            if let Some(left) = self.left.get_mut(&wish.endpoint) {
                left.outage.clone_from(&wish.outage);
            }
        }
        wishes.sort_by(|a, b| (a.reached, &a.endpoint).cmp(&(b.reached, &b.endpoint)));
        let allowed = allowed(policy, endpoints);
        let mut granted = BTreeSet::new();
        for Wish { endpoint, outage, confirmed, .. } in wishes {
            let free = outage.is_some() || confirmed || self.left.contains_key(&endpoint);
            if free || self.spent() < allowed {
                self.left.entry(endpoint.clone()).or_insert(Removal { at: now, outage });
                granted.insert(endpoint);
            }
        }
        granted
    }

    /// Those that left on their own and turn out to belong to an outage are one removal with it.
    pub fn belong(&mut self, outage: impl Fn(&EndpointId) -> Option<Group>) {
        for (endpoint, removal) in self.left.iter_mut().filter(|(_, removal)| removal.outage.is_none()) {
            removal.outage = outage(endpoint);
        }
    }

    /// How many removals count now.
    #[must_use]
    pub fn spent(&self) -> usize {
        let outages: BTreeSet<&Group> = self.left.values().filter_map(|removal| removal.outage.as_ref()).collect();
        self.left.values().filter(|removal| removal.outage.is_none()).count() + outages.len()
    }

    /// When there is room again.
    #[must_use]
    pub fn next(&self, policy: &RemovalBudget) -> Option<Mono> {
        self.left.values().map(|removal| removal.at.plus(policy.per)).min()
    }

    /// What has left and when; as it was when it was last used.
    pub fn left(&self) -> impl Iterator<Item = (&EndpointId, Mono)> {
        self.left.iter().map(|(endpoint, removal)| (endpoint, removal.at))
    }

    /// What left before this process began, or for others; the last time counts.
    pub fn recall(&mut self, endpoint: EndpointId, at: Mono) {
        let removal = self.left.entry(endpoint).or_insert(Removal { at, outage: None });
        removal.at = removal.at.max(at);
    }

    fn age(&mut self, policy: &RemovalBudget, now: Mono) {
        self.left.retain(|_, removal| now < removal.at.plus(policy.per));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const POLICY: RemovalBudget =
        RemovalBudget { share: 34, per: Duration::from_secs(60), at_least: 10, confirm: Duration::from_secs(30) };

    fn id(n: usize) -> EndpointId {
        format!("e{n:03}").parse().unwrap()
    }

    fn wish(n: usize, reached: u64) -> Wish {
        Wish { reached: Mono(reached), endpoint: id(n), outage: None, confirmed: false }
    }

    fn aws() -> Option<Group> {
        Some(Group::Provider("aws".parse().unwrap()))
    }

    #[test]
    fn small_fleets_are_never_slowed() {
        for endpoints in 1..=10 {
            let mut budget = Budget::default();
            let all: Vec<Wish> = (0..endpoints).map(|n| wish(n, 5)).collect();
            assert_eq!(budget.grant(&POLICY, endpoints, Mono(5), all.clone()).len(), endpoints);
            assert_eq!(budget.grant(&POLICY, endpoints, Mono(6), all).len(), endpoints, "again, within the time");
        }
    }

    #[test]
    fn the_excess_waits_in_the_order_of_its_quorum_and_leaves_when_there_is_room() {
        let mut budget = Budget::default();
        let wishes: Vec<Wish> = (0..20).rev().map(|n| wish(n, if n < 3 { 9 } else { 7 })).collect();
        let granted = budget.grant(&POLICY, 50, Mono(10), wishes);
        assert_eq!(granted, (3..20).map(id).collect(), "34 % of 50, those that were first");
        assert_eq!(budget.grant(&POLICY, 50, Mono(59_000), vec![wish(0, 9)]), BTreeSet::new());
        assert_eq!(budget.next(&POLICY), Some(Mono(60_010)));
        assert_eq!(budget.grant(&POLICY, 50, Mono(60_010), vec![wish(0, 9)]), BTreeSet::from([id(0)]));
    }

    #[test]
    fn an_outage_is_one_removal_also_of_those_that_left_before_it_was_known() {
        let mut budget = Budget::default();
        assert_eq!(budget.grant(&POLICY, 30, Mono(1), (0..10).map(|n| wish(n, 1)).collect()).len(), 10);
        assert_eq!(budget.grant(&POLICY, 30, Mono(2), vec![wish(10, 2)]).len(), 0);
        budget.belong(|endpoint| aws().filter(|_| *endpoint < id(9)));
        assert_eq!(budget.spent(), 2, "an outage and one other");
        let rest = (10..15).map(|n| Wish { outage: aws(), ..wish(n, 2) }).chain((15..28).map(|n| wish(n, 3)));
        assert_eq!(budget.grant(&POLICY, 30, Mono(3), rest.collect()).len(), 5 + 8);
    }

    #[test]
    fn what_is_confirmed_leaves_and_counts() {
        let mut budget = Budget::default();
        let confirmed = (0..15).map(|n| Wish { confirmed: true, ..wish(n, 1) }).collect();
        assert_eq!(budget.grant(&POLICY, 30, Mono(1), confirmed).len(), 15);
        assert_eq!(budget.grant(&POLICY, 30, Mono(2), vec![wish(20, 2)]).len(), 0);
    }

    #[test]
    fn what_left_for_others_long_ago_ends_nothing_early() {
        let mut budget = Budget::default();
        budget.recall(id(0), Mono(50_000));
        budget.recall(id(0), Mono(10_000));
        assert_eq!(budget.next(&POLICY), Some(Mono(110_000)));
        budget.recall(id(0), Mono(55_000));
        assert_eq!((budget.next(&POLICY), budget.spent()), (Some(Mono(115_000)), 1));
    }

    #[test]
    fn two_thirds_of_the_votes_agree() {
        let check = |up, down, failed, expected| {
            assert_eq!(agrees(Tally { up, down, abstained: 0 }, failed), expected, "{up} {down} {failed}");
        };
        check(0, 0, false, false);
        check(0, 1, false, true);
        check(0, 1, true, false);
        check(1, 2, true, true);
        check(2, 3, false, false);
        check(0, 3, false, true);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Whatever fails when: within any such time no more leave unconfirmed than are allowed, and all leave at last.
        #[test]
        fn no_more_leave_than_are_allowed(falls in prop::collection::vec(0_u64..200, 1..40), share in 5_u8..=40,
            at_least in 2_u32..6)
        {
            let policy = RemovalBudget { share, at_least, ..POLICY };
            let (mut budget, mut gone) = (Budget::default(), BTreeMap::new());
            for second in (0..200 + 40 * 60).step_by(4) {
                let waiting = falls.iter().enumerate().filter(|(n, at)| **at <= second && !gone.contains_key(&id(*n)));
                let wishes = waiting.map(|(n, at)| wish(n, at * 1000)).collect();
                for endpoint in budget.grant(&policy, 60, Mono(second * 1000), wishes) {
                    gone.insert(endpoint, second);
                }
                let lately = gone.values().filter(|at| second < **at + 60).count();
                prop_assert!(lately <= allowed(&policy, 60));
            }
            prop_assert_eq!(gone.len(), falls.len());
        }
    }
}
