//! Which overrides hold now: their beginnings and ends, judged on our own clocks (STATE rule 4).
//!
//! Ends are absolute times of day, and a clock may be set. Forward: the monotonic time since receipt must agree that
//! the time has come, within [`SLACK_PERCENT`]. Backward: what has begun has begun, and what has run out is remembered
//! for as long as the store lists it; what was over before this process ever held it is not, so that a clock that ran
//! ahead at the start (as many do until they are first set) and is put right misses no drain. So a set clock prolongs
//! an override by at most the life it was made for.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{Action, Event, Happening, Mono, Now, Override, OverrideId, Wall};

/// How far apart the two clocks may run over an override's life; ordinary slewing is a twentieth of it.
const SLACK_PERCENT: u64 = 1;
/// Added to the slack, so that short lives do not hang on milliseconds.
const SLACK_MS: u64 = 1_000;
/// So many minutes before its end an override is announced.
pub(super) const ANNOUNCED_MINUTES: [u32; 3] = [60, 15, 5];

/// All overrides that have not ended.
#[derive(Debug, Default)]
pub(super) struct Tenures {
    held: BTreeMap<OverrideId, Tenure>,
    ended: BTreeMap<OverrideId, Wall>,
    active: Arc<[Override]>,
    planned: Arc<[Override]>,
    /// Drains and downs that have ended and were not asked for yet.
    gone: Vec<Override>,
}

#[derive(Debug)]
struct Tenure {
    order: Override,
    received: Now,
    begun: bool,
    /// The smallest number of minutes that needs no announcement any more.
    announced: u32,
}

impl Tenure {
    fn new(order: Override, received: Now, begun: bool) -> Self {
        let announced = nearest_mark(order.expires, received.wall).unwrap_or(u32::MAX);
        Self { order, received, begun, announced }
    }

    /// With other times, which a person set. What was received by a clock that was not ahead stays received then: so both
    /// clocks have their say in the new end too, and an end that is over as it arrives is an end for good.
    fn moved(self, order: Override, now: Now) -> Self {
        let received = if self.received.wall < order.expires { self.received } else { now };
        Self { received, ..Self::new(order, now, self.begun) }
    }

    /// Milliseconds until both clocks agree that `at` has come; 0 if they do.
    fn left(&self, at: Wall, now: Now) -> u64 {
        // Never longer than it was made for: a node that starts with its clock far behind would hold it for years.
        let made_for = at.0.saturating_sub(self.order.created.0);
        let life = at.0.saturating_sub(self.received.wall.0).min(made_for);
        let lived = now.mono.0.saturating_sub(self.received.mono.0);
        let slack = if life == 0 { 0 } else { life / 100 * SLACK_PERCENT + SLACK_MS };
        at.0.saturating_sub(now.wall.0).max(life.saturating_sub(lived).saturating_sub(slack))
    }

    /// Received by a clock that ran ahead, it is received anew by one that says otherwise. Where that would make it
    /// longer than it was made for, this clock is behind: then what has passed since counts.
    fn put_right(&mut self, now: Now) {
        if self.received.wall < self.order.expires {
            return;
        }
        let lived = now.mono.0.saturating_sub(self.received.mono.0);
        let left = self.order.expires.0.saturating_sub(now.wall.0);
        let made_for = self.order.expires.0.saturating_sub(self.order.created.0);
        if lived.saturating_add(left) <= made_for {
            self.received.mono = now.mono;
        }
        self.received.wall = now.wall;
    }

    fn next_mark(&self, now: Now) -> Option<Wall> {
        let mark = ANNOUNCED_MINUTES.into_iter().find(|minutes| *minutes < self.announced)?;
        let at = Wall(self.order.expires.0.saturating_sub(u64::from(mark) * 60_000));
        (now.wall < at).then_some(at)
    }
}

/// The smallest announcement whose time has come.
fn nearest_mark(expires: Wall, at: Wall) -> Option<u32> {
    let left = expires.0.saturating_sub(at.0);
    ANNOUNCED_MINUTES.into_iter().filter(|minutes| left <= u64::from(*minutes) * 60_000).min()
}

impl Tenures {
    /// From memory; what held then begins without a word.
    pub(super) fn remembered(orders: &[Override], ended: &BTreeMap<OverrideId, Wall>, then: Wall, now: Now) -> Self {
        let held = orders.iter().cloned().map(|order| {
            let begun = order.from <= then;
            (order.id.clone(), Tenure::new(order, now, begun))
        });
        Self { held: held.collect(), ended: ended.clone(), ..Self::default() }
    }

