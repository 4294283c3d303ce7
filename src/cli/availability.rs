//! `availability`: what was measured, what a model says, and what a change would buy.

mod wire;

use super::{
    args::look::AvailabilityArgs,
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{
        Screen,
        paint::{Paint, Tone},
        safe,
        table::{Cell, Table},
    },
    times,
};
use wire::{Availability, Measured, Modelled};

/// Said where the node says so; it knows the bound.
const TOO_SHORT: &str =
    "this is too short to say anything of a year: what is down here is no rate, and the models assume";
/// Rows of pools and endpoints that are shown: those that were down.
const WORST_SHOWN_MAX: usize = 20;

/// Asks and shows.
pub(super) async fn run(args: &AvailabilityArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let reply = client.send(Ask::get(&["v1", "availability"]).with("window", args.window.to_string())).await?;
    let seen: Availability = reply.parsed()?;
    screen.show(&reply.body, |paint| Ok(page(&seen, paint)), || Ok(measured(&seen)))?;
    Ok(Exit::Done)
}

/// The page for people.
fn page(seen: &Availability, paint: Paint) -> String {
    let mut text = String::new();
    let of = |at: Option<crate::model::Wall>| at.map(|at| at.to_string()).unwrap_or_default();
    let span = seen.measured.map(|span| format!(" ({})", times::short(span.0))).unwrap_or_default();
    let lead = format!("measured from {} to {}{span}; ordered down counts as up", of(seen.from), of(seen.to));
    text.push_str(&paint.tone(Tone::Faint, &safe::line(&lead)));
    text.push('\n');
    if seen.too_short {
        text.push_str(&paint.tone(Tone::Warn, TOO_SHORT));
        text.push('\n');
    }
    text.push_str(&measured(seen).aligned(paint));
    for service in &seen.services {
        let Some(model) = &service.model else { continue };
        text.push('\n');
        text.push_str(&modelled(&service.measured.id, model, seen.too_short, paint));
    }
    text
}

/// Services and providers; of pools and endpoints those that were down.
fn measured(seen: &Availability) -> Table {
    let mut table = Table::new(&["KIND", "ID", "AVAILABLE", "DOWN", "OUTAGES", "REPAIR", "ENDPOINTS"]);
    let mut add = |kind: &str, one: &Measured| {
        table.row([
            kind.into(),
            one.id.as_str().into(),
            percent(one.availability).into(),
            times::short(one.down.0).into(),
            one.outages.to_string().into(),
            one.repair.map(|repair| times::short(repair.0)).unwrap_or_default().into(),
            one.endpoints_mean.map(percent).map_or_else(Cell::default, Cell::from),
        ]);
    };
    seen.services.iter().for_each(|service| add("service", &service.measured));
    seen.providers.iter().for_each(|one| add("provider", one));
    let failed = |list: &'_ [Measured]| -> Vec<Measured> {
        list.iter().filter(|one| 0 < one.outages).take(WORST_SHOWN_MAX).cloned().collect()
    };
    failed(&seen.pools).iter().for_each(|one| add("pool", one));
    failed(&seen.endpoints).iter().for_each(|one| add("endpoint", one));
    table
}

/// One service's model.
fn modelled(id: &str, model: &Modelled, too_short: bool, paint: Paint) -> String {
    let assumed = match (model.assumed, too_short) {
        (false, _) => "",
        (true, false) => " (no outage of one was measured: 99.9 % and 1 h taken for each)",
        (true, true) => " (measured for too short a time: 99.9 % and 1 h taken for each)",
    };
    let mut text = format!(
        "{}: modelled {} a year over {} region{}{}\n",
        safe::cell(id),
        percent(model.availability),
        model.regions,
        if model.regions == 1 { "" } else { "s" },
        assumed,
    );
    let mean = times::short(model.failover_mean.0 + std::time::Duration::from_millis(500));
    // To the millisecond: its arithmetic stands below it.
    text.push_str(&format!("  failover   mean {mean}, worst {}\n", model.failover_worst));
    text.push_str(&format!("             {}\n", safe::line(&model.arithmetic)));
    text.push_str(&format!(
        "  lost       {:.1} min/year while failing over ({:.1} times), {:.1} min/year with all regions out\n",
        model.failing_over_minutes, model.failovers, model.all_out_minutes
    ));
    text.push_str(&format!(
        "  tail       {:.0} % of requests still go to the old address when the TTL has passed\n",
        model.still_old_after_ttl * 100.0
    ));
    text.push_str(&format!("  by mistake {:.2} failovers/year\n", model.false_failovers));
    for what in &model.what_if {
        let (word, minutes) =
            if what.saves_minutes < 0.0 { ("costs", -what.saves_minutes) } else { ("saves", what.saves_minutes) };
        let line = format!(
            "  with {}: {} ({word} {minutes:.1} min/year, {:.2} by mistake)",
            safe::line(&what.change),
            percent(what.availability),
            what.false_failovers
        );
        text.push_str(&paint.tone(Tone::Faint, &line));
        text.push('\n');
    }
    text
}

