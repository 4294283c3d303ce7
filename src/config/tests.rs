//! What must hold of the whole room.

mod fuzz;
mod mistakes;
mod reference;
mod sources;
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

/// Prints what `wayshift check` would say of the file in `LOOK`.
#[test]
#[ignore = "for people"]
fn look() {
    let path = std::env::var("LOOK").unwrap();
    match load(Path::new(&path), &|name| std::env::var(name).ok()) {
        Ok(loaded) => println!("{}\n{:#}", loaded.warnings, loaded.effective()),
        Err(problems) => println!("{problems}"),
    }
}

/// 100,000 names of 20,000 services over 10,000 endpoints and 100 zones load in time that grows with their number alone.
#[test]
#[ignore = "measures; run it optimised"]
fn large_configurations_load_quickly() {
    let start = crate::clock::Clock::start();
    let text = large(20_000, 10_000, 100);
    let made = start.mono();
    let loaded = loaded(&text);
    let took = start.mono().since(made);
    println!("{} octets, {} names: {took:?}", text.len(), 5 * loaded.fleet.services.len());
    assert!(took < std::time::Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 }), "{took:?}");
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
