//! `explain`: the decision behind an answer, step by step.

use super::{
    args::look::ExplainArgs,
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{
        Screen,
        paint::{Paint, Tone},
        safe,
        table::Table,
    },
    wire::{Explain, Step},
};

/// Where the facts about the node stand in the first line.
const FACTS_COLUMN: usize = 56;
/// Endpoints stand beside each other up to this column.
const LINE_WIDTH_MAX: usize = 100;
/// Between two endpoints on one line.
const BESIDE: &str = "      ";
/// A longer subject does not push the results of the other steps aside.
const SUBJECT_WIDTH_MAX: usize = 48;

/// Asks and shows.
pub(super) async fn run(args: &ExplainArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let mut ask = Ask::get(&["v1", "explain"]).with("name", &args.name).with("type", args.kind.to_ascii_uppercase());
    if let Some(client) = &args.client {
        ask = ask.with("client", client.to_string());
    }
    if let Some(geo) = args.geo {
        ask = ask.with("geo", geo.to_string());
    }
    if let Some(when) = args.when {
        ask = ask.with("at", when.to_string());
    }
    let reply = client.send(ask).await?;
    let explain: Explain = reply.parsed()?;
    screen.show(&reply.body, |paint| Ok(page(&explain, paint)), || Ok(fields(&explain)))?;
    Ok(Exit::Done)
}

/// As API.md lays it out: the answer, numbered steps with what followed, what would answer next.
fn page(explain: &Explain, paint: Paint) -> String {
    let answer = match (explain.answer.as_slice(), explain.rcode.as_str()) {
        ([], "NOERROR") => "no records here (NOERROR)".into(),
        ([], rcode) => safe::cell(rcode),
        (answer, _) => safe::cell(&answer.join(", ")),
    };
    let answer = format!("{} {answer}", safe::cell(&explain.kind));
    let mut facts = format!("node {}   generation {}", safe::cell(&explain.node), explain.generation);
    if let Some(ttl) = explain.ttl {
        facts.push_str(&format!("   TTL {ttl}"));
    }
    let gap = FACTS_COLUMN.saturating_sub(answer.chars().count()).max(2);
    let mut text = format!("{answer}{:gap$}{}\n", "", paint.tone(Tone::Faint, &facts));

    let steps: Vec<(String, String, &Step)> = shown(explain).map(label).collect();
    let labels = steps.iter().map(|(label, ..)| label.chars().count()).max().unwrap_or(0).max("next".len());
    let subjects =
        steps.iter().map(|(_, subject, _)| subject.chars().count()).max().unwrap_or(0).min(SUBJECT_WIDTH_MAX);
    let digits = steps.len().to_string().len().max(2);
    for (number, (label, subject, step)) in (1..).zip(&steps) {
        let result = step.result.as_deref().map(|result| format!(" -> {}", safe::cell(result))).unwrap_or_default();
        let line = format!("{number:>digits$} {label:<labels$}  {subject:<subjects$}{result}");
        text.push_str(line.trim_end());
        text.push('\n');
        for below in beside(step) {
            text.push_str(&format!("{:1$}{2}\n", "", digits + 3, below));
        }
    }
    if !explain.next.is_empty() {
        text.push_str(&format!("{:digits$} {:<labels$}  {}\n", "", "next", safe::cell(&explain.next.join(", "))));
    }
    text
}

/// Where the answer comes from an open pool, the other open pools are in `next`.
fn shown(explain: &Explain) -> impl Iterator<Item = &Step> {
    let drawn = explain.steps.iter().any(|step| step.data.used == Some(true));
    let waits = move |step: &Step| drawn && step.data.used == Some(false) && step.result.as_deref() == Some("open");
    explain.steps.iter().filter(move |step| !waits(step))
}

