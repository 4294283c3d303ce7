//! `[[test]]`: situations, questions, and what must come out.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use crate::model::{Case, CaseQuestion, DnsName, Selector, Whence};

use super::{Build, unknown};
use crate::config::{
    document::{Node, Table},
    report::{Place, Raw},
    shape::closest,
    values::Question,
};

/// What is expected where no endpoint is.
const ENDINGS: [&str; 3] = ["NODATA", "SERVFAIL", "NXDOMAIN"];

impl Build<'_, '_> {
    pub(super) fn cases(&mut self) -> Vec<Case> {
        let items = self.root.get("test").map_or(&[][..], Node::items);
        let apexes: HashSet<DnsName> = self.parts.zones.iter().map(|zone| zone.apex.clone()).collect();
        let mut names: HashMap<&str, Place> = HashMap::new();
        let mut cases = Vec::new();
        for item in items {
            let Some(table) = item.table() else { continue };
            if let Some(node) = table.get("name")
                && let Some(name) = node.text()
                && let Some(first) = names.insert(name, node.place)
            {
                let raw = Raw::error("E011", format!("there are two tests called `{name}`"));
                self.reader.report.add(raw.at(node.place, "again here").at(first, "first here"));
            }
            cases.extend(self.case(item.place, table, &apexes));
        }
        cases
    }

    fn case(&mut self, place: Place, table: &Table, apexes: &HashSet<DnsName>) -> Option<Case> {
        for key in ["down", "drain"] {
            self.listed(table, key);
        }
        let question = table.get("query").and_then(|node| Some((node.place, node.text()?.parse::<Question>().ok()?.0)));
        if let Some((place, question)) = &question {
            self.asked(*place, question, apexes);
        }
        let expected = table.get("expect");
        if let Some(node) = expected.filter(|node| node.items().is_empty()) {
            let raw = Raw::error("E006", "a test expects something").at(node.place, "where nothing is: [\"NODATA\"]");
            self.report().add(raw);
        }
        let mut expect = Vec::new();
        for item in expected.map_or(&[][..], Node::items) {
            let Some(text) = item.text() else { continue };
            self.expected(text, item.place);
            expect.push(text.to_owned());
        }
        let selectors = |key: &str| -> Vec<Selector> {
            let items = table.get(key).map_or(&[][..], Node::items);
            items.iter().filter_map(|item| item.text()?.parse().ok()).collect()
        };
        Some(Case {
            name: table.text("name")?.into(),
            down: selectors("down"),
            drain: selectors("drain"),
            question: question?.1,
            expect,
            place: self.report().line_of(place),
        })
    }

    fn asked(&mut self, place: Place, question: &CaseQuestion, apexes: &HashSet<DnsName>) {
        let name = &question.name;
        if !std::iter::successors(Some(name.clone()), DnsName::parent).any(|at| apexes.contains(&at)) {
            let mut zones: Vec<String> = apexes.iter().map(ToString::to_string).take(10).collect();
            zones.sort_unstable();
            let raw = Raw::error("E019", format!("the name {name} lies in none of the zones")).at(place, "");
            self.report().add(raw.note(format!("zones: {}", zones.join(", "))));
        }
        if let Some(Whence::Region(id)) = &question.from
            && !self.regions.by_id.contains_key(id.as_str())
        {
            let known = self.regions.by_id.keys().map(String::as_str);
            unknown("region", id.as_str(), known, place, &mut self.reader.report);
        }
    }

    fn expected(&mut self, text: &str, place: Place) {
        let known = |text: &str| self.endpoints.by_id.contains_key(text) || self.pools.by_id.contains_key(text);
        if ENDINGS.contains(&text) || text.parse::<IpAddr>().is_ok() || known(text) || self.report().is_full() {
            return;
        }
        let ending = ENDINGS.into_iter().find(|ending| ending.eq_ignore_ascii_case(text));
        let candidates = self.endpoints.by_id.keys().chain(self.pools.by_id.keys()).map(String::as_str).chain(ENDINGS);
        let label = ending.or_else(|| closest(text, candidates)).map(|id| format!("did you mean `{id}`?"));
        self.reader.report.add(
            Raw::error("E012", format!("no endpoint or pool is named `{text}`"))
                .at(place, label.unwrap_or_default())
                .note("beside these, addresses and NODATA, SERVFAIL and NXDOMAIN may be expected"),
        );
    }
}
