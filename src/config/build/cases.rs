//! `[[test]]`: situations, questions, and what must come out.

use std::net::IpAddr;

use crate::model::{Case, Selector};

use super::Build;
use crate::config::{
    document::{Node, Table},
    report::Place,
    values::Question,
};

/// What is expected where no endpoint is.
const ENDINGS: [&str; 3] = ["NODATA", "SERVFAIL", "NXDOMAIN"];

impl Build<'_, '_> {
    pub(super) fn cases(&mut self) -> Vec<Case> {
        let items = self.root.get("test").map_or(&[][..], Node::items);
        items.iter().filter_map(|item| self.case(item.place, item.table()?)).collect()
    }

    fn case(&mut self, place: Place, table: &Table) -> Option<Case> {
        for key in ["down", "drain"] {
            self.listed(table, key);
        }
        let expect = table.get("expect").map_or(&[][..], Node::items);
        let expect = expect.iter().filter_map(|item| {
            let text = item.text()?;
            self.expected(text, item.place);
            Some(text.to_owned())
        });
        let expect = expect.collect();
        let selectors = |key: &str| -> Vec<Selector> {
            let items = table.get(key).map_or(&[][..], Node::items);
            items.iter().filter_map(|item| item.text()?.parse().ok()).collect()
        };
        Some(Case {
            name: table.text("name")?.into(),
            down: selectors("down"),
            drain: selectors("drain"),
            question: table.parse::<Question>("query")?.0,
            expect,
            place: self.report().line_of(place),
        })
    }

    fn expected(&mut self, text: &str, place: Place) {
        if ENDINGS.contains(&text) || text.parse::<IpAddr>().is_ok() || self.pools.by_id.contains_key(text) {
            return;
        }
        Self::refer(&self.endpoints, text, place, &mut self.reader.report);
    }
}
