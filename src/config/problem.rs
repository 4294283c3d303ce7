//! What is wrong with a configuration, with its places, as people, editors and pipelines read it.

use std::fmt;

use super::text::{Line, Lines, width};

/// Most problems that are kept; further ones are only counted, because nobody reads the thousandth.
pub const PROBLEMS_MAX: usize = 500;

/// Whether a problem stops the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but an operator will want to know.
    Warning,
}

impl Severity {
    /// The word it is written as.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it stops the configuration.
    pub severity: Severity,
    /// The stable code; [`super::explain_code`] knows each.
    pub code: &'static str,
    /// What is wrong, as a fact.
    pub message: String,
    /// Where; the first is the main one. Empty when no text is to blame, as for a file that cannot be read.
    pub places: Vec<Spot>,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file as it was named.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its column in characters, from 1.
    pub column: u32,
    /// The line's text, made harmless for a terminal and cut to a readable length.
    pub text: String,
    /// Blanks as wide as what stands before the place in `text`; a tab stays a tab.
    pub lead: String,
    /// How many terminal cells are underlined.
    pub cells: usize,
    /// What stands beside the underline.
    pub label: String,
}

impl Spot {
    pub(super) fn new(file: &str, line: &Line<'_>, label: String) -> Self {
        let (text, lead, cells) = line.excerpt();
        Self { file: file.to_owned(), line: line.number, column: line.column, text, lead, cells, label }
    }
}

/// All problems of one load, errors and warnings, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    list: Vec<Problem>,
    unlisted: usize,
    files: usize,
}

impl Problems {
    pub(super) fn new(list: Vec<Problem>, unlisted: usize, files: usize) -> Self {
        Self { list, unlisted, files }
    }

    /// The same with what was found in files that are not read as configuration, behind the others.
    #[must_use]
    pub fn with(mut self, more: Vec<Problem>) -> Self {
        let mut files: Vec<&str> = more.iter().filter_map(Problem::at).map(|spot| spot.file.as_str()).collect();
        files.dedup();
        self.files += files.len();
        let room = PROBLEMS_MAX.saturating_sub(self.list.len());
        self.unlisted += more.iter().skip(room).filter(|problem| problem.severity == Severity::Error).count();
        self.list.extend(more.into_iter().take(room));
        self
    }

    /// Every problem kept.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Those that stop the configuration.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// Those that do not.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// `5 errors, 1 warning in 3 files`, without the full stop; "no problems" when there are none.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let (errors, warnings) = (self.errors().count() + self.unlisted, self.warnings().count());
        let found = match (errors, warnings) {
            (0, 0) => "no problems".into(),
            (errors, 0) => count(errors, "error"),
            (0, warnings) => count(warnings, "warning"),
            (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
        };
        format!("{found} in {}", count(self.files, "file"))
    }

    /// As people read it; `color` adds ANSI colours. Ends with the summary.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        for problem in &self.list {
            problem.write(&mut out, color);
            out.push('\n');
        }
        if self.unlisted > 0 {
            out.push_str(&format!("{} more are not listed.\n\n", self.unlisted));
        }
        out.push_str(&self.summary());
        out.push('.');
        out
    }

    /// As machines read it: a list of objects.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Array(self.list.iter().map(Problem::to_json).collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl Problem {
    /// An error of a file that says where clients are (`[geo]`).
    #[must_use]
    pub fn of_geo(message: String, hint: String) -> Self {
        let (places, notes) = (Vec::new(), Vec::new());
        Self { severity: Severity::Error, code: "E036", message, places, notes, hint: Some(hint) }
    }

    /// A warning of such a file: it can be read, and locates nobody.
    #[must_use]
    pub fn of_empty_geo(message: String, hint: String) -> Self {
        Self { severity: Severity::Warning, code: "W223", ..Self::of_geo(message, hint) }
    }

    /// The same in one line of it, counted from 1.
    #[must_use]
    pub fn in_line(mut self, file: &str, text: &str, line: usize) -> Self {
        let lines = Lines::of(text);
        let from = lines.start(line.saturating_sub(1)).unwrap_or(text.len());
        let to = text[from..].find('\n').map_or(text.len(), |length| from + length);
        self.places.push(Spot::new(file, &lines.line(text, from, to), String::new()));
        self
    }

    /// The place it is about first.
    #[must_use]
    pub fn at(&self) -> Option<&Spot> {
        self.places.first()
    }

    fn write(&self, out: &mut String, color: bool) {
        let paint = |text: &str, code: &str| {
            if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let tone = match self.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        let head = paint(&format!("{}[{}]", self.severity.word(), self.code), tone);
        out.push_str(&format!("{head}: {}\n", paint(&self.message, "1")));
        let digits = self.places.iter().map(|spot| spot.line.to_string().len()).max().unwrap_or(0).max(2);
        for spot in &self.places {
            let pad = " ".repeat(digits + 1);
            out.push_str(&format!("{pad}{} {}:{}:{}\n", paint("┌─", "2"), spot.file, spot.line, spot.column));
            out.push_str(&format!("{:>digits$} {} {}\n", spot.line, paint("│", "2"), spot.text));
            let carets = paint(&"^".repeat(spot.cells.max(1)), tone);
            let label = if spot.label.is_empty() { String::new() } else { format!(" {}", spot.label) };
            out.push_str(&format!("{pad}{} {}{carets}{label}\n", paint("│", "2"), spot.lead));
        }
        let pad = " ".repeat(digits + 1);
        let (last, others) = match self.notes.split_last() {
            Some((last, others)) => (last.as_str(), others),
            None => ("", &[][..]),
        };
        for note in others {
            out.push_str(&format!("{pad}= {note}\n"));
        }
        match (last, &self.hint) {
            ("", None) => {}
            ("", Some(hint)) => out.push_str(&format!("{pad}= {hint}\n")),
            (note, None) => out.push_str(&format!("{pad}= {note}\n")),
            (note, Some(hint)) => out.push_str(&format!("{pad}= {note}    {hint}\n")),
        }
    }

    /// As machines read it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let places: Vec<_> = self
            .places
            .iter()
            .map(|spot| {
                serde_json::json!({
                    "file": spot.file, "line": spot.line, "column": spot.column,
                    "text": spot.text, "label": spot.label,
                })
            })
            .collect();
        serde_json::json!({
            "severity": self.severity.word(), "code": self.code, "message": self.message,
            "places": places, "notes": self.notes, "hint": self.hint,
        })
    }
}

impl fmt::Display for Problem {
    /// One line: place, severity, code, message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(spot) = self.at() {
            write!(f, "{}:{}:{}: ", spot.file, spot.line, spot.column)?;
        }
        write!(f, "{}[{}]: {}", self.severity.word(), self.code, self.message)
    }
}

/// Terminal cells of a text.
pub(super) fn cells(text: &str) -> usize {
    text.chars().map(width).sum()
}
