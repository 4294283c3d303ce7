//! The configuration as a tree that knows where each value was written, whatever file it came from.
//!
//! Why not serde: `flatten` and `untagged` lose places and reasons, and it stops at the first error.

mod pieces;

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Place, Raw, Report};

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What TOML knows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// `None`: beyond 64 bits.
    Whole(Option<i64>),
    Float(f64),
    Bool(bool),
    Time(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys in the order they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        let Value::Text(text) = &self.value else { return None };
        Some(text)
    }

    pub(super) fn whole(&self) -> Option<i64> {
        let Value::Whole(number) = &self.value else { return None };
        *number
    }

    /// A number with or without a fraction.
    pub(super) fn number(&self) -> Option<f64> {
        if let Value::Float(number) = self.value { Some(number) } else { self.whole().map(|number| number as f64) }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        let Value::Table(table) = &self.value else { return None };
        Some(table)
    }

    /// The items of a list, or the single value itself.
    pub(super) fn items(&self) -> &[Self] {
        if let Value::List(list) = &self.value { list } else { std::slice::from_ref(self) }
    }

    /// What TOML calls it, with its article.
    pub(super) fn what(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Whole(_) => "a whole number",
            Value::Float(_) => "a fraction",
            Value::Bool(_) => "true or false",
            Value::Time(_) => "a time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

impl Table {
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// A value parsed from its text; `None` when absent or when the text does not parse, which the shape pass has
    /// said already.
    pub(super) fn parse<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        T::try_from(self.get(key)?.whole()?).ok()
    }

    pub(super) fn bool(&self, key: &str) -> Option<bool> {
        if let Value::Bool(yes) = self.get(key)?.value { Some(yes) } else { None }
    }

    /// A table below; an empty one when absent.
    pub(super) fn section(&self, key: &str) -> &Self {
        static EMPTY: Table = Table { entries: Vec::new() };
        self.get(key).and_then(Node::table).unwrap_or(&EMPTY)
    }
}

/// Most paragraphs whose syntax errors are reported; beyond that it is some other kind of file.
const BROKEN_MAX: usize = 20;
/// Texts with a syntax error and more octets than this are not looked at further: each octet of garbage may be an error.
const RECOVERY_MAX: usize = 4 << 20;

/// Texts with more octets than this are read [`apart`].
const APART_MIN: usize = 1 << 20;

/// Reads one text as far as it can be read; `false` beside it when its syntax is broken somewhere.
///
/// One slip makes many errors behind it, so only the first of each paragraph is reported, and other problems in such a
/// paragraph are not believed.
pub(super) fn read(file: u32, report: &mut Report) -> (Table, bool) {
    let text = std::mem::take(&mut report.sources[file as usize].text);
    let (table, mut errors) = if APART_MIN < text.len() { apart(|| parse(&text, file)) } else { parse(&text, file) };
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let (mut sound, mut paragraphs, mut behind) = (true, 0, 0);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let place = Place { file, from: span.start, to: span.end };
        if error.message().starts_with("duplicate key") {
            let raw = Raw::error("E011", "the same key stands twice in one table").at(place, "again here");
            let first = if report.is_full() { None } else { earlier(&text, span.start, span.end) };
            report.add(match first {
                Some(from) => raw.at(Place { file, from, to: from + span.len() }, "first here"),
                None => raw,
            });
            continue;
        }
        sound = false;
        if (paragraphs > 0 && span.start < behind) || paragraphs >= BROKEN_MAX {
            continue;
        }
        let (start, end) = paragraph(&text, span.start);
        paragraphs += 1;
        behind = end;
        report.add(Raw::error("E002", "this is not TOML").at(place, error.message().to_owned()));
        report.distrust(Place { file, from: start, to: end });
    }
    report.sources[file as usize].text = text;
    (table, sound)
}

fn parse(text: &str, file: u32) -> (Table, Vec<toml::de::Error>) {
    if let Some(table) = pieces::read(text, file, pieces::PIECE) {
        return (table, Vec::new());
    }
    let (root, errors) = match DeTable::parse(text) {
        Ok(root) => (root, Vec::new()),
        Err(error) if text.len() > RECOVERY_MAX => (Spanned::new(0..0, DeTable::new()), vec![error]),
        Err(_) => DeTable::parse_recoverable(text),
    };
    (table(root.into_inner(), Offset { file, by: 0 }), errors)
}

