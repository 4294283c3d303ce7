//! Where an outlook is taken from: the clients between whom the answers of a service may differ.

use std::fmt;

use crate::{
    model::{Fleet, RegionId, Rule, Service, Steer, When, Whence},
    steer::{Client, Locator},
};

/// Most viewpoints of one service; rules behind them are seen through the others alone.
pub const VIEWPOINTS_MAX: usize = 1000;

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Viewpoint {
    /// A client of whom nothing is known.
    Anyone,
    /// A client as people write it.
    From(Whence),
    /// A client of a rule that no single word describes, by the rule's place.
    Rule {
        /// Which of the service's, from 0.
        nth: usize,
        /// Where it stands.
        place: String,
    },
}

impl fmt::Display for Viewpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::From(Whence::Region(id)) => write!(f, "near {id}"),
            Self::From(whence) => write!(f, "{whence}"),
            Self::Rule { place, .. } => write!(f, "rule at {place}"),
        }
    }
}

impl Viewpoint {
    pub(super) fn client<'t>(&self, locator: &'t Locator, fleet: &Fleet) -> Client<'t> {
        match self {
            Self::From(whence) => Client::from_whence(whence, locator, fleet),
            Self::Anyone | Self::Rule { .. } => Client::nobody(),
        }
    }
}

/// The viewpoints of a service as two fleets know it: of every word of its rules on either side, next to each region if
/// somebody is sent to the nearest, and anyone. A service that asks nobody where they are has one.
pub(super) fn viewpoints<'f>(sides: &[(&'f Fleet, &'f Service)]) -> Vec<Viewpoint> {
    let mut all = vec![Viewpoint::Anyone];
    for (fleet, service) in sides {
        let places = std::iter::once(service.steer).chain(service.rules.iter().map(|rule| rule.steer));
        if places.into_iter().any(|steer| matches!(steer, Steer::Nearest | Steer::Fastest)) {
            let placed = fleet.regions.iter().filter(|region| region.at.is_some());
            let next_to = |id: &RegionId| Viewpoint::From(Whence::Region(id.clone()));
            all.extend(placed.map(|region| next_to(&region.id)));
        }
        service.rules.iter().enumerate().for_each(|(nth, rule)| all.extend(of_rule(nth, rule)));
    }
    all.sort_unstable();
    all.dedup();
    all.truncate(VIEWPOINTS_MAX);
    all
}

fn of_rule(nth: usize, Rule { when, place, .. }: &Rule) -> Vec<Viewpoint> {
    let When { subnets, geo, asn } = when;
    let kinds = [subnets.is_empty(), geo.is_empty(), asn.is_empty()].into_iter().filter(|empty| !empty).count();
    if 1 < kinds {
        return vec![Viewpoint::Rule { nth, place: place.clone() }];
    }
    let nets = subnets.iter().map(|net| Whence::Net(*net));
    let words = nets.chain(geo.iter().copied().map(Whence::Geo)).chain(asn.iter().copied().map(Whence::Asn));
    words.map(Viewpoint::From).collect()
}
