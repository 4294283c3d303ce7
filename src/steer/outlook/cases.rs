//! A configuration's own tests (`[[test]]`): a situation that is not, a question, and whether what comes out is what was
//! expected.

use std::{net::IpAddr, sync::Arc};

use super::{
    hypothesis::{all_up, failing, under},
    sight,
    sight::Sight,
    viewpoint::Viewpoint,
};
use crate::{
    model::{
        Action, Case, DnsName, Family, Fleet, LastGood, Override, OverrideId, Selector, Sets, Snapshot, Wall, kind,
    },
    steer::{AnswerTable, Client, Draw, Locator, Lookup, compile, decide::Basis},
};

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: String,
    /// What came out in words: `eu gcp-euw`, `NXDOMAIN`.
    pub came: String,
    /// What is wrong, a line each: what was expected, what came, and why. Empty: it holds.
    pub wrong: Vec<String>,
}

/// Runs cases against a fleet in which everything works but for what each case takes away.
#[must_use]
pub fn run_cases(fleet: &Arc<Fleet>, locator: &Arc<Locator>, cases: &[Case]) -> Vec<CaseOutcome> {
    let sound = all_up(fleet);
    let table = compile(&Arc::new(sound.clone()), None, &LastGood::new()).with_locator(Arc::clone(locator));
    cases.iter().map(|case| run(case, &sound, &table)).collect()
}

fn run(case: &Case, sound: &Snapshot, table: &AnswerTable) -> CaseOutcome {
    let drains = case.drain.iter().zip(1..).map(|(target, nth)| drain(target, nth));
    let snapshot = under(&failing(sound, &case.down), drains.collect());
    // What was answered while all was well is known, as it would be to a node.
    let then = compile(&Arc::new(snapshot), Some(table), &LastGood::new());
    let came = Came::of(&then, case);
    let mut wrong = came.against(&case.expect);
    if !wrong.is_empty() {
        wrong.push(format!("expected {}, and came {}", case.expect.join(", "), came.words));
        wrong.extend(why(&then, case));
    }
    CaseOutcome { name: case.name.clone(), place: case.place.clone(), came: came.words, wrong }
}

/// What a question comes to.
struct Came {
    words: String,
    /// A word where nothing is answered: `NODATA`, `SERVFAIL`, `NXDOMAIN`.
    ending: Option<&'static str>,
    /// What may be answered, each under every word it may be expected by.
    answers: Vec<Vec<String>>,
}

impl Came {
    fn of(table: &AnswerTable, case: &Case) -> Self {
        let (name, asked) = (&case.question.name, case.question.kind);
        match table.lookup(name.wire(), asked) {
            Lookup::Found { steering: Some(steering), sets, .. } => match family_of(asked) {
                Some(family) => {
                    let from = case.question.from.clone().map_or(Viewpoint::Anyone, Viewpoint::From);
                    Self::steered(sight(table, steering.service_ix(), family, &from))
                }
                None => Self::fixed(sets, asked),
            },
            Lookup::Found { sets, .. } => Self::fixed(sets, asked),
            Lookup::NoName { .. } => Self::nothing("NXDOMAIN"),
            Lookup::NotOurs => Self::nothing("REFUSED"),
            Lookup::Referral { .. } | Lookup::Dname { .. } => Self::nothing("REFERRAL"),
        }
    }

    fn nothing(ending: &'static str) -> Self {
        Self { words: ending.to_owned(), ending: Some(ending), answers: Vec::new() }
    }