/// Works on a thread of its own and waits for it. The common allocator gives each thread a place of its own, so the
/// million small pieces of a large tree go back to the system together. Otherwise they would lie between what is made
/// of them and stays, and a node would hold several times the memory it uses.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where the key at an offset stood before: in an equal header, or on a line of the same table. The parser tells only
/// the second place.
fn earlier(text: &str, from: usize, to: usize) -> Option<usize> {
    let start = text.get(..from)?.rfind('\n').map_or(0, |at| at + 1);
    let (line, column) = (&text[start..], from - start);
    if line.starts_with('[') {
        let header = &line[..=line.find(']')?];
        let before = text[..start].match_indices(header);
        return before.map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with('\n')).map(|at| at + column);
    }
    let key = text.get(start..to)?.trim_start();
    let mut at = start;
    for line in text[..start].split_inclusive('\n').rev().take_while(|line| !line.starts_with('[')) {
        at -= line.len();
        let found = line.trim_start();
        if found.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return Some(at + line.len() - found.len());
        }
    }
    None
}

/// The lines around an offset up to a blank line or a table's header.
fn paragraph(text: &str, at: usize) -> (usize, usize) {
    let at = super::text::floor(text, at.min(text.len()));
    let begins = |line: &str| line.trim().is_empty() || line.starts_with('[');
    let (mut start, mut place) = (0, 0);
    for line in text.split_inclusive('\n') {
        if begins(line) {
            if place > at {
                return (start, place);
            }
            start = place;
        }
        place += line.len();
    }
    (start, text.len())
}

/// Where what was parsed stands in its file: so many octets further on than in what was parsed.
#[derive(Clone, Copy)]
struct Offset {
    file: u32,
    /// Wraps around where it stands before that.
    by: usize,
}

impl Offset {
    fn place(self, span: std::ops::Range<usize>) -> Place {
        Place { file: self.file, from: span.start.wrapping_add(self.by), to: span.end.wrapping_add(self.by) }
    }
}

fn table(from: DeTable<'_>, at: Offset) -> Table {
    let mut entries: Vec<Entry> = from
        .into_iter()
        .map(|(key, value)| {
            let place = at.place(key.span());
            Entry { key: key.into_inner().into_owned(), place, node: node(value, at) }
        })
        .collect();
    // The parser sorts by name; lists of problems and of entities follow the file.
    entries.sort_by_key(|entry| entry.place);
    Table { entries }
}

fn node(from: Spanned<DeValue<'_>>, at: Offset) -> Node {
    let place = at.place(from.span());
    let value = match from.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => Value::Whole(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(list) => Value::List(list.into_iter().map(|item| node(item, at)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, at)),
    };
    Node { place, value }
}

/// Puts another file's tables into the first one's: sections of the same name are joined, lists of tables follow each
/// other, and anything else that stands twice is a problem at both places.
pub(super) fn merge(into: &mut Table, from: Table, report: &mut Report) {
    for entry in from.entries {
        let Some(known) = into.entries.iter_mut().find(|known| known.key == entry.key) else {
            into.entries.push(entry);
            continue;
        };
        let kind = entry.key;
        match (&mut known.node.value, entry.node.value) {
            (Value::Table(known), Value::Table(more)) => join(&kind, known, more, report),
            (Value::List(list), Value::List(items)) if items.iter().all(|item| item.table().is_some()) => {
                list.extend(items);
            }
            (_, _) => report.add(
                Raw::error("E011", format!("`{kind}` stands in two files"))
                    .at(entry.place, "again here")
                    .at(known.place, "first here"),
            ),
        }
    }
}

fn join(kind: &str, known: &mut Table, more: Table, report: &mut Report) {
    let places: HashMap<String, usize> =
        known.entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
    for entry in more.entries {
        let Some(first) = places.get(&entry.key).map(|at| &mut known.entries[*at]) else {
            known.entries.push(entry);
            continue;
        };
        match (&mut first.node.value, entry.node.value) {
            (Value::List(list), Value::List(items)) if items.iter().all(|item| item.table().is_some()) => {
                list.extend(items);
            }
            (_, _) => report.add(
                Raw::error("E011", format!("{kind} `{}` stands in two places", entry.key))
                    .at(entry.place, "again here")
                    .at(first.place, "first here"),
            ),
        }
    }
}
