//! Suspects (DECIDING section 3): a vantage that suddenly sees nearly everything down while others see most of that up,
//! or while its anchors are silent, has most likely lost its own network, and does not vote.
//!
//! What of it is chosen here, and why:
//!
//! - *Nearly all* is four fifths of the endpoints it speaks of, at least three, of two providers where it speaks of two.
//!   A broken vantage often goes on reaching what stands beside it.
//! - *Suddenly*: at most a fifth were down within [`SUDDEN`] before, or within two of the longest intervals, because a cut
//!   shows in all checks within one. What a vantage never reached is no jump.
//! - *Others* are more than half of those that speak of the same endpoints: in a fleet of two that is the other one, and
//!   in a larger one a vantage that is late does not silence those that are right.
//! - *It ends* when fewer than half are down, when it speaks of fewer than three endpoints any more because others probe
//!   the rest, or when the others come to see the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::model::{EndpointIx, Fleet, Mono, Vote};

/// Of the endpoints it speaks of, in percent.
pub const NEARLY_ALL: usize = 80;
/// At most this share was down before, in percent.
pub const LOW: usize = 20;
/// Fewer endpoints may well fail together.
pub const ENDPOINTS_MIN: usize = 3;
/// The jump takes no longer.
pub const SUDDEN: Duration = Duration::from_secs(30);

/// The course of one vantage's votes, by endpoint: down are those all of whose votes are down.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Of those it speaks of: in a large fleet others probe most.
    said: BTreeMap<EndpointIx, Said>,
    down: usize,
    up: usize,
    /// Few were down at the last look.
    is_low: bool,
    /// When few were down last.
    low: Option<Mono>,
    jumped: bool,
}

/// Votes on what is probed of an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Said {
    up: u16,
    down: u16,
}

impl Said {
    fn is_up(self) -> bool {
        0 < self.up
    }

    fn is_down(self) -> bool {
        self.up == 0 && 0 < self.down
    }

    fn count(&mut self, vote: Option<Vote>, one: impl Fn(u16) -> u16) {
        match vote {
            Some(Vote::Up { .. }) => self.up = one(self.up),
            Some(Vote::Down) => self.down = one(self.down),
            Some(Vote::Abstain(_)) | None => {}
        }
    }
}

impl Course {
    /// Another fleet: what it says of each slot is said anew. That is no jump.
    pub fn reload(&mut self, fleet: &Fleet, votes: impl Iterator<Item = (usize, Vote)>) {
        (self.said, self.down, self.up) = (BTreeMap::new(), 0, 0);
        votes.for_each(|(slot, vote)| self.change(fleet, slot, None, Some(vote)));
        self.is_low = self.few();
        self.jumped &= self.goes_on();
    }

    /// One vote becomes another.
    pub fn change(&mut self, fleet: &Fleet, slot: usize, before: Option<Vote>, after: Option<Vote>) {
        let Some(subject) = fleet.subjects.get(slot / 2) else { return };
        let said = self.said.entry(subject.endpoint).or_default();
        (self.up, self.down) = (self.up - usize::from(said.is_up()), self.down - usize::from(said.is_down()));
        said.count(before, |count| count.saturating_sub(1));
        said.count(after, |count| count.saturating_add(1));
        (self.up, self.down) = (self.up + usize::from(said.is_up()), self.down + usize::from(said.is_down()));
        if *said == Said::default() {
            self.said.remove(&subject.endpoint);
        }
    }

    /// To be called after the changes of a ballot; whether it jumped, or came back, by them.
    pub fn settle(&mut self, fleet: &Fleet, now: Mono) -> bool {
        // What it said until now was so until now.
        if self.is_low {
            self.low = Some(now);
        }
        self.is_low = self.few();
        let before = self.jumped;
        let sudden = SUDDEN.max(fleet.checks.iter().map(|check| check.interval).max().unwrap_or_default() * 2);
        self.jumped &= self.goes_on();
        self.jumped |= self.nearly_all(fleet) && self.low.is_some_and(|low| now <= low.plus(sudden));
        self.jumped != before
    }

    /// Whether nearly all went down at once here and has not come back: others are asked then.
    #[must_use]
    pub fn jumped(&self) -> bool {
        self.jumped
    }

    fn few(&self) -> bool {
        let spoken = self.up + self.down;
        0 < spoken && self.down * 100 <= spoken * LOW
    }

    fn goes_on(&self) -> bool {
        ENDPOINTS_MIN <= self.up + self.down && self.up <= self.down
    }

    fn nearly_all(&self, fleet: &Fleet) -> bool {
        if self.down < ENDPOINTS_MIN || self.down * 100 < (self.up + self.down) * NEARLY_ALL {
            return false;
        }
        let providers = |fits: fn(Said) -> bool| {
            let said = self.said.iter().filter(|(_, said)| fits(**said));
            said.map(|(endpoint, _)| &fleet.endpoint(*endpoint).provider).collect::<BTreeSet<_>>().len()
        };
        providers(|said| said.is_up() || said.is_down()).min(2) <= providers(Said::is_down)
    }

