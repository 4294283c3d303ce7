//! The tables, as Markdown.

mod figures;
mod targets;

use std::fmt::Write as _;

use self::{
    figures::{Figures, Spread},
    targets::Target,
};
use crate::{
    flip::Flips,
    instructions::Count,
    load::Measured,
    machine,
    once::Once,
    peers::Peer,
    rounds::{Present, Row},
    settings::Settings,
    work::{Job, Manner},
};

/// A server below this share of its core was waiting, and its cost for each query is overstated.
const BUSY: f64 = 0.90;
/// A generator that found nothing to do in less of its time than this was at its limit.
const SLACK: f64 = 0.03;
/// Others on the server's core; more than this is worth a word.
const FOREIGN: f64 = 0.08;

/// Grows with each part.
pub struct Report {
    /// So far.
    pub text: String,
    targets: Vec<Target>,
}

impl Report {
    /// Begins with where it is measured and who takes part.
    pub fn new(settings: &Settings, present: &Present) -> Self {
        let mut report = Self { text: String::new(), targets: Vec::new() };
        report.line(&machine::describe());
        let tell = |(peer, program): &(&Peer, std::path::PathBuf)| match peer.tells(program) {
            version if version.is_empty() => peer.name.to_owned(),
            version => format!("{} {version}", peer.name),
        };
        let names: Vec<String> = present.iter().map(tell).collect();
        report.line(&format!(
            "{}; {} rounds (nsd, bind, pdns: one of {}) of {} s.",
            names.join(", "),
            settings.rounds,
            crate::rounds::FAR,
            settings.seconds
        ));
        report
    }

    fn line(&mut self, text: &str) {
        writeln!(self.text, "{text}").expect("a string takes all");
    }

    /// The tables of all loads.
    pub fn loads(&mut self, settings: &Settings, rows: &[Row]) {
        self.targets.extend(targets::loads(rows));
        for job in &settings.jobs {
            let of = |peer: &str| Figures::of(rows.iter().filter(|row| row.job == job.key && row.peer == peer));
            let (Some(ours), echo) = (of("wayshift"), of("echo")) else { continue };
            self.line(&format!("\n### {}\n", job.title));
            self.line(
                "| server | CPU us/query [quartiles] | in user space | queries/s | p50 us | p99 us | lost | RSS MiB | server busy | to echo | wayshift to it |",
            );
            self.line("|---|---|---|---|---|---|---|---|---|---|---|");
            let (mut remarks, mut foreign) = (Vec::new(), Vec::new());
            for peer in &settings.peers {
                let Some(figures) = of(peer.name) else { continue };
                let to_echo = echo.as_ref().map_or_else(|| "-".into(), |echo| figures.to(echo).ratio());
                let to_it = if peer.name == "wayshift" { "1".into() } else { ours.to(&figures).ratio() };
                self.line(&format!(
                    "| {} | {} | {:.2} | {:.0} | {:.0} | {:.0} | {} | {:.1} | {:.2} | {to_echo} | {to_it} |",
                    peer.name,
                    figures.cost().with_quartiles(),
                    figures.user(),
                    figures.rate(),
                    figures.p50(),
                    figures.p99(),
                    percent(figures.loss()),
                    figures.resident(),
                    figures.busy(),
                ));
                remarks.extend(remark(job, peer, &figures));
                foreign.push(figures.foreign());
            }
            let foreign = Spread::of(foreign);
            if foreign.middle > FOREIGN {
                remarks.push(format!("Others had {:.0} % of the server's core.", foreign.middle * 100.0));
            }
            if !remarks.is_empty() {
                self.line(&format!("\n{}", remarks.join(" ")));
            }
        }
    }
}

impl Report {
    /// Start, memory, reload.
    pub fn once(&mut self, all: &[Once]) {
        self.targets.extend(targets::once(all));
        self.line("\n### Start, memory and reload, 100,000 names x 4 A\n");
        self.line(
            "| server | start to first answer s | CPU s | RSS MiB | reload to new data s | p99 us, 10,000 queries/s beside it | p99.9 us | lost | RSS MiB after |",
        );
        self.line("|---|---|---|---|---|---|---|---|---|");
        let mut names: Vec<&str> = Vec::new();
        for once in all {
            if !names.contains(&once.peer) {
                names.push(once.peer);
            }
        }
        for name in names {
            let of = |what: fn(&Once) -> Option<f64>| {
                Spread::of(all.iter().filter(|once| once.peer == name).filter_map(what).collect())
            };
            let load = |what: fn(&Measured) -> f64| {
                let values = all.iter().filter(|once| once.peer == name).filter_map(|once| once.reload.as_ref());
                Spread::of(values.map(|(_, load)| what(load)).collect())
            };
            self.line(&format!(
                "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
                of(|once| Some(once.start.as_secs_f64())).plain(2),
                of(|once| Some(once.work.as_secs_f64())).plain(2),
                of(|once| Some(once.resident as f64 / 1024.0)).plain(1),
                of(|once| once.reload.as_ref().map(|(took, _)| took.as_secs_f64())).plain(2),
                load(|m| m.p99).plain(0),
                load(|m| m.p999).plain(0),
                if load(Measured::loss).count == 0 { "-".into() } else { percent(load(Measured::loss).middle) },
                of(|once| Some(once.after as f64 / 1024.0)).plain(1),
            ));
        }
        self.line("\n`wayshift, steered`: 100,000 steered names, each a service, over 10,000 probed endpoints.");
    }