/// `pool eu` is said once: as label, when the step's subject begins with its kind; then what was found stands beside.
fn label(step: &Step) -> (String, String, &Step) {
    let (kind, subject) = (safe::cell(&step.step), safe::cell(&step.subject));
    let found = || step.found.as_deref().map(safe::cell).unwrap_or_default();
    match subject.strip_prefix(&format!("{kind} ")) {
        Some(_) => (subject, found(), step),
        None if kind == "name" => (kind, subject.trim_end_matches('.').to_owned(), step),
        // Each override has a line of its own.
        None if kind == "override" && !step.lines.is_empty() => {
            (kind, super::status::counted(step.lines.len(), "override") + " here", step)
        }
        None => (kind, subject, step),
    }
}

/// The lines below a step; endpoints of a pool stand beside each other where they are short.
fn beside(step: &Step) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in step.lines.iter().map(|line| safe::cell(line)) {
        match lines.last_mut() {
            Some(last)
                if step.step == "pool"
                    && last.chars().count() + BESIDE.len() + line.chars().count() <= LINE_WIDTH_MAX =>
            {
                last.push_str(BESIDE);
                last.push_str(&line);
            }
            Some(_) | None => lines.push(line),
        }
    }
    lines
}

fn fields(explain: &Explain) -> Table {
    let mut table = Table::new(&["STEP", "SUBJECT", "RESULT"]);
    table.row(["answer".into(), explain.rcode.as_str().into(), explain.answer.join(" ").into()]);
    for step in &explain.steps {
        let result = step.result.iter().chain(&step.found).map(String::as_str).collect::<Vec<_>>().join(": ");
        table.row([step.step.as_str().into(), step.subject.as_str().into(), result.into()]);
        for line in &step.lines {
            table.row([step.step.as_str().into(), "".into(), line.as_str().into()]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_reads_from_top_to_bottom() {
        let explain: Explain = serde_json::from_str(
            r#"{"name":"www.gslb.example.com.","type":"A","answer":["203.0.113.20"],"rcode":"NOERROR","ttl":20,
            "node":"eu-1","generation":9913,"service":"www","steps":[
              {"step":"name","subject":"www.gslb.example.com.","result":"service www"},
              {"step":"rule","subject":"any client","result":"pools eu, us (failover)"},
              {"step":"override","subject":"none matches"},
              {"step":"pool","subject":"pool eu","found":"3 of 3 up (needs 50%)","result":"open",
               "lines":["aws-euw  up  votes 3/3  weight 60","dc-fra\u001b[2J  up"],"data":{"up":3,"used":true}},
              {"step":"pool","subject":"pool us","found":"1 of 1 up (needs 1)","result":"open","lines":["aws-use  up"],
               "data":{"used":false}},
              {"step":"pick","subject":"weighted: drew 41 of 100","result":"aws-euw  203.0.113.20"}],
            "next":["eu(gcp-euw, dc-fra)","us"],"new_field":1}"#,
        )
        .unwrap();
        let expected = "\
A 203.0.113.20                                          node eu-1   generation 9913   TTL 20
 1 name      www.gslb.example.com     -> service www
 2 rule      any client               -> pools eu, us (failover)
 3 override  none matches
 4 pool eu   3 of 3 up (needs 50%)    -> open
     aws-euw  up  votes 3/3  weight 60      dc-fra\\u{1b}[2J  up
 5 pick      weighted: drew 41 of 100 -> aws-euw  203.0.113.20
   next      eu(gcp-euw, dc-fra), us
";
        assert_eq!(page(&explain, Paint(false)), expected);
        assert_eq!(fields(&explain).plain().lines().count(), 10);
    }

    #[test]
    fn no_answer_says_which_kind_of_no() {
        let first = |rcode: &str| {
            let explain = Explain { kind: "AAAA".into(), rcode: rcode.into(), ..Explain::default() };
            let page = page(&explain, Paint(false));
            page.lines().next().unwrap().split("  ").next().unwrap().to_owned()
        };
        assert_eq!(first("NOERROR"), "AAAA no records here (NOERROR)");
        assert_eq!(first("NXDOMAIN"), "AAAA NXDOMAIN");
    }
}
