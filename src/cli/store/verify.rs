//! `store verify`: is it whole, and if not: what, where, and what to do.

use std::path::Path;

use serde_json::json;

use super::{
    super::{
        args::store::VerifyArgs,
        ending::{Exit, Failure},
        screen::{
            Screen,
            paint::{Paint, Tone},
            safe,
            table::Table,
        },
    },
    source::{Source, of_store},
};
use crate::{
    model::Memory,
    store::{
        StoreError,
        accepted::AcceptedFolder,
        backup::{self, Backup, Finding},
        snapshot::{Loaded, SnapshotFile, Which},
        sqlite::{copy, seal},
    },
};

/// What to do about a database that cannot be read.
const DATABASE: &str = "answers go on from the snapshot file. Keep a copy of the folder, move wayshift.db and what begins \
                        like it aside, `wayshift store restore` the newest whole backup, and start the node";

/// Looks, and ends with 1 if anything is wrong.
pub(super) async fn run(args: &VerifyArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let (what, findings) = match &args.file {
        Some(file) => (file.display().to_string(), of_backup(file)),
        None => {
            let source = Source::of(&args.whose)?;
            (source.place(), of_source(&source).await?)
        }
    };
    let good = findings.iter().all(|finding| finding.good);
    let told = |finding: &Finding| json!({ "part": finding.part, "ok": finding.good, "what": finding.what, "hint": finding.hint });
    let raw = json!({ "ok": good, "store": what, "items": findings.iter().map(told).collect::<Vec<_>>() });
    screen.show(&raw.to_string(), |paint| Ok(page(&what, &findings, paint)), || Ok(fields(&findings)))?;
    Ok(if good { Exit::Done } else { Exit::Failed })
}

fn of_backup(file: &Path) -> Vec<Finding> {
    match backup::load(file) {
        Ok(backup) => {
            let mut findings = vec![Finding::good("file", "its checksum holds")];
            findings.extend(backup::check(&backup));
            findings
        }
        Err(error) => {
            let why = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            let hint = "take the backup before it; this one restores nothing";
            vec![Finding::bad("file", format!("{error}{why}"), hint)]
        }
    }
}

async fn of_source(source: &Source) -> Result<Vec<Finding>, Failure> {
    // Before the state: a node that runs writes it after.
    let (snapshot, memory) = snapshot(source.folder());
    let mut findings = Vec::new();
    let mut copied = None;
    if let Source::Embedded(folder) = source {
        match copy::faults(folder) {
            Ok(None) => findings.push(Finding::good("database", "every page is as SQLite needs it")),
            Ok(Some(fault)) => findings.push(Finding::bad("database", fault, DATABASE)),
            Err(error) => findings.push(unread("database", &error)),
        }
        if let Ok(Some(seal)) = seal::sealed(folder) {
            let (at, to) = (seal.at, seal.destination);
            findings.push(match seal.moved {
                Some(epoch) => Finding::good("seal", format!("sealed since {at}: moved to {to}, epoch {epoch} there")),
                None => Finding::bad(
                    "seal",
                    format!("sealed since {at}: on its way to {to}, and no orders are taken meanwhile"),
                    "give `wayshift store migrate --to etcd` again, or end it with --abort",
                ),
            });
        }
    }
    match source.copy().await {
        Ok(Some(backup)) => {
            findings.extend(backup::check(&backup));
            copied = Some(backup);
        }
        Ok(None) => findings.push(Finding::bad(
            "state",
            "there is none under this prefix",
            "a node without a memory makes one; where there was one, restore a backup",
        )),
        Err(error @ (StoreError::Away { .. } | StoreError::Unknown(_))) => return Err(of_store(&error)),
        Err(error) => findings.push(unread("state", &error)),
    }
    findings.push(snapshot);
    findings.extend(memory.zip(copied).and_then(|(memory, copied)| behind(&memory, &copied)));
    findings.extend(accepted(source.folder()));
    Ok(findings)
}

fn unread(part: &'static str, error: &StoreError) -> Finding {
    Finding::bad(part, error.to_string(), DATABASE)
}

/// The snapshot file by itself.
fn snapshot(folder: &Path) -> (Finding, Option<Memory>) {
    let part = "snapshot";
    match SnapshotFile::new(folder).load() {
        Loaded::Found { memory, from: Which::Current } => {
            let what = format!("of generation {}, its checksum holds", memory.store_generation);
            (Finding::good(part, what), Some(*memory))
        }
        Loaded::Found { memory, from: Which::Previous } => {
            let what = "the newest is damaged or gone; the one before it is whole";
            (
                Finding::bad(part, what, "a running node writes it anew with the next change; look at the disk"),
                Some(*memory),
            )
        }
        Loaded::None => (Finding::good(part, "none was written yet"), None),
        Loaded::Damaged(why) => {
            let hint =
                "it is only needed while the store cannot be read: a running node writes it anew; look at the disk";
            (Finding::bad(part, format!("damaged: {why}"), hint), None)
        }
    }
}

/// Whether the state is an older one than the node remembers.
fn behind(memory: &Memory, copied: &Backup) -> Option<Finding> {
    let older = memory.epoch == copied.epoch && copied.generation < memory.store_generation;
    older.then(|| {
        let (there, known) = (copied.generation, memory.store_generation);
        let hint = "an older copy was put back: an embedded store is brought up to it when the node starts; about etcd, \
                    `wayshift store adopt --dry-run` shows what nodes would have it go on with";
        Finding::bad("generations", format!("it has come to {there}, and this node remembers {known}"), hint)
    })
}

/// Accepted configurations: each whole, or damaged.
fn accepted(folder: &Path) -> Vec<Finding> {
    let (part, kept) = ("accepted", AcceptedFolder::new(folder));
    let hint = "it is only needed while the configuration's file does not load; remove that folder";
    let names = match kept.list() {
        Ok(names) => names,
        Err(error) => return vec![Finding::bad(part, error.to_string(), hint)],
    };
    let wrong: Vec<Finding> = names
        .iter()
        .filter_map(|name| kept.load(name).err())
        .map(|error| Finding::bad(part, error.to_string(), hint))
        .collect();
    match wrong.is_empty() {
        true => vec![Finding::good(part, format!("{} configurations, their checksums hold", names.len()))],
        false => wrong,
    }
}

fn page(what: &str, findings: &[Finding], paint: Paint) -> String {
    let mut text = format!("{}\n", safe::line(what));
    for finding in findings {
        let (word, tone) = if finding.good { ("ok   ", Tone::Good) } else { ("WRONG", Tone::Bad) };
        text.push_str(&format!("{} {:<11} {}\n", paint.tone(tone, word), finding.part, safe::line(&finding.what)));
        if let (false, Some(hint)) = (finding.good, &finding.hint) {
            text.push_str(&format!("                  {}\n", safe::line(hint)));
        }
    }
    text
}

fn fields(findings: &[Finding]) -> Table {
    let mut table = Table::new(&["OK", "PART", "WHAT", "HINT"]);
    for finding in findings {
        let ok = if finding.good { "ok" } else { "wrong" };
        let hint = finding.hint.clone().unwrap_or_default();
        table.row([ok.into(), finding.part.into(), finding.what.as_str().into(), hint.into()]);
    }
    table
}
