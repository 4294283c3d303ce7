//! Why a name gets its answer.

use std::net::IpAddr;

use axum::extract::State;
use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    admin::{ask::Asked, auth::Viewer, problem::Problem, record, tell::Told, views::ExplainView},
    model::DnsName,
    steer::{Client, Draw, Live},
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
) -> Result<Told<ExplainView>, Problem> {
    for (name, given) in [("geo", question.geo.is_some()), ("at", question.at.is_some())] {
        if given {
            return Err(Problem::bad(name, format!("`{name}` is not in this version")));
        }
    }
    if let Some(client) = &question.client
        && client.parse::<IpAddr>().is_err()
        && client.parse::<IpNet>().is_err()
    {
        return Err(Problem::bad("client", "a client is an address or a network: 192.0.2.1, 2001:db8::/56"));
    }
    if NAME_TEXT_MAX < question.name.len() {
        return Err(Problem::bad("name", "a name has at most 255 octets"));
    }
    let name: DnsName = question.name.parse().map_err(|error| Problem::bad("name", format!("{error}")))?;
    let asked = question.kind.as_deref().unwrap_or("A");
    let kind = record::kind_of(asked)
        .ok_or_else(|| Problem::bad("type", format!("`{asked:.20}` is no record type; A, AAAA or TYPE65 is")))?;
    let table = live.load();
    let draw = Draw { word: fastrand::u64(..), turn: fastrand::u32(..), now: table.snapshot().at.mono };
    let trace = table.explain(&name, kind, &mut Client::nobody(), draw);
    let fixed = record::fixed(&table, &name, kind);
    Ok(Told::of(ExplainView::of(&trace, fixed, &table.snapshot().overrides)))
}
