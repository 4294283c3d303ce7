//! `import`: a draft of a configuration from what another server runs, with a list of what was not converted.
//!
//! Nothing is guessed in silence: what has no counterpart is left out and told, and the draft is read back as a
//! configuration before it is shown, so that what remains to be done stands beside it.

mod bind;
mod draft;
mod gdnsd;
mod octodns;

use std::{io::Read as _, path::Path};

use serde_json::json;

use self::draft::Draft;
use super::{
    args::change::{ImportArgs, ImportFrom},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table},
};
use crate::config::{self, Problem, SourceFile};

/// The draft's own file.
const MAIN: &str = "wayshift.toml";
/// Largest file that is read, in octets; a larger one is refused.
const READ_MAX: u64 = 64 * 1024 * 1024;

/// Reads, converts, shows or writes.
pub(super) fn run(from: &ImportFrom, screen: &mut Screen) -> Result<Exit, Failure> {
    let (args, draft) = match from {
        ImportFrom::Octodns(args) => (args, octodns::read(&args.path, args.zone.as_deref())?),
        ImportFrom::Gdnsd(args) => (args, gdnsd::read(&args.path)?),
        ImportFrom::Bind(args) => (args, bind::read(&args.path, args.zone.as_deref())?),
    };
    finish(args, draft, screen)
}

fn finish(args: &ImportArgs, mut draft: Draft, screen: &mut Screen) -> Result<Exit, Failure> {
    let toml = draft.toml();
    let problems = problems(&toml, &draft, args.out.as_deref());
    draft.left_out.extend(problems);
    let files: Vec<&str> = draft.files.iter().map(|(name, _)| name.as_str()).collect();
    match &args.out {
        Some(folder) => {
            write(folder, MAIN, &toml)?;
            for (name, text) in &draft.files {
                write(folder, name, text)?;
            }
            screen.note(&format!("written: {}", folder.join(MAIN).display()));
        }
        None => {
            let raw = json!({ "toml": toml, "files": draft.files, "left_out": draft.left_out }).to_string();
            let fields = || {
                let mut table = Table::new(&["LEFT OUT"]);
                draft.left_out.iter().for_each(|line| table.row([line.as_str().into()]));
                Ok(table)
            };
            screen.show(&raw, |_| Ok(safe::lines(&toml).into_owned()), fields)?;
            if !files.is_empty() {
                screen.note(&format!("--out FOLDER writes it with {}", files.join(", ")));
            }
        }
    }
    for line in &draft.left_out {
        screen.say(&format!("not converted: {line}"));
    }
    screen.note("hint: wayshift check finds what is left to write, wayshift plan shows what it would answer");
    Ok(Exit::Done)
}

/// What the draft still lacks to be a configuration, by the files that are written, or by the line of what is shown.
fn problems(toml: &str, draft: &Draft, out: Option<&Path>) -> Vec<String> {
    let copy = |path: &str, text: &str| SourceFile { path: path.into(), text: text.to_owned() };
    let files = draft.files.iter().map(|(path, text)| copy(path, text));
    let copies: Vec<SourceFile> = std::iter::once(copy(MAIN, toml)).chain(files).collect();
    match config::load_copies(&copies, &|_| None) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            problems.errors().take(20).map(|one| format!("to be mended by hand: {}", told(one, out))).collect()
        }
    }
}

fn told(problem: &Problem, out: Option<&Path>) -> String {
    let Some(spot) = problem.at() else { return problem.message.clone() };
    let place = match (out, spot.file.as_str()) {
        (Some(folder), file) => format!("{}:{}", folder.join(file).display(), spot.line),
        (None, MAIN) => format!("line {} of the draft", spot.line),
        (None, file) => format!("line {} of the draft's {file}", spot.line),
    };
    format!("{place}: {}", problem.message)
}

/// Never over an existing file: a configuration that was worked on is worth more than a draft.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    let failed = |error: std::io::Error| {
        let hint = "name a folder that is empty or not there yet";
        Failure::new(Exit::Failed, format!("{} is not written: {error}", path.display())).hint(hint)
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

/// A file's text, bounded.
fn text(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", path.display()));
    let file = config::open_regular(path).map_err(failed)?;
    let mut text = String::new();
    file.take(READ_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if READ_MAX < text.len() as u64 {
        return Err(Failure::new(Exit::Failed, format!("{} is larger than {READ_MAX} octets", path.display())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
