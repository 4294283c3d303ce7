//! What must hold of the whole room.

mod fuzz;
mod mistakes;
mod reference;
mod secondaries;
mod slips;
mod sources;
mod steering;
mod zones;

use super::*;

/// No variable is set.
fn none(_: &str) -> Option<String> {
    None
}

/// A zone and what else is given.
fn with(more: &str) -> String {
    format!("[zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n{more}")
}

/// Loads what must load.
fn loaded(text: &str) -> Loaded {
    load_text("test.toml", text, &none).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems of a text, each as `line code message`.
fn problems(text: &str) -> Vec<String> {
    let problems = match load_text("test.toml", text, &none) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    let line = |problem: &Problem| problem.at().map_or(0, |spot| spot.line);
    problems.iter().map(|problem| format!("{} {} {}", line(problem), problem.code, problem.message)).collect()
}

#[test]
fn a_tcp_check_needs_a_port_and_no_host() {
    for (url, port) in [("tcp://:443", 443), ("tcp://www.example.com:25", 25)] {
        let text = format!("[zone.\"example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n[check.a]\nurl = \"{url}\"\n");
        let loaded = loaded(&text);
        assert_eq!(loaded.fleet.checks[0].kind, crate::model::CheckKind::Tcp { port });
        assert_eq!(
            loaded.effective()["check"]["a"]["url"],
            format!("tcp://:{port}"),
            "and is shown as it may be written"
        );
    }
}

/// Thousands of names and endpoints, as a generator would write them.
#[test]
fn large_configurations_load() {
    let loaded = loaded(&large(2_000, 1_000, 10));
    let fleet = &loaded.fleet;
    assert_eq!((fleet.services.len(), fleet.endpoints.len(), fleet.zones.len()), (2_000, 1_000, 10));
    assert_eq!(fleet.services.iter().map(|service| service.names.len()).sum::<usize>(), 10_000);
}

fn large(services: usize, endpoints: usize, zones: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("[check.web]\nurl = \"http://x/\"\n");
    for n in 0..zones {
        writeln!(text, "[zone.\"z{n}.example\"]\nns = {{ ns1 = \"192.0.2.53\" }}").unwrap();
    }
    text.push_str("[endpoint]\n");
    for n in 0..endpoints {
        writeln!(text, "e{n} = {{ address = [\"10.{}.{}.1\", \"2001:db8::{n:x}\"] }}", n / 256, n % 256).unwrap();
    }
    text.push_str("[pool]\n");
    for n in 0..endpoints / 2 {
        writeln!(text, "p{n} = {{ endpoints = [\"e{}\", \"e{}\"] }}", 2 * n, 2 * n + 1).unwrap();
    }
    for n in 0..services {
        let names: Vec<_> = (0..5).map(|k| format!("\"n{k}.s{n}.z{}.example\"", n % zones)).collect();
        let pool = n % (endpoints / 2);
        writeln!(text, "[service.s{n}]\nnames = [{}]\npools = [\"p{pool}\"]\ncheck = \"web\"", names.join(", "))
            .unwrap();
    }
    text
}
