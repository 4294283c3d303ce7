//! What a value may be: the small language in which [`super::keys`] describes every key, once, for the loader, for
//! did-you-mean, for the JSON Schema and for the reference file's test.

use super::forms::Form;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string of a form.
    Text(&'static Form),
    /// One of these words; those behind come in a later version.
    Word(&'static [&'static str], &'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// A whole number, both ends included.
    Whole(i64, i64),
    /// Two numbers: latitude and longitude.
    Coordinates,
    /// RFC 3339, bare or as a string.
    Time,
    /// A list, with the fewest and most items.
    List(&'static Self, usize, usize),
    /// One value or a list of them.
    Many(&'static Self),
    /// Keys known beforehand.
    Table(&'static Section),
    /// Keys of a form, all with the same kind of value.
    Map(&'static Form, &'static Self),
    /// Whichever fits the TOML type that was written.
    Either(&'static [Self]),
    /// `{ file = }`, `{ credential = }`, `{ env = }`, or, with a warning, the value itself.
    Secret,
}

/// A key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether leaving it out is an error.
    pub(super) need: bool,
    /// Its default as TOML; empty when there is none.
    pub(super) default: &'static str,
    /// What it does, for editors and the reference.
    pub(super) doc: &'static str,
}

/// A table with known keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub(super) keys: &'static [Key],
    /// Names that are fixed already, but whose feature is not in this version.
    pub(super) later: &'static [&'static str],
}

impl Key {
    pub(super) const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, kind, need: false, default, doc }
    }

    pub(super) const fn needed(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, need: true, default: "", doc }
    }

    /// The default as JSON.
    pub(super) fn default(&self) -> Option<serde_json::Value> {
        if self.default.is_empty() {
            return None;
        }
        let table: toml::Table = format!("x = {}", self.default).parse().expect("defaults in the table are TOML");
        serde_json::to_value(&table["x"]).ok()
    }
}

impl Section {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Kind {
    /// The form with a unit that this kind takes, if it takes one.
    pub(super) fn with_unit(&self) -> Option<&'static Form> {
        match self {
            Self::Text(form) => (!form.unit.is_empty()).then_some(form),
            Self::Many(item) => item.with_unit(),
            Self::Either(kinds) => kinds.iter().find_map(Self::with_unit),
            Self::Word(..)
            | Self::Bool
            | Self::Whole(..)
            | Self::Coordinates
            | Self::Time
            | Self::List(..)
            | Self::Table(_)
            | Self::Map(..)
            | Self::Secret => None,
        }
    }

    /// What to write, for people.
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Text(form) => format!("{} in quotes, as in \"{}\"", form.what, form.example),
            Self::Word(words, _) => format!("one of {}", quoted(words)),
            Self::Bool => "true or false".into(),
            Self::Whole(low, high) => match (*low, *high) {
                (low, i64::MAX) => format!("a whole number from {low} on"),
                (low, high) => format!("a whole number from {low} to {high}"),
            },
            Self::Coordinates => "latitude and longitude, as in [53.3, -6.3]".into(),
            Self::Time => "a time, as in 2027-03-31T00:00:00Z".into(),
            Self::List(item, ..) => format!("a list; each item is {}", item.wanted()),
            Self::Many(item) => format!("{}, or a list of them", item.wanted()),
            Self::Table(section) => {
                let names: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
                format!("a table with {}", quoted(&names))
            }
            Self::Map(form, item) => format!("a table: {} = {}", form.what, item.wanted()),
            Self::Either(kinds) => kinds.iter().map(Self::wanted).collect::<Vec<_>>().join(", or "),
            Self::Secret => "{ file = \"...\" }, { credential = \"...\" } or { env = \"...\" }".into(),
        }
    }
}

/// `a`, `b` and `c`, each in backquotes.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
