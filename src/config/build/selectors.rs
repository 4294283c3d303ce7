//! Selectors in safety rules and token scopes: one that names a single thing must name one that exists, because a slip
//! there locks people out or blocks every override. And listeners, none twice.

use std::collections::{HashMap, HashSet};

use crate::model::{Glob, Selector};

use super::{Build, unknown};
use crate::config::{
    document::{Node, Table},
    report::{Place, Raw},
};

impl Build<'_, '_> {
    pub(super) fn selectors(&mut self) {
        let root = self.root;
        for rule in root.section("safety").get("rules").map_or(&[][..], Node::items).iter().filter_map(Node::table) {
            self.listed(rule, "of");
            let groups = rule.get("of").map_or(0, |node| node.items().len());
            if let (Some(keep), Some(node)) = (rule.number::<usize>("keep"), rule.get("keep"))
                && keep > groups
            {
                let message = format!("of {groups} groups {keep} can never be kept");
                self.report().add(Raw::error("E029", message).at(node.place, "every override would be refused"));
            }
        }
        for token in root.section("admin").get("token").map_or(&[][..], Node::items).iter().filter_map(Node::table) {
            self.listed(token, "scope");
        }
    }

    pub(super) fn listed(&mut self, table: &Table, key: &str) {
        for item in table.get(key).map_or(&[][..], Node::items) {
            if let Some(selector) = item.text().and_then(|text| text.parse().ok()) {
                self.exists(&selector, item.place);
            }
        }
    }

    fn exists(&mut self, selector: &Selector, place: Place) {
        let services = self.root.section("service");
        match selector {
            Selector::Provider(glob) => exact(glob, &self.providers.by_id, "provider", place, &mut self.reader.report),
            Selector::Region(glob) => exact(glob, &self.regions.by_id, "region", place, &mut self.reader.report),
            Selector::Pool(glob) => exact(glob, &self.pools.by_id, "pool", place, &mut self.reader.report),
            Selector::Service(glob) if glob.is_exact() && services.entry(glob.as_str()).is_none() => {
                let known = services.entries.iter().map(|entry| entry.key.as_str());
                unknown("service", glob.as_str(), known, place, &mut self.reader.report);
            }
            Selector::Endpoint(glob) => {
                let alias =
                    self.parts.endpoints.iter().any(|endpoint| endpoint.alias.as_deref() == Some(glob.as_str()));
                if !alias {
                    exact(glob, &self.endpoints.by_id, "endpoint", place, &mut self.reader.report);
                }
            }
            Selector::Service(_) | Selector::Label(..) | Selector::All => {}
        }
    }

    /// One address cannot be bound twice.
    pub(super) fn listeners(&mut self) {
        for section in ["dns", "admin"] {
            let mut seen: HashSet<&str> = HashSet::new();
            for item in self.root.section(section).get("listen").map_or(&[][..], Node::items) {
                if let Some(text) = item.text()
                    && !seen.insert(text)
                {
                    let raw = Raw::error("E011", format!("`{text}` is listened on twice")).at(item.place, "again here");
                    self.reader.report.add(raw);
                }
            }
        }
    }
}

fn exact<Ix>(
    glob: &Glob,
    known: &HashMap<String, Ix>,
    kind: &str,
    place: Place,
    report: &mut crate::config::report::Report,
) {
    if glob.is_exact() && !known.contains_key(glob.as_str()) {
        unknown(kind, glob.as_str(), known.keys().map(String::as_str), place, report);
    }
}
