//! Collects the problems of one load, and the texts they point into.

use std::cell::OnceCell;

use super::{
    problem::{PROBLEMS_MAX, Problem, Problems, Severity, Spot},
    text::{Lines, tame},
};

/// A range of octets in one of the loaded texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A loaded text.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: std::path::PathBuf,
    pub(super) text: String,
    /// Counted when first asked for: most texts have no problem to show.
    lines: OnceCell<Lines>,
}

impl Source {
    pub(super) fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::of(&self.text))
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) sources: Vec<Source>,
    raw: Vec<Raw>,
    unlisted: usize,
    errors: usize,
    distrusted: Vec<Place>,
}

/// A problem before its places are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    severity: Severity,
    code: &'static str,
    message: String,
    at: Vec<(Place, String)>,
    notes: Vec<String>,
    hint: Option<String>,
}

impl Raw {
    pub(super) fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self { severity, code, message, at: Vec::new(), notes: Vec::new(), hint: None }
    }

    /// Adds a place and what is written beside it.
    pub(super) fn at(mut self, place: Place, label: impl Into<String>) -> Self {
        self.at.push((place, label.into()));
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Report {
    /// Registers a text and gives its number.
    pub(super) fn source(&mut self, path: std::path::PathBuf, text: String) -> u32 {
        self.sources.push(Source { path, text, lines: OnceCell::new() });
        u32::try_from(self.sources.len() - 1).expect("files are bounded far below 2^32")
    }

    /// Takes a problem in. The same one at the same place is kept once, because a value may be looked at twice.
    pub(super) fn add(&mut self, raw: Raw) {
        if raw.severity == Severity::Error {
            self.errors += 1;
        }
        if self.is_full() {
            self.unlisted += usize::from(raw.severity == Severity::Error);
        } else if self.raw.contains(&raw) {
            self.errors -= usize::from(raw.severity == Severity::Error);
        } else {
            self.raw.push(raw);
        }
    }

    /// Whether further problems are only counted, so that no work is due for their text.
    pub(super) fn is_full(&self) -> bool {
        self.raw.len() >= PROBLEMS_MAX
    }

    /// Marks a part of a text as broken: what else seems wrong in it follows from that.
    pub(super) fn distrust(&mut self, place: Place) {
        self.distrusted.push(place);
    }

    pub(super) fn error_count(&self) -> usize {
        self.errors
    }

    /// Looks the places up and hands everything over, sorted by place: files in the order they were read, and
    /// problems without a place first.
    pub(super) fn finish(&mut self) -> Problems {
        let mut raw = std::mem::take(&mut self.raw);
        let around = |part: &Place, at: &Place| part.file == at.file && part.from <= at.from && at.from < part.to;
        raw.retain(|raw| {
            let at = raw.at.first().map(|(place, _)| place);
            raw.code == "E002" || !at.is_some_and(|at| self.distrusted.iter().any(|part| around(part, at)))
        });
        raw.sort_by_key(|raw| (raw.at.first().map(|(place, _)| *place), raw.severity));
        let list = raw.into_iter().map(|raw| self.resolve(raw)).collect();
        Problems::new(list, self.unlisted, self.sources.len())
    }

    /// The file's name and the line, for people: `wayshift.toml:41`. Without the folder, which differs between nodes.
    pub(super) fn line_of(&self, place: Place) -> String {
        let source = &self.sources[place.file as usize];
        let name = source.path.file_name().unwrap_or(source.path.as_os_str());
        format!("{}:{}", name.to_string_lossy(), source.lines().number(place.from) + 1)
    }

    fn resolve(&self, raw: Raw) -> Problem {
        let places = raw.at.into_iter().map(|(place, label)| self.spot(place, tame(label))).collect();
        Problem {
            severity: raw.severity,
            code: raw.code,
            message: tame(raw.message),
            places,
            notes: raw.notes.into_iter().map(tame).collect(),
            hint: raw.hint.map(tame),
        }
    }

    fn spot(&self, place: Place, label: String) -> Spot {
        let source = &self.sources[place.file as usize];
        let line = source.lines().line(&source.text, place.from, place.to);
        Spot::new(&source.path.display().to_string(), &line, label)
    }
}