    /// Another whole list. Ends that a person made are told.
    pub(super) fn replace(&mut self, now: Now, list: &[Override], told: &mut Vec<Happening>) {
        let mut before = std::mem::take(&mut self.held);
        for order in list {
            if self.ended.get(&order.id).is_some_and(|end| *end == order.expires) {
                continue;
            }
            let tenure = match before.remove(&order.id) {
                Some(held) if (held.order.from, held.order.expires) == (order.from, order.expires) => {
                    Tenure { order: order.clone(), ..held }
                }
                Some(held) => held.moved(order.clone(), now),
                None => Tenure::new(order.clone(), now, false),
            };
            self.held.insert(order.id.clone(), tenure);
        }
        for tenure in before.into_values().filter(|tenure| tenure.begun) {
            told.push(ended(&tenure.order, tenure.order.expires <= now.wall));
            self.went(tenure.order);
        }
        let listed: std::collections::HashSet<&OverrideId> = list.iter().map(|order| &order.id).collect();
        self.ended.retain(|id, _| listed.contains(id));
    }

    /// Lets time pass: begins, announces, ends. Whether the lists have changed.
    pub(super) fn pass(&mut self, now: Now, told: &mut Vec<Happening>) -> bool {
        let over: Vec<OverrideId> = (self.held.iter())
            .filter(|(_, tenure)| tenure.begun && tenure.left(tenure.order.expires, now) == 0)
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            let Some(mut tenure) = self.held.remove(&id) else { continue };
            told.push(ended(&tenure.order, true));
            self.went(tenure.order.clone());
            if tenure.received.wall < tenure.order.expires {
                self.ended.insert(id, tenure.order.expires);
            } else {
                // Nothing but the clock that this process began with says so.
                tenure.begun = false;
                self.held.insert(id, tenure);
            }
        }
        for tenure in self.held.values_mut() {
            if !tenure.begun && tenure.left(tenure.order.from, now) == 0 && tenure.left(tenure.order.expires, now) > 0 {
                tenure.begun = true;
                tenure.put_right(now);
                told.push(began(&tenure.order));
            }
            if let Some(mark) = nearest_mark(tenure.order.expires, now.wall).filter(|mark| *mark < tenure.announced) {
                tenure.announced = mark;
                if tenure.begun {
                    told.push(Happening::OverrideExpiring { id: tenure.order.id.clone(), minutes: mark });
                }
            }
        }
        let list = |begun: bool| -> Vec<&Override> {
            let counts = |tenure: &&Tenure| tenure.begun == begun && tenure.left(tenure.order.expires, now) > 0;
            self.held.values().filter(counts).map(|tenure| &tenure.order).collect()
        };
        let (active, planned) = (list(true), list(false));
        let same = |held: &[Override], new: &[&Override]| held.iter().eq(new.iter().copied());
        if same(&self.active, &active) && same(&self.planned, &planned) {
            return false;
        }
        let (active, planned): (Arc<[Override]>, Arc<[Override]>) =
            (active.into_iter().cloned().collect(), planned.into_iter().cloned().collect());
        (self.active, self.planned) = (active, planned);
        true
    }

    /// When the next one begins, ends or is announced.
    pub(super) fn wake_at(&self, now: Now) -> Option<Mono> {
        let next = |tenure: &Tenure| {
            let end = tenure.left(tenure.order.expires, now);
            let begin = if tenure.begun { end } else { tenure.left(tenure.order.from, now) };
            let mark = tenure.next_mark(now).map_or(end, |at| at.0 - now.wall.0);
            end.min(begin).min(mark)
        };
        let ahead = self.held.values().filter(|tenure| tenure.left(tenure.order.expires, now) > 0);
        ahead.map(next).min().map(|left| Mono(now.mono.0.saturating_add(left.max(1))))
    }

    fn went(&mut self, order: Override) {
        if matches!(order.action, Action::Drain | Action::Down) {
            self.gone.push(order);
        }
    }

    /// Drains and downs that have ended since this was last asked.
    pub(super) fn take_gone(&mut self) -> Vec<Override> {
        std::mem::take(&mut self.gone)
    }

    /// Those in force, by id.
    pub(super) fn active(&self) -> &Arc<[Override]> {
        &self.active
    }

    /// Those that begin later, by id.
    pub(super) fn planned(&self) -> &Arc<[Override]> {
        &self.planned
    }

    pub(super) fn ended(&self) -> &BTreeMap<OverrideId, Wall> {
        &self.ended
    }
}

fn began(order: &Override) -> Happening {
    Happening::OverrideBegan {
        id: order.id.clone(),
        action: order.action.word().into(),
        target: order.target.to_string(),
        author: order.author.clone(),
        reason: order.reason.clone(),
        expires: order.expires,
    }
}

fn ended(order: &Override, expired: bool) -> Happening {
    let (action, target) = (order.action.word().into(), order.target.to_string());
    Happening::OverrideEnded { id: order.id.clone(), action, target, expired }
}

/// Puts a step's happenings into one order and gives them their time.
pub(super) fn dated(told: Vec<Happening>, at: Wall, generation: u64) -> Vec<Event> {
    told.into_iter().map(|what| Event { at, generation, what }).collect()
}
