//! `plan`: what a configuration would change, in answers and not in lines.

use std::sync::Arc;

use super::{
    super::{
        args::foresight::PlanArgs,
        client::{Ask, Client},
        ending::{Exit, Failure},
        screen::{Screen, paint::Paint, safe, table::Table},
        status::counted,
    },
    answers, load, test, text,
    wire::{Case, Difference, EndpointSight, Guard, Plan, PoolSight, Record, Sight, Thing},
};
use crate::{
    model::{Family, LastGood, kind},
    steer::{
        compile,
        outlook::{self, PoolSight as Part, SHARE_WHOLE, hypothesis::all_up, run_cases},
    },
};

/// Against a running node: 3 when something would change.
pub(in crate::cli) async fn run(args: &PlanArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let ask = Ask::judge(&["v1", "config", "plan"], text(args.file.as_deref())?);
    let reply = client.send(ask).await.map_err(|failure| match failure.exit {
        Exit::Configuration => failure.hint(
            "a node judges a file sealed: without includes, secrets and variables; `--against` compares two files here",
        ),
        Exit::Done
        | Exit::Failed
        | Exit::Usage
        | Exit::NotUp
        | Exit::NotAllowed
        | Exit::TimedOut
        | Exit::Refused
        | Exit::Unreachable => failure,
    })?;
    let plan: Plan = reply.parsed()?;
    screen.show(&reply.body, |paint| Ok(page(&plan, paint)), || Ok(fields(&plan)))?;
    Ok(ended(&plan))
}

/// Two files, with every endpoint up.
pub(in crate::cli) fn offline(args: &PlanArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let (old, located) = load(args.against.as_deref(), screen)?;
    let (new, locator) = load(args.file.as_deref(), screen)?;
    let table = compile(&Arc::new(all_up(&old.fleet)), None, &LastGood::new()).with_locator(located);
    let then = outlook::Plan::table(&table, &new.fleet).with_locator(Arc::clone(&locator));
    let cases: Vec<Case> = run_cases(&new.fleet, &locator, &new.tests).iter().map(Case::from).collect();
    let restart = old.settings.needs_restart(&new.settings);
    let plan = Plan {
        restart: restart.into_iter().map(str::to_owned).collect(),
        tests_total: cases.len(),
        tests_failed: cases.into_iter().filter(|case| !case.ok).collect(),
        ..Plan::from(&outlook::Plan::between(&table, &then))
    };
    let raw = serde_json::to_string(&plan)
        .map_err(|error| Failure::new(Exit::Failed, format!("the plan is not shown: {error}")))?;
    screen.show(&raw, |paint| Ok(page(&plan, paint)), || Ok(fields(&plan)))?;
    Ok(ended(&plan))
}

fn ended(plan: &Plan) -> Exit {
    if plan.changed || !plan.restart.is_empty() { Exit::NotUp } else { Exit::Done }
}

/// Things, answers, and what stands in the way.
pub(in crate::cli) fn page(plan: &Plan, paint: Paint) -> String {
    let mut text = String::new();
    for thing in &plan.changes {
        let sign = match thing.how.as_str() {
            "added" => "+",
            "removed" => "-",
            _ => "~",
        };
        text.push_str(&format!("{sign} {} {}\n", safe::cell(&thing.kind), safe::cell(&thing.id)));
    }
    for record in &plan.records {
        let (name, kind, how) = (safe::cell(&record.name), safe::cell(&record.kind), safe::cell(&record.how));
        text.push_str(&format!("  {name} {kind} {how}\n"));
    }
    if !plan.answers.is_empty() {
        text.push_str("answers that change:\n");
        text.push_str(&answers(&plan.answers).aligned(paint));
        let more = plan.answers_total.saturating_sub(plan.answers.len());
        if 0 < more {
            text.push_str(&format!("and {more} more\n"));
        }
    }
    for setting in &plan.restart {
        text.push_str(&format!("{} takes effect at the next start\n", safe::cell(setting)));
    }
    if !plan.endpoints_added.is_empty() {
        let new: Vec<String> = plan.endpoints_added.iter().map(|id| safe::cell(id)).collect();
        text.push_str(&format!(
            "new, and taken to work here; they answer after their first probes: {}\n",
            new.join(", ")
        ));
    }
    for case in &plan.tests_failed {
        text.push_str(&test::told(case, paint));
    }
    if 0 < plan.tests_total {
        let failed = plan.tests_failed.len();
        text.push_str(&format!("{}, {failed} failed\n", counted(plan.tests_total, "test")));
    }
    if !plan.changed && plan.restart.is_empty() {
        text.push_str("nothing changes\n");
        return text;
    }
    text.push_str(&format!("{} answered differently\n", counted(plan.names_total, "name")));
    if plan.guard.ok {
        text.push_str("apply: wayshift reload\n");
        return text;
    }
    for exceeded in &plan.guard.exceeded {
        text.push_str(&format!("reload guard: {}\n", safe::cell(exceeded)));
    }
    text.push_str(&format!("apply, having looked at it: wayshift reload --accept {}\n", safe::cell(&plan.plan)));
    text
}