    fn steered(sight: Option<Sight>) -> Self {
        let Some(sight) = sight else { return Self::nothing("NODATA") };
        if sight.pools.is_empty() {
            return Self::nothing(if sight.basis == Basis::Servfail { "SERVFAIL" } else { "NODATA" });
        }
        let words = sight.to_string();
        // What never comes out of a draw is not answered.
        let drawn = sight.pools.iter().filter(|pool| 0 < pool.share);
        let members = drawn.flat_map(|pool| pool.endpoints.iter().map(move |one| (&pool.pool, one)));
        let drawn = members.filter(|(_, one)| 0 < one.share);
        let known = |(pool, one): (&crate::model::PoolId, &super::EndpointSight)| {
            vec![one.endpoint.to_string(), pool.to_string(), one.answered.to_string()]
        };
        Self { words, ending: None, answers: drawn.map(known).collect() }
    }

    fn fixed(sets: Sets<'_>, asked: u16) -> Self {
        let rdata = sets.find(asked).into_iter().flat_map(|set| set.rdata());
        let answers: Vec<Vec<String>> = rdata.map(|rdata| vec![shown(rdata)]).collect();
        if answers.is_empty() {
            return Self::nothing("NODATA");
        }
        Self { words: answers.concat().join(", "), ending: None, answers }
    }

    /// What of it is not as expected.
    fn against(&self, expect: &[String]) -> Vec<String> {
        if let Some(ending) = self.ending {
            let missed = expect.iter().filter(|one| *one != ending);
            return missed.map(|one| format!("{one} is expected and not answered")).collect();
        }
        let means = |one: &String, answer: &[String]| {
            let address = one.parse::<IpAddr>().ok();
            answer.iter().any(|word| word == one || (address.is_some() && word.parse().ok() == address))
        };
        let missed = expect.iter().filter(|one| !self.answers.iter().any(|answer| means(one, answer)));
        let missed = missed.map(|one| format!("{one} is expected and not answered"));
        let extra = self.answers.iter().filter(|answer| !expect.iter().any(|one| means(one, answer)));
        missed.chain(extra.map(|answer| format!("{} is answered and not expected", answer[0]))).collect()
    }
}

/// Each pool and what became of it, as an explanation has it.
fn why(table: &AnswerTable, case: &Case) -> Option<String> {
    let snapshot = table.snapshot();
    let from = case.question.from.clone().map_or(Viewpoint::Anyone, Viewpoint::From);
    let mut client = from.client(table.locator(), &snapshot.fleet);
    let draw = Draw { now: snapshot.at.mono, ..Draw::default() };
    explained(table, &case.question.name, case.question.kind, &mut client, draw)
}

fn explained(table: &AnswerTable, name: &DnsName, asked: u16, client: &mut Client<'_>, draw: Draw) -> Option<String> {
    let steering = table.explain(name, asked, client, draw).steering?;
    let pools = steering.pools.iter().map(|pool| {
        let members = pool.members.iter().map(|member| {
            let health = member.health.map_or("no address", |health| health.word());
            let order = member.order.as_ref().map(|(order, _)| format!(" {order}")).unwrap_or_default();
            format!("{} {health}{order}", member.endpoint)
        });
        format!("pool {} {} ({})", pool.pool, pool.state.word(), members.collect::<Vec<_>>().join(", "))
    });
    Some(format!("service {} ({}): {}", steering.service, steering.steer, pools.collect::<Vec<_>>().join("; ")))
}

fn family_of(asked: u16) -> Option<Family> {
    match asked {
        kind::A => Some(Family::V4),
        kind::AAAA => Some(Family::V6),
        _ => None,
    }
}

fn shown(rdata: &[u8]) -> String {
    let v4 = <[u8; 4]>::try_from(rdata).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(rdata).map(IpAddr::from));
    address.map_or_else(|_| format!("{} octets", rdata.len()), |address| address.to_string())
}

fn drain(target: &Selector, nth: u64) -> Override {
    Override {
        id: OverrideId::new(ulid::Ulid::from_parts(nth, 0)),
        action: Action::Drain,
        target: target.clone(),
        reason: String::new(),
        author: String::new(),
        created: Wall::default(),
        from: Wall::default(),
        expires: Wall(u64::MAX),
        forced: false,
        over: None,
        local: false,
        generation: 0,
    }
}
