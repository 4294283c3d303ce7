//! The servers that are measured: how each is given a set of names, started, and told to read it anew.
//!
//! All get one worker thread, answer without DNSSEC, keep no query log and limit nobody.

mod bind;
mod echo;
mod gdnsd;
mod knot;
mod nsd;
mod pdns;
mod wayshift;
pub mod wayshift_fleet;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

pub use self::echo::serve as echo_serve;
use crate::work::Set;

/// What a server is given.
pub struct Place {
    /// Its own folder.
    pub folder: PathBuf,
    /// Its names.
    pub set: Set,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Where it takes orders, if it needs a port for that.
    pub control: u16,
    /// Where the endpoints of steered names listen.
    pub web: u16,
}

impl Place {
    /// A file of it, as text for a configuration.
    pub fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a file stands in a folder"))?;
        fs::write(path, text)
    }
}

/// A kind of server.
pub struct Peer {
    /// What it is called in `PEERS` and in the tables.
    pub name: &'static str,
    /// Its program.
    pub program: &'static str,
    /// Debian's packages that bring it.
    pub packages: &'static str,
    /// What makes it tell its version.
    pub version: &'static [&'static str],
    /// Writes what it needs; its arguments.
    pub prepare: fn(&Place) -> io::Result<Vec<String>>,
    /// The zone's file within its folder.
    pub zone: &'static str,
    /// Programs that make it read the zone anew.
    pub reload: fn(&Place) -> Vec<Vec<String>>,
    /// How it steers, if it does.
    pub steers: Option<&'static str>,
    /// Every round, for it is close; the others in one of four.
    pub near: bool,
    /// It answers queries; the echo does not.
    pub answers: bool,
}

/// All of them; the floor and our own first.
pub const PEERS: &[Peer] = &[echo::PEER, wayshift::PEER, gdnsd::PEER, knot::PEER, nsd::PEER, bind::PEER, pdns::PEER];

impl Peer {
    /// Where its program is.
    pub fn find(&self) -> Option<PathBuf> {
        if self.program.is_empty() {
            return env::current_exe().ok();
        }
        find(self.program)
    }

    /// The first line in which its program tells its version.
    pub fn tells(&self, program: &Path) -> String {
        if self.version.is_empty() {
            return String::new();
        }
        let Ok(output) = Command::new(program).args(self.version).output() else { return "?".into() };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| line.chars().any(|c| c.is_ascii_digit())).unwrap_or_default();
        let word =
            line.split_whitespace().find(|word| word.contains('.') && word.contains(|c: char| c.is_ascii_digit()));
        word.unwrap_or(line).trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
    }
}

/// A program in PATH or where servers stand.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
