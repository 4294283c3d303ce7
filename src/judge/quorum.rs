//! From votes to what is measured (DECIDING section 3).
//!
//! One region, one vote: its nodes share it and a tie abstains. With voters from three or more providers none weighs
//! more than half. `down` needs the quorum and enough regions, and where it would rest on one region although more are
//! known, that region's passed self-test. `up` needs half. Otherwise the previous verdict stays.
//!
//! A region's provider is that of its nodes; where they differ or have none, the region counts as a provider of its
//! own.

use crate::model::{Cause, Health, Quorum, Tally, VerdictPolicy, Vote};

/// A region among the voters, by position; a node without a region is one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionKey(pub u16);

/// A provider among the voters, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderKey(pub u16);

/// What one fresh node says about one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice {
    /// Where the node stands.
    pub region: RegionKey,
    /// At whose place its region is.
    pub provider: ProviderKey,
    /// Whether its self-test has passed.
    pub proven: bool,
    /// `None`: its ballot has no entry, or the node does not vote.
    pub vote: Option<Vote>,
}

/// What came of the votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What counts before freezes and orders.
    pub health: Health,
    /// Why.
    pub cause: Cause,
    /// The votes, by region.
    pub tally: Tally,
}

/// Counts `voices`, which come sorted by region. `known_regions` includes those that are silent now; `previous` and
/// its cause stay where the votes do not decide.
#[must_use]
pub fn measure(
    policy: &VerdictPolicy,
    voices: &[Voice],
    known_regions: usize,
    previous: Health,
    previous_cause: &Cause,
) -> Measured {
    let count = Count::of(voices);
    let tally = count.tally;
    let (health, cause) = if tally.cast() == 0 {
        let cause = match previous_cause {
            Cause::NoResult | Cause::Remembered => previous_cause.clone(),
            Cause::Unchecked | Cause::Voted | Cause::Disputed | Cause::NoVotes | Cause::CheckChanged => Cause::NoVotes,
        };
        (previous, cause)
    } else if count.down(policy, known_regions) {
        (Health::Down, Cause::Voted)
    } else if count.up_weight * 2 >= count.weight && tally.up > 0 {
        let degraded = count.degraded * 2 >= tally.up;
        (if degraded { Health::Degraded } else { Health::Up }, Cause::Voted)
    } else {
        (previous, Cause::Disputed)
    };
    Measured { health, cause, tally }
}

/// Whether `own` is for down, and no region but `region` is: nobody elsewhere sees what this node sees.
#[must_use]
pub fn is_down_for_one(voices: &[Voice], region: Option<RegionKey>, own: Option<Vote>) -> bool {
    let elsewhere = voices.iter().filter(|voice| Some(voice.region) != region);
    own == Some(Vote::Down)
        && elsewhere.clone().any(|voice| matches!(voice.vote, Some(Vote::Up { .. })))
        && !elsewhere.clone().any(|voice| voice.vote == Some(Vote::Down))
}

#[derive(Debug, Default)]
struct Count {
    tally: Tally,
    /// Regions for up that complain.
    degraded: u16,
    /// A region for down whose self-test has passed.
    proven_down: bool,
    weight: u64,
    up_weight: u64,
    down_weight: u64,
}

impl Count {
    fn of(voices: &[Voice]) -> Self {
        let mut count = Self::default();
        let mut providers = Providers::default();
        for region in voices.chunk_by(|a, b| a.region == b.region) {
            let (mut up, mut down, mut degraded) = (0_usize, 0_usize, 0_usize);
            for voice in region {
                match voice.vote {
                    Some(Vote::Up { degraded: complains, .. }) => {
                        up += 1;
                        degraded += usize::from(complains);
                    }
                    Some(Vote::Down) => down += 1,
                    Some(Vote::Abstain(_)) | None => {}
                }
            }
            if up > down {
                count.tally.up += 1;
                count.degraded += u16::from(degraded * 2 >= up);
                providers.add(region[0].provider, 1, 0);
            } else if down > up {
                count.tally.down += 1;
                count.proven_down |= region.iter().any(|voice| voice.proven && voice.vote == Some(Vote::Down));
                providers.add(region[0].provider, 0, 1);
            } else {
                count.tally.abstained += 1;
            }
        }
        (count.up_weight, count.down_weight) = providers.weigh();
        count.weight = count.up_weight + count.down_weight;
        count
    }

    fn down(&self, policy: &VerdictPolicy, known_regions: usize) -> bool {
        let Tally { up, down, .. } = self.tally;
        let quorum = match policy.quorum {
            Quorum::Any => down > 0,
            Quorum::Majority => self.down_weight * 2 > self.weight,
            Quorum::All => up == 0 && down > 0,
            // More than are known could never be reached.
            Quorum::Count(regions) => usize::from(down) >= usize::from(regions).min(known_regions).max(1),
        };
        let alone = down == 1 && known_regions > 1;
        quorum && down >= policy.min_vantages.min(self.tally.cast()) && (!alone || self.proven_down)
    }
}

/// Regions for up and down by provider; few, so a list.
#[derive(Default)]
struct Providers(Vec<(ProviderKey, u64, u64)>);

impl Providers {
    fn add(&mut self, provider: ProviderKey, up: u64, down: u64) {
        match self.0.iter_mut().find(|(key, ..)| *key == provider) {
            Some(held) => {
                held.1 += up;
                held.2 += down;
            }
            None => self.0.push((provider, up, down)),
        }
    }

    /// The weight for up and for down. A provider with more than all others together is scaled to as much as they.
    fn weigh(&self) -> (u64, u64) {
        let up: u64 = self.0.iter().map(|(_, up, _)| up).sum();
        let down: u64 = self.0.iter().map(|(_, _, down)| down).sum();
        let heavy = self.0.iter().find(|(_, own_up, own_down)| (own_up + own_down) * 2 > up + down);
        match heavy {
            Some((_, own_up, own_down)) if self.0.len() >= 3 => {
                let own = own_up + own_down;
                let others = up + down - own;
                ((up - own_up) * own + own_up * others, (down - own_down) * own + own_down * others)
            }
            _ => (up, down),
        }
    }
}

#[cfg(test)]
mod tests;
