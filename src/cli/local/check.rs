//! `check`: every problem of a configuration, offline, and how long a failover can take.

use serde_json::{Value, json};

use super::{
    super::{
        args::change::CheckArgs,
        ending::{Exit, Failure},
        screen::{
            Screen,
            paint::{Paint, Tone},
            safe,
            table::Table,
        },
        status::counted,
    },
    place, places,
};
use crate::{
    config::{self, Loaded, Problem, Problems},
    model::{Span, ms},
};

/// Checks the file, or explains a code.
pub(in crate::cli) fn run(args: &CheckArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    if let Some(code) = &args.explain {
        return explain(code, screen);
    }
    let path = place::config_file(args.file.as_deref()).map_err(|error| {
        Failure::new(Exit::Configuration, error.to_string()).hint("name one: wayshift check ./my.toml")
    })?;
    let loaded = config::load(&path, &place::variable).and_then(places::located);
    report(loaded.map(|(loaded, _)| loaded), args.strict, screen)
}

fn explain(code: &str, screen: &mut Screen) -> Result<Exit, Failure> {
    let code = code.to_ascii_uppercase();
    let Some(text) = config::explain_code(&code) else {
        let known: Vec<&str> = config::codes().collect();
        return Err(Failure::usage(format!("`{code}` is no code")).hint(format!("these are: {}", known.join(" "))));
    };
    let raw = json!({ "code": code, "text": text }).to_string();
    let fields = || {
        let mut table = Table::new(&["CODE", "TEXT"]);
        table.row([code.as_str().into(), text.into()]);
        Ok(table)
    };
    screen.show(&raw, |_| Ok(format!("{code}: {text}\n")), fields)?;
    Ok(Exit::Done)
}

fn report(outcome: Result<Loaded, Problems>, strict: bool, screen: &mut Screen) -> Result<Exit, Failure> {
    let (problems, waits) = match &outcome {
        Ok(loaded) => (&loaded.warnings, waits(loaded)),
        Err(problems) => (problems, Vec::new()),
    };
    let ok = outcome.is_ok() && !(strict && problems.warnings().next().is_some());
    let raw = json!({ "ok": ok, "problems": problems.to_json(), "services": waits.iter().map(Wait::json).collect::<Vec<_>>() });
    screen.show(&raw.to_string(), |paint| Ok(page(problems, &waits, paint)), || Ok(fields(problems)))?;
    if outcome.is_ok() && !ok {
        let count = problems.warnings().count();
        screen.say(&format!("error: {}, and --strict takes warnings as errors", counted(count, "warning")));
    }
    Ok(if ok { Exit::Done } else { Exit::Configuration })
}

/// How long losing an endpoint of a service can last for clients, in milliseconds.
struct Wait {
    service: String,
    notice: u64,
    ttl: u64,
}

impl Wait {
    fn json(&self) -> Value {
        let span = |ms: u64| Span(std::time::Duration::from_millis(ms)).to_string();
        let whole = span(self.notice + self.ttl);
        json!({ "id": self.service, "notice": span(self.notice), "ttl": span(self.ttl), "worst_failover": whole })
    }
}

fn waits(loaded: &Loaded) -> Vec<Wait> {
    let fleet = &loaded.fleet;
    let services = fleet.services().map(|(ix, service)| Wait {
        service: service.id.to_string(),
        notice: ms(config::worst_case(fleet, ix)),
        ttl: u64::from(service.ttl) * 1000,
    });
    services.collect()
}

/// The problems with their carets, then the services with their worst case.
fn page(problems: &Problems, waits: &[Wait], paint: Paint) -> String {
    let mut text = rendered(problems, paint);
    if waits.is_empty() {
        return text;
    }
    let mut table = Table::new(&["SERVICE", "WORST FAILOVER", ""]);
    for wait in waits {
        let span = |ms: u64| Span(std::time::Duration::from_millis(ms)).to_string();
        let (worst, sum) = match wait.notice {
            0 => ("never".into(), "it has no check: its endpoints never go down by themselves".into()),
            notice => (span(notice + wait.ttl), format!("{} to notice + {} TTL", span(notice), span(wait.ttl))),
        };
        table.row([wait.service.as_str().into(), worst.into(), sum.into()]);
    }
    text.push('\n');
    text.push_str(&table.aligned(paint));
    text
}

