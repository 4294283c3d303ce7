//! Rules that can never match: an earlier one takes all their clients, or nothing tells who they are for.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::{build::Build, report::Raw};
use crate::model::{Fleet, GeoCode, ServiceIx, When};

/// Most items of rules that are compared with earlier rules: it is a courtesy, and quadratic.
pub(super) const COMPARED_MAX: usize = 1_000_000;

/// What a rule takes, made for looking things up in.
struct Taken {
    /// Joined, so that none lies in another; sorted.
    subnets: Vec<IpNet>,
    geo: BTreeSet<GeoCode>,
    asn: BTreeSet<u32>,
}

/// Rules of a service that an earlier one hides. `left` is how many items may still be compared.
pub(super) fn hidden(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, left: &mut usize, found: &mut Vec<Raw>) {
    let rules = &fleet.service(ix).rules;
    let taken: Vec<Taken> = rules.iter().map(|rule| Taken::of(&rule.when)).collect();
    for (at, rule) in rules.iter().enumerate() {
        let size = rule.when.subnets.len() + rule.when.geo.len() + rule.when.asn.len();
        let Some(rest) = left.checked_sub(size * at) else { return };
        *left = rest;
        if let Some(first) = taken[..at].iter().position(|earlier| earlier.takes(&rule.when)) {
            let message = format!("this rule of service `{}` can never match", fleet.service(ix).id);
            found.push(
                Raw::warning("W213", message)
                    .at(build.rule_place(ix, at), "all its clients fit an earlier rule")
                    .at(build.rule_place(ix, first), "this one")
                    .hint("put the narrower rule first"),
            );
        }
    }
}

/// Rules by place or AS where nothing tells either.
pub(super) fn blind(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, found: &mut Vec<Raw>) {
    let located = build.has_geo("database") || build.has_geo("nets");
    for (at, rule) in fleet.service(ix).rules.iter().enumerate() {
        let missing = match () {
            () if !rule.when.geo.is_empty() && !located => "database",
            () if !rule.when.asn.is_empty() && !build.has_geo("asn") => "asn",
            () => continue,
        };
        let message = format!("this rule of service `{}` never matches without [geo] {missing}", fleet.service(ix).id);
        let raw = Raw::warning("W214", message).at(build.rule_place(ix, at), "nothing tells which clients these are");
        found.push(raw.hint(format!("write [geo] {missing} = \"...mmdb\"")));
    }
}

impl Taken {
    fn of(when: &When) -> Self {
        let mut subnets = IpNet::aggregate(&when.subnets.to_vec());
        subnets.sort_unstable();
        Self { subnets, geo: when.geo.iter().copied().collect(), asn: when.asn.iter().copied().collect() }
    }

    /// Whether every client of `when` is one of these.
    fn takes(&self, when: &When) -> bool {
        let net = |net: &IpNet| {
            // Disjoint and sorted: only the last one that begins at or before it can hold it.
            let behind = self.subnets.partition_point(|known| known.network() <= net.network());
            behind.checked_sub(1).is_some_and(|at| self.subnets[at].contains(net))
        };
        let geo = |code: &GeoCode| {
            let country = GeoCode { part: None, ..*code };
            [*code, country, GeoCode { country: None, ..country }].iter().any(|code| self.geo.contains(code))
        };
        // A kind that is asked for by neither or only by the later rule narrows that one alone.
        (self.subnets.is_empty() || (!when.subnets.is_empty() && when.subnets.iter().all(net)))
            && (self.geo.is_empty() || (!when.geo.is_empty() && when.geo.iter().all(geo)))
            && (self.asn.is_empty() || (!when.asn.is_empty() && when.asn.iter().all(|asn| self.asn.contains(asn))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(subnets: &[&str], geo: &[&str], asn: &[u32]) -> When {
        When {
            subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
            geo: geo.iter().map(|code| code.parse().unwrap()).collect(),
            asn: asn.into(),
        }
    }

    #[test]
    fn a_rule_takes_what_lies_in_each_of_its_kinds() {
        let rows = [
            (when(&["10.0.0.0/8"], &[], &[]), when(&["10.1.0.0/16"], &[], &[]), true),
            (when(&["10.1.0.0/16"], &[], &[]), when(&["10.0.0.0/8"], &[], &[]), false),
            (when(&["10.0.0.0/9", "10.128.0.0/9"], &[], &[]), when(&["10.0.0.0/8"], &[], &[]), true),
            (when(&["0.0.0.0/0"], &[], &[]), when(&["2001:db8::/32"], &[], &[]), false),
            (when(&["10.0.0.0/8"], &[], &[]), when(&["10.0.0.0/8"], &["EU"], &[]), true),
            (when(&["10.0.0.0/8"], &["EU"], &[]), when(&["10.0.0.0/8"], &[], &[]), false),
            (when(&[], &["EU"], &[]), when(&[], &["EU-DE", "EU-FR-75"], &[]), true),
            (when(&[], &["EU-DE"], &[]), when(&[], &["EU"], &[]), false),
            (when(&[], &["EU"], &[]), when(&[], &["EU-DE", "AS"], &[]), false),
            (when(&[], &[], &[1, 2]), when(&[], &[], &[2]), true),
            (when(&[], &[], &[1]), when(&[], &[], &[2]), false),
            (when(&[], &["EU"], &[]), when(&[], &[], &[2]), false),
        ];
        for (earlier, later, expected) in rows {
            assert_eq!(Taken::of(&earlier).takes(&later), expected, "{earlier:?} {later:?}");
        }
    }
}
