//! `test`: runs a configuration's own tests (`[[test]]`), offline.

use std::sync::Arc;

use super::{
    super::{
        args::foresight::TestArgs,
        ending::{Exit, Failure},
        screen::{
            Screen,
            paint::{Paint, Tone},
            safe,
            table::Table,
        },
        status::counted,
    },
    load,
    wire::{Case, Tests},
};
use crate::{
    config::Loaded,
    steer::{
        Locator,
        outlook::{CaseOutcome, run_cases},
    },
};

/// Each case with its symbol and word; 3 when one fails.
pub(in crate::cli) fn run(args: &TestArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let (loaded, locator) = load(args.file.as_deref(), screen)?;
    report(&loaded, &locator, screen)
}

fn report(loaded: &Loaded, locator: &Arc<Locator>, screen: &mut Screen) -> Result<Exit, Failure> {
    let outcomes = run_cases(&loaded.fleet, locator, &loaded.tests);
    let cases: Vec<Case> = outcomes.iter().map(Case::from).collect();
    let tests = Tests { ok: cases.iter().all(|case| case.ok), cases };
    let raw = serde_json::to_string(&tests)
        .map_err(|error| Failure::new(Exit::Failed, format!("the outcome is not shown: {error}")))?;
    screen.show(&raw, |paint| Ok(page(&tests, paint)), || Ok(fields(&tests)))?;
    if tests.cases.is_empty() {
        screen.note("the configuration has no [[test]]");
    }
    Ok(if tests.ok { Exit::Done } else { Exit::NotUp })
}

fn page(tests: &Tests, paint: Paint) -> String {
    if tests.cases.is_empty() {
        return String::new();
    }
    let failed = tests.cases.iter().filter(|case| !case.ok).count();
    let cases: String = tests.cases.iter().map(|case| told(case, paint)).collect();
    format!("{cases}{}, {failed} failed\n", counted(tests.cases.len(), "test"))
}

/// One case: `● holds`, or `✖ fails` with the reasons below it.
pub(super) fn told(case: &Case, paint: Paint) -> String {
    let mark = if case.ok { paint.tone(Tone::Good, "● holds") } else { paint.tone(Tone::Bad, "✖ fails") };
    let mut text =
        format!("{mark}  {}  {}\n", safe::cell(&case.name), paint.tone(Tone::Faint, &safe::cell(&case.place)));
    for line in &case.wrong {
        text.push_str(&format!("           {}\n", safe::cell(line)));
    }
    text
}

fn fields(tests: &Tests) -> Table {
    let mut table = Table::new(&["OUTCOME", "NAME", "PLACE", "CAME"]);
    for case in &tests.cases {
        let outcome = if case.ok { "holds" } else { "fails" };
        table.row([outcome.into(), case.name.as_str().into(), case.place.as_str().into(), case.came.as_str().into()]);
    }
    table
}

impl From<&CaseOutcome> for Case {
    fn from(outcome: &CaseOutcome) -> Self {
        Self {
            name: outcome.name.clone(),
            place: outcome.place.clone(),
            ok: outcome.wrong.is_empty(),
            came: outcome.came.clone(),
            wrong: outcome.wrong.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{
            args::{Format, Manner, foresight::PlanArgs},
            screen::doubles,
        },
        config::load_text,
    };

    const CONFIG: &str = r#"
[zone."gslb.example.com"]
ns = { ns1 = "192.0.2.53" }
[service.www]
names     = ["www.gslb.example.com"]
endpoints = ["203.0.113.10", "198.51.100.20"]
[[test]]
name = "the first answers"
query = "www.gslb.example.com A"
expect = ["203.0.113.10"]
[[test]]
name = "a wrong hope"
down = ["endpoint:www-203-0-113-10"]
query = "www.gslb.example.com A"
expect = ["203.0.113.10"]
"#;

    /// A client of our own network, which nothing but the rows of `nets` can place.
    const LOCATED: &str = r#"
[geo]
nets = "nets.csv"
[region]
eu = { at = [53.3, -6.3] }
us = { at = [38.9, -77.0] }
[zone."gslb.example.com"]
ns = { ns1 = "192.0.2.53" }
[endpoint]
a = { address = "203.0.113.10", region = "eu" }
b = { address = "198.51.100.20", region = "us" }
[pool]
eu = { endpoints = ["a"] }
us = { endpoints = ["b"] }
[service.www]
names = ["www.gslb.example.com"]
pools = ["eu", "us"]
steer = "nearest"
[[test]]
name   = "our office is near us"
query  = "www.gslb.example.com A from 10.1.2.3"
expect = ["us"]
"#;

    #[test]
    fn clients_are_located_as_a_running_node_locates_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("w.toml");
        std::fs::write(&file, LOCATED).unwrap();
        let args = TestArgs { file: Some(file.clone()), manner: Manner::default() };
        for (rows, exit) in
            [("10.0.0.0/8,us", Exit::Done), ("10.0.0.0/8,eu", Exit::NotUp), ("10.0.0.0/8,mars", Exit::Configuration)]
        {
            std::fs::write(folder.path().join("nets.csv"), rows).unwrap();
            let (mut screen, out, messages) = doubles::screen(Format::Table, None);
            let came = run(&args, &mut screen).unwrap_or_else(|failure| failure.exit);
            assert_eq!(came, exit, "{rows}: {} {}", out.text(), messages.text());
            if exit == Exit::Configuration {
                assert!(messages.text().contains("nets.csv:1:1"), "{}", messages.text());
                continue;
            }
            let plan = PlanArgs { file: Some(file.clone()), against: Some(file.clone()), ..PlanArgs::default() };
            let (mut screen, out, _) = doubles::screen(Format::Table, None);
            crate::cli::foresight::plan::offline(&plan, &mut screen).unwrap();
            let failed = usize::from(exit != Exit::Done);
            assert!(out.text().contains(&format!("1 test, {failed} failed")), "{rows}: {}", out.text());
        }
    }

    #[test]
    fn each_case_says_whether_it_holds_and_what_is_wrong() {
        let loaded = load_text("t.toml", CONFIG, &|_| None).unwrap();
        let (mut screen, out, _) = doubles::screen(Format::Table, None);
        assert_eq!(report(&loaded, &Arc::default(), &mut screen), Ok(Exit::NotUp));
        let text = out.text();
        assert!(text.starts_with("● holds  the first answers  t.toml:7\n✖ fails  a wrong hope  t.toml:11\n"), "{text}");
        for line in [
            "203.0.113.10 is expected and not answered",
            "expected 203.0.113.10, and came www www-198-51-100-20",
            "www-203-0-113-10 down",
            "2 tests, 1 failed",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let (mut screen, out, _) = doubles::screen(Format::Plain, None);
        assert_eq!(report(&loaded, &Arc::default(), &mut screen), Ok(Exit::NotUp));
        assert!(out.text().starts_with("holds\tthe first answers\tt.toml:7\t"), "{}", out.text());
    }
}
