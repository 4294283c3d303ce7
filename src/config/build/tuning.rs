//! What a service sets about its answers beside its pools, nearest first: the service, then `[defaults]`.

use std::collections::HashSet;

use crate::model::{Https, Sticky, Tuning};

use super::{Build, seconds, span};
use crate::config::{
    document::{Node, Table, Value},
    report::Raw,
    values::Trickle,
};

impl Build<'_, '_> {
    pub(super) fn tuning(&mut self, table: &Table, ttl: u32) -> Tuning {
        let set = self.defaults.tuning.clone();
        let ttl_min = seconds(table, "ttl_min");
        if let (Some(least), Some(node)) = (ttl_min.filter(|least| *least > ttl), table.get("ttl_min")) {
            let raw = Raw::error("E029", format!("`ttl_min` of {least}s is above the TTL of {ttl}s"));
            self.report().add(raw.at(node.place, "it is what the TTL shrinks to"));
        }
        self.protocols(table);
        let spread = table.section("spread").number("providers").unwrap_or(set.spread);
        Tuning {
            // A service with a shorter TTL than the inherited least one means its own.
            ttl_min: ttl_min.unwrap_or(set.ttl_min).min(ttl),
            ..written(table, Tuning { spread, ..set })
        }
    }
}

impl Build<'_, '_> {
    /// That what all services inherit fits together.
    pub(super) fn inherited(&mut self) {
        let table = self.root.section("defaults");
        let (least, ttl) = (self.defaults.tuning.ttl_min, self.defaults.ttl);
        if let (true, Some(node)) = (least > ttl, table.get("ttl_min")) {
            let raw = Raw::error("E029", format!("`ttl_min` of {least}s is above the TTL of {ttl}s"));
            self.report().add(raw.at(node.place, "it is what the TTL shrinks to"));
        }
    }

    /// No protocol twice.
    fn protocols(&mut self, table: &Table) {
        let mut seen = HashSet::new();
        for item in table.section("https").get("alpn").map_or(&[][..], Node::items) {
            if let Some(text) = item.text()
                && !seen.insert(text)
            {
                let raw = Raw::error("E011", format!("`{text}` stands twice in one list")).at(item.place, "again here");
                self.reader.report.add(raw);
            }
        }
    }
}

/// What `[defaults]` sets for all services.
pub(super) fn defaults(table: &Table) -> Tuning {
    let default = Tuning::default();
    Tuning { ttl_min: seconds(table, "ttl_min").unwrap_or(default.ttl_min), ..written(table, default) }
}

fn written(table: &Table, set: Tuning) -> Tuning {
    let alpn = table.section("https").get("alpn").map_or(&[][..], Node::items);
    let alpn: Box<[String]> = alpn.iter().filter_map(|item| item.text().map(Into::into)).collect();
    Tuning {
        sticky: table.get("sticky").map_or(set.sticky, sticky),
        trickle: table.parse::<Trickle>("trickle").map_or(set.trickle, |share| share.0),
        failback: span(table, "failback").unwrap_or(set.failback),
        ramp: span(table, "ramp").unwrap_or(set.ramp),
        https: (!alpn.is_empty()).then_some(Https { alpn }),
        ..set
    }
}

/// `true` and a table switch it on.
fn sticky(node: &Node) -> Option<Sticky> {
    let default = Sticky::default();
    match &node.value {
        Value::Bool(true) => Some(default),
        Value::Table(table) => {
            Some(Sticky { v4: table.number("v4").unwrap_or(default.v4), v6: table.number("v6").unwrap_or(default.v6) })
        }
        Value::Bool(false) | Value::Text(_) | Value::Whole(_) | Value::Float(_) | Value::Time(_) | Value::List(_) => {
            None
        }
    }
}
