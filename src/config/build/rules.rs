//! `[[service.x.rule]]`: other pools, or another order, for some clients.

use ipnet::IpNet;

use crate::model::{GeoCode, Rule, Steer, When};

use super::Build;
use crate::config::{
    document::{Node, Table},
    report::{Place, Raw},
    values::Asn,
};

impl Build<'_, '_> {
    /// The rules of a service; what a rule does not say about steering, the service says.
    pub(super) fn rules(&mut self, table: &Table, steer: Steer, steered: Place) -> Box<[Rule]> {
        let items = table.get("rule").map_or(&[][..], Node::items);
        items.iter().filter_map(|item| self.rule(item.place, item.table()?, (steer, steered))).collect()
    }

    fn rule(&mut self, place: Place, table: &Table, (of_service, steered): (Steer, Place)) -> Option<Rule> {
        let when = self.when(table);
        let pools = table.get("pools")?;
        let arms = self.listed_arms(pools);
        // Weights stand in the table of the service's own pools; a list of other pools has none.
        let inherited = if of_service == Steer::Weighted { Steer::Failover } else { of_service };
        let steer = self.steer(table, inherited);
        self.placed(&arms, steer, table.get("steer").map_or(steered, |node| node.place));
        let geofence = table.bool("geofence").unwrap_or(false);
        Some(Rule { when, arms, steer, geofence, place: self.report().line_of(place) })
    }

    fn when(&mut self, table: &Table) -> When {
        let Some(entry) = table.entry("when") else { return When::default() };
        let Some(when) = entry.node.table() else { return When::default() };
        let found = When {
            subnets: items(when, "subnet").filter_map(|node| node.text()?.parse::<IpNet>().ok()).collect(),
            geo: items(when, "geo").filter_map(|node| node.text()?.parse::<GeoCode>().ok()).collect(),
            asn: items(when, "asn").filter_map(asn).collect(),
        };
        if ["subnet", "geo", "asn"].iter().all(|kind| items(when, kind).next().is_none()) {
            self.reader.report.add(
                Raw::error("E006", "a rule without `when` would be for everybody")
                    .at(entry.node.place, "write `subnet`, `geo` or `asn`")
                    .note("for everybody are the service's own pools, behind all rules"),
            );
        }
        found
    }
}

/// A value or a list of values.
fn items<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = &'t Node> {
    table.get(key).map_or(&[][..], Node::items).iter()
}

fn asn(node: &Node) -> Option<u32> {
    match node.whole() {
        Some(number) => u32::try_from(number).ok(),
        None => node.text()?.parse::<Asn>().ok().map(|asn| asn.0),
    }
}
