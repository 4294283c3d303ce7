//! What a step has to tell: verdicts that changed, and what a person should know of this node.

use super::{Controller, deciding::Work};
use crate::model::{Availability, Cause, Family, Happening, Health, Now, SelfTest, ServiceId};

/// Conditions of this node that were told and hold.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    self_test_failed: bool,
    unprovable: bool,
}

/// Tells every verdict in force that differs from the last snapshot.
pub(super) fn verdicts(node: &mut Controller, now: Now, work: &mut Work) {
    let places: Vec<usize> = if work.fleet_changed {
        (0..node.slots.list.len()).collect()
    } else {
        std::mem::take(&mut work.changed).into_iter().collect()
    };
    for place in places {
        let Some(slot) = &mut node.slots.list[place] else { continue };
        let (from, to) = (slot.told, slot.verdict.health);
        slot.told = to;
        if from == to || work.first {
            continue;
        }
        let cause = match (&slot.verdict.order, &slot.verdict.frozen) {
            (Some((Availability::Up | Availability::Down, _)), _) => "override",
            (_, Some(_)) => "frozen",
            // What is held is said while it is so; what was let go is as the votes have it.
            (_, None) => match &slot.verdict.hold {
                Some(hold) if slot.base != slot.verdict.measured => hold.word(),
                Some(_) | None => slot.verdict.cause.word(),
            },
        };
        let fell = to == Health::Down && slot.verdict.cause == Cause::Voted && cause == Cause::Voted.word();
        let standing = slot.probed.as_ref().filter(|_| fell).map(|probed| &probed.standing);
        let standing = standing.filter(|standing| standing.health() == Health::Down);
        let fleet = &node.slots.fleet;
        let services: Vec<ServiceId> =
            node.slots.services[place / 2].iter().map(|ix| fleet.service(*ix).id.clone()).collect();
        work.told.push(Happening::Verdict {
            endpoint: fleet.endpoint(slot.endpoint).id.clone(),
            subject: slot.probed.as_ref().map(|probed| probed.target.subject.clone()),
            family: Family::ALL[place % 2],
            from,
            to,
            cause: cause.into(),
            tally: slot.verdict.tally,
            reason: standing.and_then(|standing| standing.last_failure()).map(ToString::to_string),
            took_ms: standing.and_then(|standing| standing.first_failure()).map(|at| now.mono.0.saturating_sub(at.0)),
            services,
        });
    }
}

/// Tells what began or ended to be true of this node itself.
pub(super) fn conditions(node: &mut Controller, work: &mut Work) {
    let failed = node.self_test == SelfTest::Failed && !work.first;
    // Looking at all verdicts is only worth it where one has changed.
    let unprovable = if work.fleet_changed || !work.changed.is_empty() {
        let mut probed = node.slots.list.iter().flatten().filter(|slot| slot.probed.is_some()).peekable();
        let blind = node.voters.is_single() && node.self_test == SelfTest::Unprovable && probed.peek().is_some();
        blind && probed.all(|slot| slot.verdict.measured == Health::Down)
    } else {
        node.conditions.unprovable && node.voters.is_single() && node.self_test == SelfTest::Unprovable
    };
    tell(
        &mut node.conditions.self_test_failed,
        failed,
        work,
        "self-test-failed",
        "neither a third of the anchors answers nor, without anchors, a probe of an endpoint outside this node's provider and region has passed within two intervals; it does not vote while others' do",
    );
    tell(
        &mut node.conditions.unprovable,
        unprovable,
        work,
        "self-suspicion-unprovable",
        "everything is down, and with neither anchors nor other nodes it cannot be told whether this node's own network is at fault",
    );
}

fn tell(held: &mut bool, holds: bool, work: &mut Work, condition: &str, detail: &str) {
    if *held != holds {
        *held = holds;
        work.told.push(Happening::Node { condition: condition.into(), active: holds, detail: detail.into() });
    }
}