/// The problems as the loader writes them, made harmless, and coloured here: the text quotes the file.
pub(in crate::cli) fn rendered(problems: &Problems, paint: Paint) -> String {
    let plain = problems.render(false);
    let mut text = String::new();
    for line in safe::lines(&plain).lines() {
        let tone = if line.starts_with("error[") { Tone::Bad } else { Tone::Warn };
        match line.split_once("]: ").filter(|_| line.starts_with("error[") || line.starts_with("warning[")) {
            Some((head, rest)) => text.push_str(&format!("{}: {rest}", paint.tone(tone, &format!("{head}]")))),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn fields(problems: &Problems) -> Table {
    let mut table = Table::new(&["SEVERITY", "CODE", "FILE", "LINE", "COLUMN", "MESSAGE"]);
    let place = |problem: &Problem| problem.at().map(|spot| (spot.file.clone(), spot.line, spot.column));
    for problem in problems.iter() {
        let (file, line, column) = place(problem).unwrap_or_default();
        table.row([
            problem.severity.word().into(),
            problem.code.into(),
            file.into(),
            line.to_string().into(),
            column.to_string().into(),
            problem.message.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        args::{Format, Manner},
        screen::doubles,
    };

    const GOOD: &str = r#"
[zone."gslb.example.com"]
ns = { ns1 = "192.0.2.53", ns2 = "198.51.100.53" }
[service.www]
names     = ["www.gslb.example.com"]
endpoints = ["203.0.113.10", "198.51.100.20"]
check     = "https://www.example.com/healthz"
"#;

    fn check(text: &str, strict: bool, format: Format) -> (Exit, String, String) {
        let (mut screen, out, messages) = doubles::screen(format, None);
        let exit = report(config::load_text("t.toml", text, &|_| None), strict, &mut screen).unwrap();
        (exit, out.text(), messages.text())
    }

    #[test]
    fn a_sound_file_shows_its_worst_failover() {
        let (exit, out, _) = check(GOOD, false, Format::Table);
        assert_eq!(exit, Exit::Done, "{out}");
        // interval 10 s + 3 x 3 s + 2 x 3 s + 1 s, then 30 s TTL.
        assert!(out.contains("www      56s             26s to notice + 30s TTL"), "{out}");
    }

    #[test]
    fn errors_end_with_78_and_name_their_place() {
        let bad = format!("{}ttl = 10\n", GOOD.replace("check ", "chekc "));
        let (exit, out, _) = check(&bad, false, Format::Table);
        assert_eq!(exit, Exit::Configuration);
        assert!(out.contains("t.toml:7:1") && out.contains("t.toml:8:7") && out.contains("2 errors"), "{out}");
        let (_, out, _) = check(&bad, false, Format::Json);
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((value["ok"].as_bool(), value["problems"].as_array().map(Vec::len)), (Some(false), Some(2)));
    }

    #[test]
    fn strict_takes_warnings_as_errors() {
        let slow = format!("{GOOD}ttl = \"400s\"\n");
        assert_eq!(check(&slow, false, Format::Plain).0, Exit::Done);
        let (exit, out, messages) = check(&slow, true, Format::Plain);
        assert_eq!(exit, Exit::Configuration);
        assert!(out.starts_with("warning\tW2") && messages.contains("--strict"), "{out} {messages}");
    }

    #[test]
    fn rows_of_networks_are_checked_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.toml");
        std::fs::write(&path, format!("[geo]\nnets = \"nets.csv\"\n{GOOD}")).unwrap();
        std::fs::write(folder.path().join("nets.csv"), "10.0.0.0/8,mars\n").unwrap();
        let (mut screen, out, _) = doubles::screen(Format::Plain, None);
        let args = CheckArgs { file: Some(path), strict: false, explain: None, manner: Manner::default() };
        assert_eq!(run(&args, &mut screen), Ok(Exit::Configuration));
        let text = out.text();
        assert!(text.contains("error\tE036\t") && text.contains("nets.csv\t1\t1\t`mars` is neither"), "{text}");
    }

    #[test]
    fn a_file_cannot_reach_the_terminal() {
        let hostile = format!("{GOOD}\"\\u001b[2J\u{9b}\" = 1\n");
        let (_, out, _) = check(&hostile, false, Format::Table);
        assert!(!out.chars().any(|c| c.is_control() && c != '\n'), "{out:?}");
    }

    #[test]
    fn every_code_is_explained() {
        for code in config::codes() {
            let (mut screen, out, _) = doubles::screen(Format::Table, None);
            assert_eq!(explain(&code.to_lowercase(), &mut screen), Ok(Exit::Done));
            assert!(out.text().starts_with(&format!("{code}: ")));
        }
        let (mut screen, ..) = doubles::screen(Format::Table, None);
        assert_eq!(explain("E999", &mut screen).unwrap_err().exit, Exit::Usage);
    }
}
