//! `[verdict]` and `[safety]`.

use crate::model::{
    Alone, FlapHold, KeepRule, Lives, OwnView, PanicBelow, Quorum, ReloadGuard, RemovalBudget, Safety, Span, Startup,
    VerdictPolicy,
};

use super::{Build, span, word_of};
use crate::config::{
    document::{Node, Table, Value},
    report::Raw,
    values::{Percent, anchor_of},
};

impl Build<'_, '_> {
    /// That the hold can begin and grow.
    pub(super) fn flap(&mut self) {
        let Some(flap) = self.parts.verdict.flap.filter(|flap| flap.hold > flap.max) else { return };
        if let Some(node) = self.root.section("verdict").get("flap") {
            let message = format!("the hold of {} is above its `max` of {}", Span(flap.hold), Span(flap.max));
            self.report().add(Raw::error("E029", message).at(node.place, "it grows from `hold` to `max`"));
        }
    }
}

pub(super) fn verdict(table: &Table) -> VerdictPolicy {
    let default = VerdictPolicy::default();
    let quorum = match table.text("quorum") {
        Some("any") => Quorum::Any,
        Some("all") => Quorum::All,
        Some(_) => Quorum::Majority,
        None => table.number("quorum").map_or(default.quorum, Quorum::Count),
    };
    VerdictPolicy {
        quorum,
        min_vantages: table.number("min_vantages").unwrap_or(default.min_vantages),
        stale_after: span(table, "stale_after").unwrap_or(default.stale_after),
        startup: match table.text("startup") {
            Some("unknown") => Startup::Unknown,
            _ => default.startup,
        },
        flap: table.get("flap").map_or(default.flap, flap_of),
        alone: table.text("alone").and_then(|word| word_of(Alone::WORDS, word)).unwrap_or(default.alone),
        anchors: table
            .get("anchors")
            .map_or(&[][..], Node::items)
            .iter()
            .filter_map(|item| anchor_of(item.text()?).ok())
            .collect(),
        own_view: table.text("own_view").and_then(|word| word_of(OwnView::WORDS, word)).unwrap_or(default.own_view),
        vantages_per_endpoint: table.number("vantages_per_endpoint").unwrap_or(default.vantages_per_endpoint),
    }
}

pub(super) fn safety(table: &Table) -> Safety {
    let default = Safety::default();
    let lives = table.section("override_for");
    let life = |key: &str, default| span(lives, key).unwrap_or(default);
    let (budget, guard) = (table.section("removal_budget"), table.section("reload_guard"));
    let rules = table.get("rules").map_or(&[][..], Node::items).iter().filter_map(|item| {
        let rule = item.table()?;
        let of = rule.get("of")?.items().iter().filter_map(|item| item.text()?.parse().ok());
        Some(KeepRule { name: rule.text("name")?.into(), keep: rule.number("keep")?, of: of.collect() })
    });
    Safety {
        panic_below: table.parse::<Percent>("panic_below").map_or(PanicBelow::Auto, |share| PanicBelow::Share(share.0)),
        lives: Lives {
            drain: life("drain", default.lives.drain),
            down: life("down", default.lives.down),
            weight: life("weight", default.lives.weight),
            pin: life("pin", default.lives.pin),
            up: life("up", default.lives.up),
            freeze: life("freeze", default.lives.freeze),
        },
        override_max: span(table, "override_max").unwrap_or(default.override_max),
        require_reason: table.bool("require_reason").unwrap_or(default.require_reason),
        rules: rules.collect(),
        removal_budget: RemovalBudget {
            share: percent(budget, "share", default.removal_budget.share),
            per: span(budget, "per").unwrap_or(default.removal_budget.per),
            at_least: budget.number("at_least").unwrap_or(default.removal_budget.at_least),
            confirm: span(budget, "confirm").unwrap_or(default.removal_budget.confirm),
        },
        max_drained: percent(table, "max_drained", default.max_drained),
        reload_guard: ReloadGuard {
            removed: percent(guard, "removed", default.reload_guard.removed),
            answers: percent(guard, "answers", default.reload_guard.answers),
            at_least: guard.number("at_least").unwrap_or(default.reload_guard.at_least),
        },
    }
}

fn percent(table: &Table, key: &str, default: u8) -> u8 {
    table.parse::<Percent>(key).map_or(default, |share| share.0)
}

/// On unless it is switched off; a table changes what it holds.
fn flap_of(node: &Node) -> Option<FlapHold> {
    let default = FlapHold::default();
    let Some(table) = node.table() else {
        return (!matches!(node.value, Value::Bool(false))).then_some(default);
    };
    Some(FlapHold {
        changes: table.number("changes").unwrap_or(default.changes),
        within: span(table, "within").unwrap_or(default.within),
        hold: span(table, "hold").unwrap_or(default.hold),
        max: span(table, "max").unwrap_or(default.max),
    })
}
