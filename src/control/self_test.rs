//! Whether this node's own network has proven itself (DECIDING section 3, self-test).
//!
//! With anchors, one in three answers. Without, a probe of an endpoint outside its own provider and region passed within
//! two intervals; of any endpoint, if none is outside. Both mean what is probed from here: where the vantages share the
//! endpoints out, what others probe proves nothing of this node. Who probes nothing at all has nothing to prove it by.

use super::Identity;
use crate::model::{ANCHOR_INTERVAL, Anchor, Check, EndpointIx, Fleet, Mono, Observation, Outcome, SelfTest};

/// What an anchor said counts for so many of its intervals.
const ANCHOR_COUNTS_FOR: u32 = 3;
/// So many of these ...
const ANCHORS_ASKED: usize = 3;
/// ... one must answer.
const ANCHORS_ANSWERING: usize = 1;

#[derive(Debug, Default)]
pub(super) struct Proof {
    reach: Reach,
    any: Passed,
    outside: Passed,
    anchors: Vec<(Anchor, Option<Told>)>,
}

/// The newest pass of a kind: when it was seen, and until when one proves this network.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    at: Mono,
    until: Mono,
}

impl Passed {
    fn join(&mut self, other: Self) {
        *self = Self { at: self.at.max(other.at), until: self.until.max(other.until) };
    }
}

/// What a node has to prove itself by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reach {
    /// Nothing is probed from here.
    #[default]
    Nothing,
    /// All that is probed from here stands in its region or at its provider.
    Inside,
    /// Something stands elsewhere.
    Outside,
}

/// What an anchor said last.
#[derive(Debug, Clone, Copy)]
struct Told {
    answered: bool,
    at: Mono,
    until: Mono,
}

impl Proof {
    /// Another part of the fleet is probed from here. What was proven by the part before goes on counting for its time.
    pub(super) fn survey(&mut self, fleet: &Fleet, me: &Identity, mine: impl Fn(EndpointIx) -> bool) {
        let checked = fleet.subjects.iter().filter(|subject| subject.check.is_some());
        let mut probed = checked.map(|subject| subject.endpoint).filter(|endpoint| mine(*endpoint));
        let reach = match probed.next() {
            None => Reach::Nothing,
            Some(first) if std::iter::once(first).chain(probed).any(|ix| outside(fleet, me, ix)) => Reach::Outside,
            Some(_) => Reach::Inside,
        };
        if (self.reach, reach) == (Reach::Inside, Reach::Outside) {
            self.outside.join(self.any);
        }
        self.reach = reach;
    }

    pub(super) fn reload(&mut self, fleet: &Fleet) {
        let before = std::mem::take(&mut self.anchors);
        let told = |anchor: &Anchor| before.iter().find(|(known, _)| known == anchor).and_then(|(_, told)| *told);
        self.anchors = fleet.verdict.anchors.iter().map(|anchor| (anchor.clone(), told(anchor))).collect();
    }

    /// Takes in a result. An inverted check that "fails" has been answered, and that is what proves a network.
    pub(super) fn observe(&mut self, fleet: &Fleet, me: &Identity, at: EndpointIx, check: &Check, seen: &Observation) {
        if !matches!(seen.outcome, Outcome::Pass | Outcome::Complaint(_)) {
            return;
        }
        let passed = Passed { at: seen.at.mono, until: seen.at.mono.plus(check.interval * 2) };
        self.any.join(passed);
        if outside(fleet, me, at) {
            self.outside.join(passed);
        }
    }

    /// An anchor answered, or did not. One that is not configured proves nothing.
    pub(super) fn anchor(&mut self, anchor: &Anchor, answered: bool, at: Mono) {
        if let Some((_, told)) = self.anchors.iter_mut().find(|(known, _)| known == anchor) {
            *told = Some(Told { answered, at, until: at.plus(ANCHOR_INTERVAL * ANCHOR_COUNTS_FOR) });
        }
    }

    /// Without anchors a node that knows no other, or probes nothing, cannot prove anything.
    pub(super) fn state(&self, single: bool, now: Mono) -> SelfTest {
        if !self.anchors.is_empty() {
            return self.by_anchors(now);
        }
        match (single || self.reach == Reach::Nothing, now < self.passed().until) {
            (true, _) => SelfTest::Unprovable,
            (false, true) => SelfTest::Passed,
            (false, false) => SelfTest::Failed,
        }
    }

    /// What is not known yet may be either.
    fn by_anchors(&self, now: Mono) -> SelfTest {
        let said = |answered: bool| {
            let told = self.anchors.iter().filter_map(|(_, told)| *told);
            told.filter(|told| now < told.until && told.answered == answered).count()
        };
        match () {
            () if self.enough(said(true)) => SelfTest::Passed,
            () if self.enough(self.anchors.len() - said(false)) => SelfTest::Unprovable,
            () => SelfTest::Failed,
        }
    }

    fn enough(&self, anchors: usize) -> bool {
        anchors * ANCHORS_ASKED >= self.anchors.len() * ANCHORS_ANSWERING
    }