/// `99.9982 %`: as many digits as tell it from one hundred, at most six.
fn percent(share: f64) -> String {
    let lost = (1.0 - share).max(0.0);
    let digits = (2..=6).find(|digits| 10_f64.powi(-digits) <= lost * 100.0 * 1.000_001).unwrap_or(2);
    let digits = usize::try_from(digits).unwrap_or(2);
    format!("{:.digits$} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_and_modelled_stand_side_by_side() {
        let body = r#"{"window":"30d","from":"2026-10-24T00:00:00Z","to":"2026-11-23T00:00:00Z",
          "services":[{"id":"www","availability":0.99995,"down":"2m10s","outages":1,"repair":"2m10s","endpoints_mean":0.999,
            "model":{"regions":2,"assumed":false,"availability":0.99998,"decision_mean":"15s","decision_worst":"23s",
              "failover_mean":"30s","failover_worst":"53s","arithmetic":"10s interval + 3 x 2s timeout + 2 x 3s recheck + 1s = 23s; 30s TTL: 53s",
              "still_old_after_ttl":0.14,"failovers":17.5,"all_out_minutes":5.8,"failing_over_minutes":9.3,"false_failovers":0.01,
              "what_if":[{"change":"half the TTL","availability":0.99999,"saves_minutes":1.25,"false_failovers":0.01}]}}],
          "providers":[{"id":"aws","availability":1.0,"down":"0s","outages":0}],
          "pools":[{"id":"eu","availability":1.0,"down":"0s","outages":0}],
          "endpoints":[{"id":"aws-euw","availability":0.998,"down":"1h26m","outages":2,"repair":"43m"}],
          "assumptions":{"common_cause":0.01,"probe_error":0.001,"dns":0.99999999}}"#;
        let seen: Availability = serde_json::from_str(body).unwrap();
        let text = page(&seen, Paint(false));
        let expected = "\
measured from 2026-10-24T00:00:00.000Z to 2026-11-23T00:00:00.000Z; ordered down counts as up
KIND      ID       AVAILABLE  DOWN   OUTAGES  REPAIR  ENDPOINTS
service   www      99.995 %   2m10s  1        2m10s   99.90 %
provider  aws      100.00 %   0s     0
endpoint  aws-euw  99.80 %    1h26m  2        43m

www: modelled 99.998 % a year over 2 regions
  failover   mean 30s, worst 53s
             10s interval + 3 x 2s timeout + 2 x 3s recheck + 1s = 23s; 30s TTL: 53s
  lost       9.3 min/year while failing over (17.5 times), 5.8 min/year with all regions out
  tail       14 % of requests still go to the old address when the TTL has passed
  by mistake 0.01 failovers/year
  with half the TTL: 99.999 % (saves 1.2 min/year, 0.01 by mistake)
";
        assert_eq!(text, expected);
        let mut short = seen;
        (short.too_short, short.measured) = (true, "6m".parse().ok());
        let model = short.services[0].model.as_mut().unwrap();
        (model.assumed, model.failover_worst) = (true, "53s250ms".parse().unwrap());
        let text = page(&short, Paint(false));
        for words in [
            "2026-11-23T00:00:00.000Z (6m); ordered",
            "this is too short to say anything of a year",
            "(measured for too short a time: 99.9 % and 1 h taken for each)",
            "worst 53s250ms",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}
