//! How this node decides, by whom it hears (DECIDING section 4), and what a person should know of that.

use super::{
    Controller,
    deciding::Work,
    presences::CLOCK_SUSPECT_MS,
    voters::{Company, Right},
};
use crate::model::{Action, Happening, Link, Mode, Mono, NodeId, Now, Override, Selector, SelfTest};

/// What was told of the fleet, and holds.
#[derive(Debug, Default)]
pub(super) struct Told {
    disagree: bool,
    configurations: bool,
    clock: bool,
    suspect: bool,
    silenced: bool,
}

impl Controller {
    /// How it decides now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn link(&self, now: Mono) -> Link {
        let stale_after = self.slots.fleet.verdict.stale_after;
        let detached = self.heartbeat.lost_at().is_some_and(|at| at <= now);
        match self.voters.company() {
            Company::Nobody => Link::Single,
            // Who starts has heard nobody yet; that is no news until it has listened for long enough.
            Company::Lonely if self.started.plus(stale_after) <= now => Link::Alone,
            Company::Settling { .. } if self.mode.link == Link::Alone => Link::Alone,
            Company::Lonely | Company::Settling { .. } | Company::Heard if detached => Link::Detached,
            Company::Lonely | Company::Settling { .. } | Company::Heard => Link::Connected,
        }
    }

    /// Works out the mode and tells what changed.
    pub(super) fn shift(&mut self, now: Now, work: &mut Work) {
        let link = self.link(now.mono);
        let everything = |order: &Override| order.action == Action::Freeze && order.target == Selector::All;
        let ordered = self.tenures.active().iter().any(everything);
        let right = self.voters.right(self.slots.fleet.verdict.alone, self.self_test);
        let silenced = right == Right::Holds && matches!(link, Link::Alone | Link::Single);
        let frozen = ordered || silenced || self.brakes.freezes();
        let mode = Mode { link, held: self.durable.lost.is_some(), frozen };
        let before = std::mem::replace(&mut self.mode, mode);
        for (word, is) in [("detached", Link::Detached), ("alone", Link::Alone)] {
            if (before.link == is) != (link == is) {
                let detail = if link == is { Self::of_link(is) } else { "over".into() };
                tell(work, word, link == is, detail);
            }
        }
        // A person's freeze and the automatic one are told as what they are.
        let why = match self.self_test {
            SelfTest::Failed => "this node's own network does not prove well",
            SelfTest::Passed | SelfTest::Unprovable => "it may not judge alone",
        };
        turn(&mut self.fleet_told.silenced, silenced, work, "frozen", || {
            format!("no peer is heard, and {why}: automation takes nothing out here")
        });
    }

    fn of_link(link: Link) -> String {
        match link {
            Link::Detached => {
                "its own heartbeat does not come back through the store; ballots are fetched from peers directly"
            }
            Link::Alone => "no peer is heard; this node decides by its own probes, with more care",
            Link::Single | Link::Connected => "",
        }
        .into()
    }

    /// Compares this node with the others, and tells what has not agreed for long.
    pub(super) fn compare(&mut self, now: Now, work: &mut Work) {
        let Self { presences, voters, snapshot, slots, fleet_told: told, .. } = self;
        presences.compare(now.mono, snapshot.digest, slots.fleet.digest, |node| voters.knows(node));
        let [verdicts, configurations] = presences.apart(now.mono);
        let offset = presences.clock_offset(now).filter(|offset| CLOCK_SUSPECT_MS < offset.unsigned_abs());
        turn(&mut told.disagree, !verdicts.is_empty(), work, "nodes-disagree", || {
            format!("{} has had other verdicts or orders than this node for 30 s", listed(&verdicts))
        });
        turn(&mut told.configurations, !configurations.is_empty(), work, "configurations-differ", || {
            format!("{} has had another configuration than this node for 30 s", listed(&configurations))
        });
        turn(&mut told.clock, offset.is_some(), work, "clock-suspect", || {
            format!("most other nodes' clocks are {} ms away from this one's", offset.unwrap_or(0))
        });
        turn(&mut told.suspect, voters.suspects_itself(), work, "suspects-itself", || {
            "nearly all endpoints went down at once for this node, and others see them up; it does not vote".into()
        });
    }
}

fn listed(nodes: &[&NodeId]) -> String {
    const NAMED: usize = 5;
    let mut names: Vec<String> = nodes.iter().take(NAMED).map(ToString::to_string).collect();
    if NAMED < nodes.len() {
        names.push(format!("{} more", nodes.len() - NAMED));
    }
    names.join(", ")
}

fn turn(held: &mut bool, holds: bool, work: &mut Work, word: &str, detail: impl FnOnce() -> String) {
    if std::mem::replace(held, holds) != holds {
        tell(work, word, holds, if holds { detail() } else { "over".into() });
    }
}

fn tell(work: &mut Work, condition: &str, active: bool, detail: String) {
    work.told.push(Happening::Node { condition: condition.into(), active, detail });
}
