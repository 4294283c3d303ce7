//! `probe`: asks an endpoint now, and shows where the time goes.

use super::{
    args::look::ProbeArgs,
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{
        Screen,
        table::{Cell, Table},
    },
    wire::{Page, Probed},
};
use crate::model::EndpointId;

/// Probes and shows. Not up (3) when a probe failed.
pub(super) async fn run(args: &ProbeArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let name = args.endpoint.strip_prefix("endpoint/").or_else(|| args.endpoint.strip_prefix("endpoint:"));
    let id: EndpointId = name
        .unwrap_or(&args.endpoint)
        .parse()
        .map_err(|error| Failure::usage(format!("`{}` names no endpoint: {error}", args.endpoint)))?;
    let reply = client.send(Ask::post(&["v1", "endpoints", id.as_str(), "probe"], None)).await?;
    let results: Page<Probed> = reply.parsed()?;
    screen.show(&reply.body, |paint| Ok(table(&results.items).aligned(paint)), || Ok(table(&results.items)))?;
    if results.items.is_empty() {
        screen.note(&format!("{id} has no check: there is nothing to probe"));
    }
    let failed = results.items.iter().any(|result| !matches!(result.outcome.as_str(), "pass" | "complaint"));
    Ok(if failed { Exit::NotUp } else { Exit::Done })
}

fn table(results: &[Probed]) -> Table {
    let mut table = Table::new(&["CHECK", "ADDRESS", "RESULT", "CONNECT", "TLS", "FIRST BYTE", "TOTAL", "WHY"]);
    for result in results {
        let word = match result.outcome.as_str() {
            "pass" => "up",
            "complaint" => "degraded",
            "fail" => "down",
            _ => "unknown",
        };
        let status = result.status.map(|status| format!("status {status}"));
        let cert = result.cert_left.map(|left| format!("certificate ends in {}", super::times::short(left.0)));
        let why = [result.detail.clone().or_else(|| result.reason.clone()), status, cert];
        let mut why: Vec<String> = why.into_iter().flatten().collect();
        // An unexpected status is the detail too.
        why.dedup();
        table.row([
            result.check.as_str().into(),
            result.address.as_str().into(),
            Cell::state(word),
            time(result.phases.connect_ms).into(),
            time(result.phases.tls_ms).into(),
            time(result.phases.first_byte_ms).into(),
            time(result.phases.total_ms).into(),
            why.join(", ").into(),
        ]);
    }
    table
}

/// `12.3 ms`, or a dash for a part that was not reached.
fn time(ms: Option<f64>) -> String {
    ms.map_or_else(|| "-".into(), |ms| format!("{ms:.1} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::paint::Paint;

    #[test]
    fn phases_stand_in_columns() {
        let results: Page<Probed> = serde_json::from_str(
            r#"{"items":[
              {"endpoint":"a","check":"web","family":"v4","address":"203.0.113.10:443","at":"2026-11-23T10:41:58Z","outcome":"pass",
               "phases":{"connect_ms":1.25,"tls_ms":4.0,"first_byte_ms":10.06,"total_ms":16.5},"status":200,"cert_left":"30d"},
              {"endpoint":"a","check":"web","family":"v6","address":"[2001:db8::10]:443","at":"2026-11-23T10:41:58Z","outcome":"fail",
               "reason":"timeout","detail":"connect timeout","phases":{"total_ms":2000.0}},
              {"endpoint":"a","check":"web","family":"v4","address":"203.0.113.10:443","at":"2026-11-23T10:41:58Z","outcome":"fail",
               "reason":"status","detail":"status 503","phases":{},"status":503}]}"#,
        )
        .unwrap();
        assert_eq!(
            table(&results.items).aligned(Paint(false)),
            "\
CHECK  ADDRESS             RESULT  CONNECT  TLS     FIRST BYTE  TOTAL      WHY
web    203.0.113.10:443    ● up    1.2 ms   4.0 ms  10.1 ms     16.5 ms    status 200, certificate ends in 30d
web    [2001:db8::10]:443  ✖ down  -        -       -           2000.0 ms  connect timeout
web    203.0.113.10:443    ✖ down  -        -       -           -          status 503
"
        );
    }
}
