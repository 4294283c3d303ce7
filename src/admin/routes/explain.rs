//! Why a name gets its answer.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;

use crate::{
    admin::{
        ask::Asked,
        auth::Viewer,
        problem::Problem,
        record, refusal,
        tell::Told,
        views::{ExplainView, Past},
    },
    clock::Clock,
    model::{DnsName, GeoCode, LastGood, Wall, Whence},
    steer::{
        AnswerTable, Client, Draw, Live, compile,
        outlook::hypothesis::{Was, earlier},
    },
    store::journal::{Journal, TRANSITIONS_MAX, TransitionFilter},
};

/// Longest name in presentation form: every octet escaped.
const NAME_TEXT_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    client: Option<String>,
    geo: Option<String>,
    at: Option<String>,
}

/// One possible answer and how it came about. Where chance decides, each call draws anew, as each query does.
pub(super) async fn explain(
    _: Viewer,
    Asked(question): Asked<Question>,
    State(live): State<Live>,
    State(journal): State<Arc<Journal>>,
) -> Result<Told<ExplainView>, Problem> {
    let whence = whence(&question)?;
    if NAME_TEXT_MAX < question.name.len() {
        return Err(Problem::bad("name", "a name has at most 255 octets"));
    }
    let name: DnsName = question.name.parse().map_err(|error| Problem::bad("name", format!("{error}")))?;
    let asked = question.kind.as_deref().unwrap_or("A");
    let kind = record::kind_of(asked)
        .ok_or_else(|| Problem::bad("type", format!("`{asked:.20}` is no record type; A, AAAA or TYPE65 is")))?;
    let now = live.load();
    let (table, past) = match &question.at {
        None => (now, None),
        Some(at) => {
            let (table, past) = back(&now, at, &journal).await?;
            (table, Some(past))
        }
    };
    let fleet = &table.snapshot().fleet;
    let mut client = match &whence {
        Some(whence) => Client::from_whence(whence, table.locator(), fleet),
        None => Client::nobody(),
    };
    let draw = Draw { word: fastrand::u64(..), turn: fastrand::u32(..), now: table.snapshot().at.mono };
    let trace = table.explain(&name, kind, &mut client, draw);
    let fixed = record::fixed(&table, &name, kind);
    let mut view = ExplainView::of(&trace, fixed, &table.snapshot().overrides);
    if let Some(past) = past {
        view.looks_back(past);
    }
    if let (Some(whence), Some(steering)) = (&whence, &trace.steering) {
        view.add_client(whence, &steering.client);
    }
    Ok(Told::of(view))
}

/// Who asks, as far as it is told.
fn whence(question: &Question) -> Result<Option<Whence>, Problem> {
    match (&question.client, &question.geo) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::bad("geo", "`client` and `geo` exclude each other")),
        (Some(client), None) => match client.parse() {
            Ok(whence @ (Whence::Address(_) | Whence::Net(_))) => Ok(Some(whence)),
            Ok(Whence::Geo(_) | Whence::Region(_) | Whence::Asn(_)) | Err(_) => {
                Err(Problem::bad("client", "a client is an address or a network: 192.0.2.1, 2001:db8::/56"))
            }
        },
        (None, Some(geo)) => {
            let geo = geo.parse::<GeoCode>().map_err(|error| Problem::bad("geo", error.to_string()))?;
            Ok(Some(Whence::Geo(geo)))
        }
    }
}

/// The answers as they were at a time, from the transitions recorded since, and how many those are.
async fn back(now: &AnswerTable, at: &str, journal: &Journal) -> Result<(Arc<AnswerTable>, Past), Problem> {
    let at: Wall = at.parse().map_err(|error: crate::model::WallError| Problem::bad("at", error.to_string()))?;
    if now.snapshot().at.wall < at && Clock::wall() < at {
        return Err(Problem::bad("at", "this time is still to come").hint("`wayshift simulate` looks ahead"));
    }
    let filter = TransitionFilter { since: Some(at), limit: TRANSITIONS_MAX, ..TransitionFilter::default() };
    let transitions = journal.transitions(filter).await.map_err(|error| refusal::of_store(&error))?;
    if TRANSITIONS_MAX <= transitions.len() {
        return Err(Problem::bad("at", format!("more than {TRANSITIONS_MAX} transitions happened since")));
    }
    let was: Vec<Was> = transitions
        .into_iter()
        .map(|one| Was {
            endpoint: one.endpoint,
            check: one.subject.map(|subject| subject.check),
            family: one.family,
            health: one.from,
        })
        .collect();
    let snapshot = Arc::new(earlier(now.snapshot(), at, &was));
    let table = compile(&snapshot, Some(now), &LastGood::new());
    Ok((Arc::new(table), Past { at, transitions: was.len() }))
}