fn fields(plan: &Plan) -> Table {
    answers(&plan.answers)
}

impl From<&outlook::Plan> for Plan {
    fn from(plan: &outlook::Plan) -> Self {
        let names: std::collections::BTreeSet<_> = plan.differences.iter().flat_map(|one| &one.names).collect();
        let ids = |ids: &[crate::model::EndpointId]| ids.iter().map(ToString::to_string).collect();
        let thing = |one: &outlook::ThingChange| Thing {
            how: one.how.word().to_owned(),
            kind: one.kind.to_owned(),
            id: one.id.clone(),
        };
        Self {
            changed: !plan.is_empty(),
            plan: plan.digest.to_string(),
            changes: plan.things.iter().map(thing).collect(),
            answers: plan.differences.iter().map(Difference::from).collect(),
            answers_total: plan.differences.len(),
            names_total: names.len(),
            records: plan.records.iter().map(Record::from).collect(),
            endpoints_added: ids(&plan.endpoints_added),
            endpoints_removed: ids(&plan.endpoints_removed),
            guard: Guard {
                ok: plan.exceeded.is_empty(),
                exceeded: plan.exceeded.iter().map(ToString::to_string).collect(),
            },
            ..Self::default()
        }
    }
}

impl From<&outlook::RecordChange> for Record {
    fn from(change: &outlook::RecordChange) -> Self {
        let how = match (change.before, change.after) {
            (false, _) => "added",
            (true, false) => "removed",
            (true, true) => "changed",
        };
        let kind = match change.kind {
            kind::A => "A".to_owned(),
            kind::AAAA => "AAAA".to_owned(),
            kind::NS => "NS".to_owned(),
            kind::CNAME => "CNAME".to_owned(),
            kind::MX => "MX".to_owned(),
            kind::TXT => "TXT".to_owned(),
            other => format!("TYPE{other}"),
        };
        Self { name: change.name.to_string(), kind, how: how.to_owned() }
    }
}

impl From<&outlook::Difference> for Difference {
    fn from(one: &outlook::Difference) -> Self {
        Self {
            service: one.service.to_string(),
            kind: if one.family == Family::V4 { "A" } else { "AAAA" }.to_owned(),
            names: one.names.iter().map(ToString::to_string).collect(),
            names_total: one.names.len(),
            clients: one.clients.iter().map(ToString::to_string).collect(),
            everyone: one.everyone,
            from: one.from.as_ref().map(Sight::from),
            to: one.to.as_ref().map(Sight::from),
        }
    }
}

impl From<&outlook::Sight> for Sight {
    fn from(sight: &outlook::Sight) -> Self {
        let percent = |share: u32| f64::from(share) * 100.0 / f64::from(SHARE_WHOLE);
        let pool = |pool: &Part| PoolSight {
            pool: pool.pool.to_string(),
            share: percent(pool.share),
            answer: pool.answer.word().to_owned(),
            endpoints: pool
                .endpoints
                .iter()
                .map(|one| EndpointSight {
                    endpoint: one.endpoint.to_string(),
                    answer: one.answered.to_string(),
                    share: percent(one.share),
                })
                .collect(),
        };
        Self {
            text: sight.to_string(),
            basis: sight.basis.word().to_owned(),
            ttl: sight.ttl,
            rule: sight.rule.clone(),
            pools: sight.pools.iter().map(pool).collect(),
        }
    }
}