    /// From a failed probe to the changed answer.
    pub fn flips(&mut self, flips: &Flips) {
        self.targets.push(targets::flips(flips));
        let ms: Vec<f64> = flips.times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        let worst = ms.iter().copied().fold(0.0, f64::max);
        let spread = Spread::of(ms);
        self.line("\n### From a failed probe to the first changed answer\n");
        self.line(&format!(
            "100,000 steered names, 10,000 endpoints, {:.0} queries/s beside it ({} lost): median {:.1} ms [{:.1}-{:.1}], longest {worst:.1} ms of {}.",
            flips.load.rate(),
            percent(flips.load.loss()),
            spread.middle,
            spread.low,
            spread.high,
            spread.count
        ));
    }

    /// What was promised, at the end.
    pub fn promises(&mut self) {
        self.line("\n### Targets\n");
        self.line("| what | at most | was | kept |");
        self.line("|---|---|---|---|");
        for target in std::mem::take(&mut self.targets) {
            self.line(&target.line());
        }
    }

    /// Instructions and allocations.
    pub fn counts(&mut self, counts: &[Count]) {
        self.targets.extend(targets::counts(counts));
        if counts.is_empty() {
            return;
        }
        self.line("\n### Instructions and allocations per query (callgrind, user space, the whole server)\n");
        self.line("| load | server | instructions | allocations | answers |");
        self.line("|---|---|---|---|---|");
        for count in counts {
            let Count { job, peer, instructions, allocations, answers } = count;
            let title = Job::of_key(job).map_or(*job, |job| job.title);
            self.line(&format!("| {title} | {peer} | {instructions:.0} | {allocations:.3} | {answers} |"));
        }
    }
}

/// The table of the loads over a pair of virtual interfaces.
pub fn xdp(rows: &[Row]) -> String {
    let mut text = String::from(
        "| server | CPU us/query [quartiles] | in user space | queries/s | server busy | to echo | to gdnsd |\n|---|---|---|---|---|---|---|\n",
    );
    let of = |peer: &str| Figures::of(rows.iter().filter(|row| row.peer == peer));
    let mut names: Vec<&str> = rows.iter().map(|row| row.peer).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let Some(figures) = of(name) else { continue };
        let to = |base: &str| of(base).map_or_else(|| "-".into(), |base| figures.to(&base).ratio());
        writeln!(
            text,
            "| {name} | {} | {:.2} | {:.0} | {:.2} | {} | {} |",
            figures.cost().with_quartiles(),
            figures.user(),
            figures.rate(),
            figures.busy(),
            to("echo"),
            to("gdnsd")
        )
        .expect("a string takes all");
    }
    text
}

/// What keeps a row from meaning what it seems to.
fn remark(job: &Job, peer: &Peer, figures: &Figures) -> Vec<String> {
    let mut remarks = Vec::new();
    let is_paced = matches!(job.manner, Manner::Paced(_));
    // What others took of the core was not there to be used.
    let busy = figures.busy() / (1.0 - figures.foreign()).max(0.1);
    if !is_paced && busy < BUSY {
        let (slack, own) = (figures.slack() * 100.0, figures.own() * 100.0);
        let whose = if figures.slack() < SLACK { "the generator was the limit" } else { "neither was at its limit" };
        remarks.push(format!(
            "{}: busy {:.0} % of what was left of its core, {whose} (the generator had {own:.0} % of its own, {slack:.0} % of its time idle).",
            peer.name,
            busy * 100.0,
        ));
    }
    if figures.faults() > 0 {
        remarks.push(format!("{}: {} faults of calls or connections.", peer.name, figures.faults()));
    }
    remarks
}

fn percent(share: f64) -> String {
    if share == 0.0 { "0".into() } else { format!("{:.3} %", share * 100.0) }
}

impl Spread {
    /// The median alone.
    fn plain(self, digits: usize) -> String {
        if self.count == 0 { "-".into() } else { format!("{:.digits$}", self.middle) }
    }

    fn with_quartiles(self) -> String {
        format!("{:.2} [{:.2}-{:.2}]", self.middle, self.low, self.high)
    }

    fn ratio(self) -> String {
        if self.count == 0 { "-".into() } else { format!("{:.2} [{:.2}-{:.2}]", self.middle, self.low, self.high) }
    }
}
