//! What was promised, beside what was measured.

use super::figures::{Figures, Spread};
use crate::{flip::Flips, instructions::Count, once::Once, rounds::Row};

/// A promise: what, at most how much, and what it was.
pub struct Target {
    what: String,
    most: f64,
    was: f64,
    unit: &'static str,
}

impl Target {
    /// A row of the table.
    pub fn line(&self) -> String {
        let Self { what, most, was, unit } = self;
        let kept = if was <= most { "yes" } else { "no" };
        let digits = usize::from(*most < 100.0) * 2;
        format!("| {what} | {most}{unit} | {was:.digits$}{unit} | {kept} |")
    }
}

/// Costs of ours to another's in one load: the load, the other, at most.
const RATIOS: &[(&str, &str, f64)] = &[
    ("1k", "echo", 1.08),
    ("1k", "gdnsd", 1.00),
    ("100k", "gdnsd", 0.95),
    ("steered", "gdnsd", 0.92),
    ("1k", "knot", 0.87),
    ("1k", "nsd", 0.85),
    ("1k", "pdns", 0.67),
    ("1k", "bind", 0.45),
    ("tcp-each", "gdnsd", 1.05),
];
/// Costs of ours to the best of the others: the load, at most.
const BEST: &[(&str, f64)] = &[("tcp", 0.2), ("tcp-100", 0.5)];
/// Costs of ours in one load to our own in another: the load, the other, at most.
const OWN: &[(&str, &str, f64)] = &[("1k-nx", "1k", 1.10), ("1k-ecs", "1k", 1.10), ("100k-nx", "1k-nx", 1.10)];
/// Nothing waits for a delayed acknowledgement, microseconds.
const STALL: f64 = 5_000.0;

/// Of the loads.
pub fn loads(rows: &[Row]) -> Vec<Target> {
    let of = |job: &str, peer: &str| Figures::of(rows.iter().filter(|row| row.job == job && row.peer == peer));
    let mut targets = Vec::new();
    let mut add = |what: String, most: f64, spread: Option<Spread>| {
        if let Some(spread) = spread.filter(|spread| spread.count > 0) {
            targets.push(Target { what, most, was: spread.middle, unit: " x" });
        }
    };
    for (job, peer, most) in RATIOS {
        let ratio = of(job, "wayshift").zip(of(job, peer)).map(|(ours, other)| ours.to(&other));
        add(format!("`{job}`: CPU per query to {peer}"), *most, ratio);
    }
    for (job, most) in BEST {
        let ours = of(job, "wayshift");
        let others = ["gdnsd", "knot", "nsd", "bind", "pdns"].into_iter().filter_map(|peer| of(job, peer));
        let best = others.min_by(|a, b| a.cost().middle.total_cmp(&b.cost().middle));
        add(format!("`{job}`: CPU per query to the best of the others"), *most, ours.zip(best).map(|(a, b)| a.to(&b)));
    }
    for (job, base, most) in OWN {
        let ratio = of(job, "wayshift").zip(of(base, "wayshift")).map(|(ours, other)| ours.to(&other));
        add(format!("`{job}`: CPU per query to our own `{base}`"), *most, ratio);
    }
    if let Some(figures) = of("tcp-delayed", "wayshift") {
        let what = "`tcp-delayed`: p50, no stall of 40 ms".to_owned();
        targets.push(Target { what, most: STALL, was: figures.p50(), unit: " us" });
    }
    targets
}

/// Of start, memory and reload.
pub fn once(all: &[Once]) -> Vec<Target> {
    let of = |what: fn(&Once) -> Option<f64>| {
        Spread::of(all.iter().filter(|once| once.peer == "wayshift").filter_map(what).collect())
    };
    let target = |what: &str, most: f64, spread: Spread, unit| {
        (spread.count > 0).then(|| Target { what: what.into(), most, was: spread.middle, unit })
    };
    let start = of(|once| Some(once.start.as_secs_f64()));
    let reload = of(|once| once.reload.as_ref().map(|(took, _)| took.as_secs_f64()));
    [
        target("100,000 names: resident", 36.0, of(|once| Some(once.resident as f64 / 1024.0)), " MiB"),
        target("100,000 names: start to first answer", 0.35, start, " s"),
        target("100,000 names: reload to new data", 0.25, reload, " s"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Of flips: 99 of 100 are quicker.
pub fn flips(flips: &Flips) -> Target {
    let mut ms: Vec<f64> = flips.times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    let was = ms.get((ms.len() * 99 / 100).min(ms.len().saturating_sub(1))).copied().unwrap_or(f64::NAN);
    Target { what: "failed probe to changed answer, p99".into(), most: 5.0, was, unit: " ms" }
}

/// Of instructions and allocations.
pub fn counts(counts: &[Count]) -> Vec<Target> {
    let ours = counts.iter().filter(|count| count.peer == "wayshift");
    let held =
        |count: &Count| crate::instructions::GATE.iter().find(|(job, _)| *job == count.job).map(|(_, most)| *most);
    ours.filter_map(|count| {
        let most = held(count)? as f64;
        Some(Target {
            what: format!("`{}`: instructions per query", count.job),
            most,
            was: count.instructions,
            unit: "",
        })
    })
    .collect()
}
