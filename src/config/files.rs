//! Reads the configuration's files: includes, bounded in number, depth and size, and the variables in their strings.

use std::{
    collections::HashSet,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use super::{
    SourceFile,
    document::{self, Node, Table, Value},
    report::{Place, Raw, Report},
};

/// Largest configuration or zone file, in octets; a larger one is refused.
pub const FILE_SIZE_MAX: u64 = 64 << 20;
/// Most included files.
pub const INCLUDES_MAX: usize = 1000;
/// How deep includes may nest.
pub const INCLUDE_DEPTH_MAX: usize = 8;

/// Where files come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum From<'a> {
    /// The file system.
    Disk,
    /// Copies kept of an accepted configuration.
    Copies(&'a [SourceFile]),
    /// A request: nothing beside its own text exists.
    Sealed,
}

/// Looks variables up.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// All that reading needs.
pub(super) struct Reader<'a> {
    pub(super) from: From<'a>,
    pub(super) env: Env<'a>,
    pub(super) report: Report,
    seen: HashSet<PathBuf>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(from: From<'a>, env: Env<'a>) -> Self {
        Self { from, env, report: Report::default(), seen: HashSet::new() }
    }

    /// Reads a file and what it includes into one table; `false` beside it when its syntax is broken somewhere.
    pub(super) fn root(&mut self, path: &Path) -> Option<(Table, bool)> {
        // `check /dev/stdin` and `check <(generate)` name a stream of the caller's own.
        let own_stream = matches!(self.from, From::Disk) && (path.starts_with("/dev") || path.starts_with("/proc"));
        let text = match own_stream {
            true => File::open(path).and_then(|file| take(file, FILE_SIZE_MAX)),
            false => self.text(path),
        };
        match text {
            Ok(text) => Some(self.root_text(path.to_owned(), text)),
            Err(error) => {
                self.report.add(Raw::error("E001", format!("cannot read {}: {error}", path.display())));
                None
            }
        }
    }

    /// The same for a text at hand.
    pub(super) fn root_text(&mut self, path: PathBuf, text: String) -> (Table, bool) {
        self.seen.insert(identity(&path));
        let mut sound = true;
        let table = self.file(path, text, 0, &mut sound);
        (table, sound)
    }

    /// One file's text, bounded.
    pub(super) fn text(&self, path: &Path) -> io::Result<String> {
        match self.from {
            From::Disk => read_bounded(path, FILE_SIZE_MAX),
            From::Copies(copies) => copies
                .iter()
                .find(|copy| copy.path == path)
                .map(|copy| copy.text.clone())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not among the kept copies")),
            From::Sealed => Err(io::Error::new(io::ErrorKind::PermissionDenied, "not available here")),
        }
    }

    /// A path as written in a file, relative to that file.
    pub(super) fn beside(&self, place: Place, written: &str) -> PathBuf {
        let file = &self.report.sources[place.file as usize].path;
        file.parent().map_or_else(|| written.into(), |folder| folder.join(written))
    }

    fn file(&mut self, path: PathBuf, text: String, depth: usize, sound: &mut bool) -> Table {
        let file = self.report.source(path, text);
        let (mut table, whole) = document::read(file, &mut self.report);
        *sound &= whole;
        for entry in &mut table.entries {
            self.expand(&mut entry.node);
        }
        let Some(at) = table.entries.iter().position(|entry| entry.key == "include") else { return table };
        let patterns = if depth == 0 { table.entries[at].node.clone() } else { table.entries.remove(at).node };
        for pattern in patterns.items() {
            let Some(written) = pattern.text() else { continue };
            self.include(pattern.place, written, depth, &mut table, sound);
        }
        table
    }

    fn include(&mut self, place: Place, written: &str, depth: usize, into: &mut Table, sound: &mut bool) {
        if matches!(self.from, From::Sealed) {
            self.report
                .add(Raw::error("E028", "`include` is not available here").at(place, "send everything in one text"));
            return;
        }
        if depth >= INCLUDE_DEPTH_MAX {
            let message = format!("includes nest deeper than {INCLUDE_DEPTH_MAX}");
            self.report.add(Raw::error("E015", message).at(place, ""));
            return;
        }
        let pattern = self.beside(place, written);
        let paths = match self.matching(&pattern) {
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("cannot include {}: {error}", pattern.display());
                self.report.add(Raw::error("E015", message).at(place, ""));
                return;
            }
        };
        for path in paths {
            if !self.seen.insert(identity(&path)) {
                let message = format!("{} is included twice", path.display());
                self.report.add(Raw::error("E015", message).at(place, ""));
                continue;
            }
            if self.seen.len() > INCLUDES_MAX {
                let message = format!("more than {INCLUDES_MAX} files are included");
                self.report.add(Raw::error("E027", message).at(place, ""));
                return;
            }
            match self.text(&path) {
                Ok(text) => {
                    let more = self.file(path, text, depth + 1, sound);
                    document::merge(into, more, &mut self.report);
                }
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    self.report.add(Raw::error("E001", message).at(place, ""));
                }
            }
        }
    }

    /// The files a pattern names, sorted. One without `*` and `?` names itself, whether it exists or not.
    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            let part = part.as_os_str();
            let text = part.to_string_lossy();
            if !text.contains(['*', '?']) {
                found.iter_mut().for_each(|path| path.push(part));
                continue;
            }
            let wild = wildmatch::WildMatch::new(&text);
            let mut next = Vec::new();
            for folder in &found {
                let mut names = self.names(folder)?;
                names.retain(|name| wild.matches(name) && !name.starts_with('.'));
                names.sort();
                next.extend(names.into_iter().map(|name| folder.join(name)));
            }
            found = next;
            if found.len() > INCLUDES_MAX {
                return Err(io::Error::other(format!("it names more than {INCLUDES_MAX} files")));
            }
        }
        Ok(found)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        match self.from {
            From::Disk => {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                let name = |entry: io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
                std::fs::read_dir(folder)?.map(name).collect()
            }
            From::Copies(copies) => {
                let below = copies.iter().filter_map(|copy| copy.path.strip_prefix(folder).ok());
                let first = below.filter_map(|path| path.components().next());
                let mut names: Vec<String> =
                    first.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
                names.dedup();
                Ok(names)
            }
            From::Sealed => Ok(Vec::new()),
        }
    }

    /// Puts variables in: after parsing, so that places stay right and a value never becomes structure.
    fn expand(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Text(text) if text.as_bytes().contains(&b'$') && text.contains("${") => {
                let expanded = self.expanded(node.place, text);
                *text = expanded;
            }
            Value::List(list) => list.iter_mut().for_each(|item| self.expand(item)),
            Value::Table(table) => table.entries.iter_mut().for_each(|entry| self.expand(&mut entry.node)),
            Value::Text(_) | Value::Whole(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) => {}
        }
    }

    fn expanded(&mut self, place: Place, text: &str) -> String {
        if matches!(self.from, From::Sealed) {
            self.report.add(Raw::error("E028", "`${}` is not available here").at(place, "write the value"));
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            // `$${` stands for `${` itself.
            if rest[..at].ends_with('$') {
                out.push_str(&rest[..at - 1]);
                out.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                self.report.add(Raw::error("E013", "a `${` has no `}`").at(place, "write ${NAME} or ${NAME:-default}"));
                return out;
            };
            let inside = &rest[at + 2..at + end];
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            let sound = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !sound {
                let message = format!("`{name}` is not a variable's name");
                self.report.add(Raw::error("E013", message).at(place, "write ${NAME} or ${NAME:-default}"));
            } else if let Some(value) = (self.env)(name).filter(|value| !value.is_empty() || default.is_none()) {
                out.push_str(&value);
            } else if let Some(default) = default {
                out.push_str(default);
            } else {
                let message = format!("the variable {name} is not set");
                self.report
                    .add(Raw::error("E013", message).at(place, format!("set it, or write ${{{name}:-default}}")));
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        out
    }
}

/// Opens what is a file and nothing else. A pipe that nobody writes into would hold its reader for ever, and with it
/// every later reload and the end of the process.
///
/// # Errors
/// Those of opening, and one for pipes, devices, sockets and folders.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Without waiting, because a pipe is opened only once its other end is; for a file that means nothing.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// The octets of a file that others write while it is read: one that changes meanwhile is not believed.
///
/// # Errors
/// In words: those of the operating system, more than `size_max` octets, and a change while it was read.
pub fn read_whole(path: &Path, size_max: usize) -> Result<Vec<u8>, String> {
    let words = |error: io::Error| error.to_string();
    let file = open_regular(path).map_err(words)?;
    let before = file.metadata().map_err(words)?;
    let too_large = || format!("it has more than {size_max} octets");
    let size = usize::try_from(before.len()).ok().filter(|size| *size <= size_max).ok_or_else(too_large)?;
    let mut octets = Vec::with_capacity(size);
    // One more than there may be, to see that it grew.
    let bound = u64::try_from(size).unwrap_or(u64::MAX).saturating_add(1);
    (&file).take(bound).read_to_end(&mut octets).map_err(words)?;
    let after = file.metadata().map_err(words)?;
    let stamp = |of: &Metadata| (of.dev(), of.ino(), of.size(), of.mtime(), of.mtime_nsec());
    if octets.len() != size || stamp(&before) != stamp(&after) {
        return Err("it changed while it was read".into());
    }
    Ok(octets)
}

/// Reads a file whole, unless it is larger than `limit`.
pub(super) fn read_bounded(path: &Path, limit: u64) -> io::Result<String> {
    take(open_regular(path)?, limit)
}

/// `take` and not the length from the directory: devices and pipes have none, and a file may grow.
fn take(file: File, limit: u64) -> io::Result<String> {
    // Its length is where to begin: a text that grows by doubling may end in twice its room.
    let length = file.metadata().map_or(0, |about| about.len().min(limit));
    let mut text = String::with_capacity(passing(usize::try_from(length).unwrap_or(0) + 1));
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} octets")));
    }
    Ok(text)
}

/// Room for so many octets that are needed while a configuration is loaded, and not after it.
///
/// Why more for many: the common allocator maps what is beyond 32 MiB by itself and gives it back whole, and what is
/// below it also keeps back for later, as much as the largest it ever saw. Room that is not written to takes no memory.
pub(super) fn passing(octets: usize) -> usize {
    const MAPPED_MIN: usize = 33 << 20;
    const LARGE: usize = 1 << 20;
    if LARGE < octets { octets.max(MAPPED_MIN) } else { octets }
}

/// The same file under any of its names.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