    /// What another vantage has to say of what is down here: most of it is up, or not; nothing where it speaks of too
    /// little of it.
    fn contradicted_by(&self, other: &Self) -> Option<bool> {
        let mut others = other.said.iter().peekable();
        let (mut up, mut down) = (0_usize, 0_usize);
        for (endpoint, _) in self.said.iter().filter(|(_, own)| own.is_down()) {
            while others.next_if(|(other, _)| *other < endpoint).is_some() {}
            let Some((_, other)) = others.next_if(|(other, _)| *other == endpoint) else { continue };
            (up, down) = (up + usize::from(other.is_up()), down + usize::from(other.is_down()));
        }
        (ENDPOINTS_MIN <= up + down).then_some(ENDPOINTS_MIN <= up && down < up)
    }
}

/// Which of the vantages are suspects. `fails`: its anchors or whatever else proves its network are silent. More than
/// half of the others that speak of it must contradict, so that one that lags behind does not silence all others; one
/// that jumped itself contradicts nobody.
#[must_use]
pub fn suspects<K: Ord + Copy>(courses: &BTreeMap<K, (&Course, bool)>) -> BTreeSet<K> {
    let contradicted = |key: &K, course: &Course| {
        let others = courses.iter().filter(|(other, _)| *other != key);
        let said = others.filter_map(|(_, (other, _))| Some(course.contradicted_by(other)? && !other.jumped));
        let (against, all) = said.fold((0, 0), |(against, all), says| (against + usize::from(says), all + 1));
        all < against * 2
    };
    let jumped = courses.iter().filter(|(_, (course, _))| course.jumped);
    jumped.filter(|(key, (course, fails))| *fails || contradicted(key, course)).map(|(key, _)| *key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge::sample, model::SubjectIx};

    const UP: Vote = Vote::Up { degraded: false, wavers: false };

    /// Ten endpoints at two providers in turn, and when which of them are down, all others up.
    fn course(says: &[(u64, std::ops::Range<usize>)]) -> Course {
        let fleet = sample::fleet(10);
        let mut course = Course::default();
        let mut before: Vec<Option<Vote>> = vec![None; fleet.subjects.len()];
        for (second, down) in says {
            for (subject, before) in before.iter_mut().enumerate() {
                let endpoint = fleet.subject(SubjectIx::new(subject)).endpoint.index();
                let vote = Some(if down.contains(&endpoint) { Vote::Down } else { UP });
                course.change(&fleet, subject * 2, std::mem::replace(before, vote), vote);
            }
            course.settle(&fleet, Mono(second * 1000));
        }
        course
    }

    #[test]
    fn nearly_all_must_go_down_suddenly() {
        let check = |says: &[(u64, std::ops::Range<usize>)], expected: bool| {
            assert_eq!(course(says).jumped(), expected, "{says:?}");
        };
        check(&[(1, 0..0), (50, 0..10)], true);
        check(&[(1, 0..2), (50, 0..8)], true);
        check(&[(1, 0..2), (50, 0..7)], false);
        check(&[(1, 0..10)], false);
        check(&[(1, 0..0), (50, 0..5), (80, 0..8)], true);
        check(&[(1, 0..0), (50, 0..5), (81, 0..8)], false);
        check(&[(1, 0..0), (50, 0..8), (500, 0..5)], true);
        check(&[(1, 0..0), (50, 0..8), (500, 0..4)], false);
    }

    #[test]
    fn a_jump_of_which_too_little_is_left_is_over() {
        let fleet = sample::fleet(10);
        let mut course = course(&[(1, 0..0), (5, 0..10)]);
        for subject in 0..8 {
            course.change(&fleet, subject * 2, Some(Vote::Down), None);
            course.settle(&fleet, Mono(6_000));
            assert_eq!(course.jumped(), subject < 7, "{subject} and all before it are probed by others from now on");
        }
    }

    #[test]
    fn somebody_who_sees_it_up_or_silent_anchors_make_a_suspect() {
        let (broken, well) = (course(&[(1, 0..0), (5, 0..10)]), course(&[(1, 0..0)]));
        let check = |all: &[(&Course, bool)], expected: &[usize]| {
            let courses = all.iter().copied().enumerate().collect();
            assert_eq!(suspects(&courses).into_iter().collect::<Vec<_>>(), expected);
        };
        check(&[(&broken, false), (&well, false)], &[0]);
        check(&[(&broken, false), (&broken, false)], &[]);
        check(&[(&broken, false), (&broken, true)], &[1]);
        check(&[(&broken, false)], &[]);
        check(&[(&broken, false), (&well, false), (&broken, false)], &[]);
        check(&[(&broken, false), (&well, false), (&well, false), (&well, false), (&broken, false)], &[0, 4]);
        let half = course(&[(1, 0..0), (5, 0..8)]);
        let sees_most = course(&[(1, 0..5)]);
        check(&[(&half, false), (&sees_most, false)], &[]);
    }
}
