//! `status`: what is up, what answers, what is overridden.

mod things;

use super::{
    args::look::StatusArgs,
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{
        Screen,
        paint::{Paint, Tone, marked, symbol, tone},
        safe,
        table::{Cell, Table},
    },
    sse::Events,
    times,
    wire::{Answer, Arm, Endpoint, Override, Service, Status},
};
use crate::{clock::Clock, model::Wall};

/// Most endpoints that are named in one line; the rest is counted.
const NAMED_MAX: usize = 6;

/// Shows it once, or again at each change.
pub(super) async fn run(args: &StatusArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let wanted = args.things.iter().map(|text| things::Thing::parse(text)).collect::<Result<Vec<_>, _>>()?;
    if !args.watch {
        return show(args, &wanted, client, screen).await;
    }
    let mut shown_before = false;
    loop {
        match turn(args, &wanted, client, screen).await {
            Ok(()) => shown_before = true,
            // A node that restarts comes back; one that never answered is no node to watch.
            Err(failure) if shown_before && !failure.what.is_empty() => screen.say(&failure.to_string()),
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(WATCH_PACE).await;
    }
}

/// A burst of changes is shown once: the page is drawn at most this often.
const WATCH_PACE: std::time::Duration = std::time::Duration::from_millis(250);

/// Shows it and waits for the next event. The stream is opened first, so that no change falls between the two.
async fn turn(
    args: &StatusArgs,
    wanted: &[things::Thing],
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut stream = client.stream(&Ask::get(&["v1", "events", "stream"]), None).await?;
    if screen.terminal {
        screen.data("\u{1b}[H\u{1b}[2J")?;
    }
    show(args, wanted, client, screen).await?;
    let mut events = Events::default();
    while let Some(piece) = Client::piece(&mut stream).await {
        if !events.take(&piece).is_empty() {
            break;
        }
    }
    Ok(())
}

async fn show(
    args: &StatusArgs,
    wanted: &[things::Thing],
    client: &Client,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let all_up = if wanted.is_empty() {
        let reply = client.send(Ask::get(&["v1", "status"])).await?;
        let status: Status = reply.parsed()?;
        let now = Clock::wall();
        screen.show(&reply.body, |paint| Ok(page(&status, now, paint)), || Ok(fields(&status)))?;
        if let Some(service) = status.services.first() {
            let down = status.services.iter().find(|service| service.verdict != "up").unwrap_or(service);
            screen.note(&format!("hint: wayshift status service/{} says more, wayshift explain <name> why", down.id));
        }
        status.counts.services.up == status.counts.services.total
    } else {
        things::show(wanted, client, screen).await?
    };
    Ok(if args.exit_code && !all_up { Exit::NotUp } else { Exit::Done })
}

/// The page for people.
fn page(status: &Status, now: Wall, paint: Paint) -> String {
    let mut text = String::new();
    for banner in &status.banners {
        text.push_str(&paint.tone(Tone::Bad, &format!("! {}", safe::line(banner))));
        text.push('\n');
    }
    let ids = status.services.iter().map(|service| safe::cell(&service.id).chars().count());
    let lead = ids.max().unwrap_or(0).max("overrides".len()) + 2;
    let words = status.services.iter().map(|service| marked(&service.verdict).chars().count());
    let states = words.max().unwrap_or(0);
    let pools: Vec<String> = status.services.iter().map(|service| arms(&service.pools)).collect();
    let pools_width = pools.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(POOLS_WIDTH_MAX);
    let mut told: Vec<&str> = Vec::new();
    for (service, pools) in status.services.iter().zip(&pools) {
        let state = marked(&service.verdict);
        let gap = " ".repeat(states - state.chars().count());
        let state = paint.tone(tone(&service.verdict), &state);
        let answers = answering(service);
        let line = format!("{:<lead$}{state}{gap}  {pools:<pools_width$}  {answers}", safe::cell(&service.id));
        text.push_str(line.trim_end());
        text.push('\n');
        for endpoint in &status.troubles {
            let pool = service.pools.iter().find(|arm| endpoint.pools.contains(&arm.pool));
            if let Some(arm) = pool.filter(|_| !told.contains(&endpoint.id.as_str())) {
                told.push(&endpoint.id);
                let name = format!("{}/{}", arm.pool, endpoint.id);
                text.push_str(&trouble(&name, endpoint, lead, now, paint));
            }
        }
    }
    for endpoint in status.troubles.iter().filter(|endpoint| !told.contains(&endpoint.id.as_str())) {
        text.push_str(&trouble(&endpoint.id, endpoint, lead, now, paint));
    }
    for (position, order) in status.overrides.iter().enumerate() {
        let head = if position == 0 { "overrides" } else { "" };
        text.push_str(&format!("{head:<lead$}{}\n", order_line(order, now)));
    }
    text.push_str(&summary(status));
    text
}

/// Wider pool columns do not push the answers of the other services aside.
const POOLS_WIDTH_MAX: usize = 60;

/// `eu 3/3  us 1/2 ▲  sorry 1/1 (last resort)`.
fn arms(arms: &[Arm]) -> String {
    let sum: u32 = arms.iter().filter_map(|arm| arm.weight.map(u32::from)).sum();
    let each = arms.iter().map(|arm| {
        let mark = match (arm.up, arm.of) {
            (up, of) if up == of => String::new(),
            (0, _) => format!(" {}", symbol("down")),
            _ => format!(" {}", symbol("degraded")),
        };
        let share = match arm.weight {
            Some(weight) if sum > 0 => format!(" {}%", u32::from(weight) * 100 / sum),
            Some(_) | None => String::new(),
        };
        let last = if arm.last_resort { " (last resort)" } else { "" };
        format!("{} {}/{}{mark}{share}{last}", safe::cell(&arm.pool), arm.up, arm.of)
    });
    each.collect::<Vec<_>>().join("  ")
}

/// `answering: us (gcp-use)`; both families when they differ.
fn answering(service: &Service) -> String {
    let answers: Vec<&Answer> = service.answers.iter().filter(|answer| !answer.endpoints.is_empty()).collect();
    let same =
        answers.windows(2).all(|pair| (&pair[0].pools, &pair[0].endpoints) == (&pair[1].pools, &pair[1].endpoints));
    let one = |answer: &Answer| {
        let pools: Vec<String> = answer.pools.iter().map(|pool| safe::cell(pool)).collect();
        format!("{} ({})", pools.join(" "), named(&answer.endpoints)).trim_start().to_owned()
    };
    let text = match answers.as_slice() {
        [] => "nothing".into(),
        [first, ..] if same => one(first),
        several => {
            let each = several.iter().map(|answer| format!("{} {}", safe::cell(&answer.kind), one(answer)));
            each.collect::<Vec<_>>().join(", ")
        }
    };
    if service.none_healthy {
        format!("answering: {text}, nothing is healthy: {}", safe::cell(&service.when_none_healthy))
    } else {
        format!("answering: {text}")
    }
}

fn named(endpoints: &[String]) -> String {
    let mut names: Vec<String> = endpoints.iter().take(NAMED_MAX).map(|id| safe::cell(id)).collect();
    if endpoints.len() > NAMED_MAX {
        names.push(format!("and {} more", endpoints.len() - NAMED_MAX));
    }
    names.join(", ")
}

/// One endpoint in trouble: state, since when that holds, who says so and why.
fn trouble(name: &str, endpoint: &Endpoint, lead: usize, now: Wall, paint: Paint) -> String {
    let worst = endpoint.targets.iter().find(|target| target.verdict == endpoint.verdict);
    let since = worst.and_then(|target| target.since).or(endpoint.since);
    let (word, since, why) = match &endpoint.order {
        // Its verdict may be as it was for months.
        Some(order) if order.action == "drain" => ("drained", order.since, format!("by {}", safe::cell(&order.id))),
        Some(order) => (endpoint.verdict.as_str(), since, format!("ordered {} by {}", order.action, order.id)),
        None => (endpoint.verdict.as_str(), since, worst.map(reason).unwrap_or_default()),
    };
    let state = paint.state(word);
    let (ago, at) = (times::ago(since, now), times::clock(since, now));
    let line = format!("{:lead$}{:<18} {state} {ago}   {}", "", safe::cell(name), safe::line(&why));
    let line = line.trim_end();
    if at.is_empty() { format!("{line}\n") } else { format!("{line}   since {at}\n") }
}

fn reason(target: &super::wire::Address) -> String {
    let cast = target.votes.up + target.votes.down;
    let last = target.last.as_ref().and_then(|last| last.detail.as_deref().or(last.reason.as_deref()));
    match (cast, last) {
        (0, None) => target.cause.replace('-', " "),
        (0, Some(last)) => last.to_owned(),
        (cast, last) => {
            let against = if target.verdict == "down" { target.votes.down } else { target.votes.up };
            let said = if target.verdict == "down" { "down" } else { "up" };
            let last = last.map(|last| format!(": {last}")).unwrap_or_default();
            format!("{against} of {cast} regions say {said}{last}")
        }
    }
}

/// `drain pool:ap  by dana  "cert swap"  ends in 38m  ov_7K2D`.
pub(super) fn order_line(order: &Override, now: Wall) -> String {
    let begins = order.from.filter(|from| *from > now);
    let life = match (begins, order.expires) {
        (Some(from), _) => format!("begins in {}", times::short(from.since(now))),
        (None, Some(expires)) => format!("ends in {}", times::short(expires.since(now))),
        (None, None) => String::new(),
    };
    let line = format!(
        "{}  {}  by {}  \"{}\"  {life}  {}",
        super::traffic::deed(order),
        safe::cell(&order.target),
        safe::cell(&order.by),
        safe::cell(&order.reason),
        safe::cell(&order.id)
    );
    let forced = if order.forced { "  forced" } else { "" };
    let local = if order.local { "  local, on this node alone" } else { "" };
    format!("{line}{forced}{local}")
}

fn summary(status: &Status) -> String {
    let (services, endpoints) = (&status.counts.services, &status.counts.endpoints);
    let parts = [
        (endpoints.up, "up"),
        (endpoints.degraded, "degraded"),
        (endpoints.unknown, "unknown"),
        (endpoints.down, "down"),
        (endpoints.ordered_out, "ordered out"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!(
        "node {}, generation {}: {}, {}{parts}, {}.\n",
        safe::cell(&status.node.id),
        status.node.generation,
        counted(services.total, "service"),
        counted(endpoints.total, "endpoint"),
        counted(status.counts.overrides + status.counts.planned, "override"),
    )
}

/// `1 service`, `2 services`.
pub(super) fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Services, then what is in trouble, then overrides: kind, id, state, and what answers or who ordered it.
fn fields(status: &Status) -> Table {
    let mut table = Table::new(&["KIND", "ID", "STATE", "MORE"]);
    for service in &status.services {
        let answers: Vec<&str> =
            service.answers.iter().flat_map(|answer| answer.endpoints.iter().map(String::as_str)).collect();
        table.row([
            "service".into(),
            service.id.as_str().into(),
            Cell::state(&service.verdict),
            answers.join(",").into(),
        ]);
    }
    for endpoint in &status.troubles {
        let order = endpoint.order.as_ref().map(|order| order.id.clone()).unwrap_or_default();
        table.row(["endpoint".into(), endpoint.id.as_str().into(), Cell::state(&endpoint.verdict), order.into()]);
    }
    for order in &status.overrides {
        let what = format!("{} {}", order.action, order.target);
        table.row(["override".into(), order.id.as_str().into(), order.state.as_str().into(), what.into()]);
    }
    table
}

#[cfg(test)]
mod tests;
