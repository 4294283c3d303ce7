//! The configuration room: one TOML file (with includes and zone files) becomes a [`Fleet`] and [`Settings`], or the list
//! of all its problems.
//!
//! Reading goes in two passes over a tree that knows its places: `shape` knows every key and every form of value from the
//! one table in `keys`; `build` resolves what values mean together. Nothing in here runs, listens or writes.

mod build;
mod codes;
mod document;
mod files;
mod forms;
mod keys;
mod kind;
mod lint;
mod master;
mod problem;
mod report;
mod schema;
mod secret;
mod settings;
mod shape;
mod show;
#[cfg(test)]
mod tests;
mod text;
mod values;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use crate::model::{Case, Digest, Fleet};

pub use self::{
    build::{ENTITIES_MAX, MEMBERSHIPS_MAX},
    codes::{codes, explain_code},
    files::{FILE_SIZE_MAX, INCLUDE_DEPTH_MAX, INCLUDES_MAX, open_regular, read_whole},
    lint::{detection, worst_case},
    master::{RECORDS_MAX, apex_of, present},
    problem::{PROBLEMS_MAX, Problem, Problems, Severity, Spot},
    schema::schema,
    settings::{
        AdminListen, AdminSettings, AdminToken, Chaos, DnsSettings, Ecs, EtcdSettings, EtcdTls, GeoSettings, Keep,
        LogFormat, LogLevel, LogSettings, NodeSettings, PeerSettings, Role, Roles, Settings, StoreSettings,
        TcpSettings, TelemetrySettings, Threads,
    },
};

use self::{
    document::Table,
    files::{From, Reader},
    report::Raw,
};

/// A configuration that may be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What exists.
    pub fleet: Arc<Fleet>,
    /// What the rooms that run need to know.
    pub settings: Settings,
    /// What must come out in which situation (`[[test]]`), in the order written.
    pub tests: Vec<Case>,
    /// Every text that was read, the main file first; secrets' files are not among them.
    pub files: Vec<ReadFile>,
    /// The texts themselves. They may be larger than all that was made of them, so whoever keeps a configuration takes
    /// them out.
    pub copies: Vec<SourceFile>,
    /// What an operator should look at.
    pub warnings: Problems,
}

impl Loaded {
    /// The whole effective configuration with every default written out and every secret hidden.
    #[must_use]
    pub fn effective(&self) -> serde_json::Value {
        show::effective(self)
    }
}

/// What a text was, without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFile {
    /// Its path as it was opened.
    pub path: PathBuf,
    /// Of its octets.
    pub digest: Digest,
}

impl std::convert::From<&SourceFile> for ReadFile {
    fn from(file: &SourceFile) -> Self {
        Self { path: file.path.clone(), digest: Digest(Sha256::digest(&file.text).into()) }
    }
}

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path as it was opened.
    pub path: PathBuf,
    /// What stood in it.
    pub text: String,
}

/// Loads a file with everything it includes. `env` looks variables up: those of `${VAR}` and `{ env = }`,
/// `WAYSHIFT_NODE`, `WAYSHIFT_REGION`, `CREDENTIALS_DIRECTORY`, and the machine's name under `HOSTNAME`.
///
/// # Errors
/// All problems of all files, warnings among them, when there is at least one error.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let mut reader = Reader::new(From::Disk, env);
    match reader.root(path) {
        Some((table, sound)) => finish(reader, &table, sound),
        None => Err(reader.report.finish()),
    }
}

/// Loads a text as if it stood in the file `name`: includes and files are looked for beside that.
///
/// # Errors
/// As for [`load`].
pub fn load_text(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let mut reader = Reader::new(From::Disk, env);
    let (table, sound) = reader.root_text(name.into(), text.to_owned());
    finish(reader, &table, sound)
}

/// Loads the kept copies of an accepted configuration ([`Loaded::copies`], the main file first), without reading any
/// configuration or zone file from the disk. Secrets are still read where they are.
///
/// # Errors
/// As for [`load`].
pub fn load_copies(copies: &[SourceFile], env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let mut reader = Reader::new(From::Copies(copies), env);
    let Some(first) = copies.first() else {
        reader.report.add(Raw::error("E001", "no copy of an accepted configuration is at hand"));
        return Err(reader.report.finish());
    };
    let (table, sound) = reader.root_text(first.path.clone(), first.text.clone());
    finish(reader, &table, sound)
}

/// Judges a text that came from a request: includes, files, credentials and variables are not available in it, so that a
/// request can read nothing of this machine.
///
/// # Errors
/// As for [`load`].
pub fn parse_sealed(text: &str) -> Result<Loaded, Problems> {
    let mut reader = Reader::new(From::Sealed, &|_| None);
    let (table, sound) = reader.root_text("request.toml".into(), text.to_owned());
    finish(reader, &table, sound)
}

fn finish(mut reader: Reader<'_>, root: &Table, sound: bool) -> Result<Loaded, Problems> {
    shape::table(root, &keys::ROOT, shape::Title::Whole, &mut reader.report);
    // Broken syntax or a merge that failed loses parts of the text; what refers to those would be blamed wrongly.
    let built = sound.then(|| build::Build::new(&mut reader, root).run());
    let failed = reader.report.error_count() > 0;
    let problems = reader.report.finish();
    match built {
        Some(build::Built { fleet: Some(fleet), settings, tests }) if !failed => {
            let files = reader.report.sources.into_iter();
            let copies: Vec<SourceFile> =
                files.map(|source| SourceFile { path: source.path, text: source.text }).collect();
            let files = copies.iter().map(ReadFile::from).collect();
            Ok(Loaded { fleet, settings, tests, files, copies, warnings: problems })
        }
        _ => Err(problems),
    }
}