    /// Whether something proved this network after `then`. A proof counts for a while so that the test does not turn to
    /// and fro, and for so long it says nothing of what has failed since: a node that was just cut off has one, too.
    pub(super) fn is_newer_than(&self, then: Mono) -> bool {
        if self.anchors.is_empty() {
            return then < self.passed().at;
        }
        let told = self.anchors.iter().filter_map(|(_, told)| *told);
        self.enough(told.filter(|told| told.answered && then < told.at).count())
    }

    /// When what was proven runs out.
    pub(super) fn wake_at(&self, single: bool, now: Mono) -> Option<Mono> {
        if !self.anchors.is_empty() {
            return self.anchors.iter().filter_map(|(_, told)| Some((*told)?.until)).filter(|at| now < *at).min();
        }
        Some(self.passed().until).filter(|until| now < *until && !single)
    }

    fn passed(&self) -> Passed {
        match self.reach {
            Reach::Outside => self.outside,
            Reach::Nothing | Reach::Inside => self.any,
        }
    }
}

fn outside(fleet: &Fleet, me: &Identity, endpoint: EndpointIx) -> bool {
    let endpoint = fleet.endpoint(endpoint);
    me.region.as_ref() != Some(&endpoint.region) && me.provider.as_ref() != Some(&endpoint.provider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::sample,
        model::{AnchorAsk, Now, Phases, Wall},
    };

    #[test]
    fn one_anchor_in_three_proves_a_network() {
        let anchor = |n: usize| Anchor {
            url: format!("tcp://192.0.2.{n}:443").into(),
            ask: AnchorAsk::Tcp,
            host: format!("192.0.2.{n}").into(),
            port: 443,
        };
        let check = |anchors: usize, said: &[bool], at: u64, expected: SelfTest| {
            let mut parts = sample::parts(3);
            parts.verdict.anchors = (0..anchors).map(anchor).collect();
            let mut proof = Proof::default();
            let me = Identity { node: "n1".parse().unwrap(), region: None, provider: None };
            let fleet = Fleet::assemble(parts).unwrap();
            proof.reload(&fleet);
            proof.survey(&fleet, &me, |_| true);
            said.iter().enumerate().for_each(|(n, answered)| proof.anchor(&anchor(n), *answered, Mono(1_000)));
            assert_eq!(proof.state(true, Mono(at)), expected, "{anchors} {said:?}");
        };
        check(3, &[], 2_000, SelfTest::Unprovable);
        check(3, &[true], 2_000, SelfTest::Passed);
        check(3, &[false, false], 2_000, SelfTest::Unprovable);
        check(3, &[false, false, false], 2_000, SelfTest::Failed);
        check(4, &[true, false, false, false], 2_000, SelfTest::Failed);
        check(4, &[true, false, false, true], 2_000, SelfTest::Passed);
        check(1, &[false], 2_000, SelfTest::Failed);
        check(3, &[true, true, true], 16_000, SelfTest::Unprovable);
        check(3, &[true, true, true], 15_999, SelfTest::Passed);
    }

    #[test]
    fn a_node_proves_itself_by_what_it_probes() {
        let fleet = sample::fleet(4);
        let home = fleet.endpoint(EndpointIx::new(0));
        let (region, provider) = (Some(home.region.clone()), Some(home.provider.clone()));
        let me = Identity { node: "n1".parse().unwrap(), region, provider };
        let away = fleet.endpoints.iter().position(|e| e.region != home.region && e.provider != home.provider).unwrap();
        let mut proof = Proof::default();
        let pass = |proof: &mut Proof, endpoint: usize, at: u64| {
            let subject = fleet.subjects.iter().position(|subject| subject.endpoint.index() == endpoint).unwrap();
            let seen = Observation {
                target: fleet.targets().find(|(ix, _)| ix.index() == subject).unwrap().1,
                revision: 1,
                address: "192.0.2.1:80".parse().unwrap(),
                at: Now { mono: Mono(at), wall: Wall(at) },
                outcome: Outcome::Pass,
                phases: Phases::default(),
                status: None,
                cert_left: None,
            };
            let check = fleet.check(fleet.subjects[subject].check.unwrap());
            proof.observe(&fleet, &me, EndpointIx::new(endpoint), check, &seen);
            check.interval
        };
        proof.survey(&fleet, &me, |_| false);
        assert_eq!(proof.state(false, Mono(1_000)), SelfTest::Unprovable, "it probes nothing");
        proof.survey(&fleet, &me, |endpoint| endpoint.index() == 0);
        assert_eq!(proof.state(false, Mono(1_000)), SelfTest::Failed, "nothing has passed yet");
        let interval = pass(&mut proof, 0, 1_000);
        assert_eq!(proof.state(false, Mono(1_001)), SelfTest::Passed, "all of its part stands beside it");
        proof.survey(&fleet, &me, |endpoint| [0, away].contains(&endpoint.index()));
        assert_eq!(proof.state(false, Mono(1_002)), SelfTest::Passed, "what was proven counts for its time");
        let over = Mono(1_000).plus(interval * 2);
        pass(&mut proof, 0, over.0 - 1);
        assert_eq!(proof.state(false, over), SelfTest::Failed, "what stands beside it proves nothing any more");
        pass(&mut proof, away, over.0);
        assert_eq!(proof.state(false, over), SelfTest::Passed);
    }
}
