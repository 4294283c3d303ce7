//! The first pass: every key known, every value of its form. It says all that can be said of a value alone; what values
//! mean together is the business of [`super::build`].

use std::fmt;

use super::{
    document::{Node, Table, Value},
    forms,
    forms::{Form, Wrong},
    kind::{Kind, Section, quoted},
    report::{Raw, Report},
};

/// How alike two words must be for "did you mean", by Jaro-Winkler.
const ALIKE: f64 = 0.85;
/// Most candidates that are compared for "did you mean": it is a courtesy, and quadratic.
const CANDIDATES_MAX: usize = 2000;

/// What a table is called in a problem. Made into a text only there: there may be 100,000 tables, and few have one.
#[derive(Clone, Copy)]
pub(super) enum Title<'t> {
    /// The outermost.
    Whole,
    /// By the key that it is the value of.
    Key(&'t str),
    /// An entity, by its kind and id.
    Entity(&'t str, &'t str),
}

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the configuration"),
            Self::Key(key) => write!(f, "`{key}`"),
            Self::Entity(kind, id) => write!(f, "{kind} `{id}`"),
        }
    }
}

/// Checks a table against its section.
pub(super) fn table(table: &Table, section: &'static Section, what: Title<'_>, report: &mut Report) {
    // A key that is missing is the likelier meaning of one that is misspelt. Looked up once: a table may be huge.
    let mut absent: Option<Vec<&str>> = None;
    for entry in &table.entries {
        if let Some(key) = section.key(&entry.key) {
            value(&entry.node, &key.kind, key.name, report);
        } else if section.later.contains(&entry.key.as_str()) {
            report.add(
                Raw::error("E004", format!("`{}` is not in this version", entry.key))
                    .at(entry.place, "leave it out for now"),
            );
        } else {
            let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            let absent = absent
                .get_or_insert_with(|| known.iter().copied().filter(|name| table.entry(name).is_none()).collect());
            let likely = absent.iter().chain(&known).copied();
            let likely = if report.is_full() { None } else { closest(&entry.key, likely) };
            let label = likely.map(|name| format!("did you mean `{name}`?")).unwrap_or_default();
            report.add(
                Raw::error("E003", format!("{what} has no key `{}`", entry.key))
                    .at(entry.place, label)
                    .note(format!("known keys: {}", known.join(", "))),
            );
        }
    }
}

/// Keys that must be there. Apart from [`table`], because an entity's key is the place to point at.
fn needs(table: &Table, section: &Section, node: &Node, what: Title<'_>, report: &mut Report) {
    // What is written with a later version's key in mind misses nothing that could be said now.
    if table.entries.iter().any(|entry| section.later.contains(&entry.key.as_str())) {
        return;
    }
    for key in section.keys.iter().filter(|key| key.need && table.entry(key.name).is_none()) {
        let label = format!("`{}` is missing: {}", key.name, key.kind.wanted());
        report.add(Raw::error("E006", format!("{what} has no `{}`", key.name)).at(node.place, label));
    }
}

fn value(node: &Node, kind: &'static Kind, name: &str, report: &mut Report) {
    match (kind, &node.value) {
        (Kind::Text(form), Value::Text(text)) => self::form(node, form, text, report),
        (Kind::Word(words, later), Value::Text(text)) => word(node, words, later, text, report),
        (Kind::Whole(low, high), Value::Whole(number)) => match number {
            Some(number) if (low..=high).contains(&number) => {}
            _ => report.add(
                Raw::error("E008", format!("`{name}` is out of range"))
                    .at(node.place, format!("write {}", kind.wanted())),
            ),
        },
        (Kind::Bool, Value::Bool(_)) => {}
        (Kind::Time, Value::Text(text) | Value::Time(text)) => complain(node, "E016", forms::time(text), report),
        (Kind::Coordinates, Value::List(list)) => coordinates(node, list, report),
        (Kind::List(item, low, high), Value::List(list)) => {
            if !(*low..=*high).contains(&list.len()) {
                let wanted = if list.len() < *low { format!("at least {low}") } else { format!("at most {high}") };
                report.add(
                    Raw::error("E008", format!("`{name}` has {} items", list.len()))
                        .at(node.place, format!("write {wanted}")),
                );
            }
            list.iter().for_each(|node| value(node, item, name, report));
        }
        (Kind::Many(item), Value::List(list)) => list.iter().for_each(|node| value(node, item, name, report)),
        (Kind::Many(item), _) => value(node, item, name, report),
        (Kind::Table(section), Value::Table(inner)) => {
            table(inner, section, Title::Key(name), report);
            needs(inner, section, node, Title::Key(name), report);
        }
        (Kind::Map(form, item), Value::Table(inner)) => map(inner, form, item, name, report),
        (Kind::Secret, Value::Text(_) | Value::Table(_)) => {} // `secret.rs` reads it and says what is wrong.
        (Kind::Either(kinds), _) => match kinds.iter().find(|kind| fits(kind, &node.value)) {
            Some(kind) => value(node, kind, name, report),
            None => mistyped(node, kind, name, report),
        },
        (
            Kind::Text(_)
            | Kind::Word(..)
            | Kind::Whole(..)
            | Kind::Bool
            | Kind::Time
            | Kind::Coordinates
            | Kind::List(..)
            | Kind::Table(_)
            | Kind::Map(..)
            | Kind::Secret,
            _,
        ) => mistyped(node, kind, name, report),
    }
}

/// Whether the TOML type is the one a kind takes.
fn fits(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Text(_) | Kind::Word(..) => matches!(value, Value::Text(_)),
        Kind::Whole(..) => matches!(value, Value::Whole(_)),
        Kind::Bool => matches!(value, Value::Bool(_)),
        Kind::Time => matches!(value, Value::Time(_) | Value::Text(_)),
        Kind::Coordinates | Kind::List(..) => matches!(value, Value::List(_)),
        Kind::Many(item) => matches!(value, Value::List(_)) || fits(item, value),
        Kind::Table(_) | Kind::Map(..) => matches!(value, Value::Table(_)),
        Kind::Secret => matches!(value, Value::Table(_) | Value::Text(_)),
        Kind::Either(kinds) => kinds.iter().any(|kind| fits(kind, value)),
    }
}

fn mistyped(node: &Node, kind: &Kind, name: &str, report: &mut Report) {
    // A bare number where a unit belongs is the most common slip, and its correction is known.
    if let (Some(number), Some(form)) = (node.whole(), kind.with_unit()) {
        report.add(
            Raw::error(form.code, format!("{} needs a unit", form.what.trim_end_matches(" or `auto`")))
                .at(node.place, format!("write \"{number}{}\"", form.unit)),
        );
        return;
    }
    report.add(
        Raw::error("E005", format!("`{name}` is {} here", node.what()))
            .at(node.place, format!("write {}", kind.wanted())),
    );
}

fn form(node: &Node, form: &Form, text: &str, report: &mut Report) {
    complain(node, form.code, (form.check)(text), report);
}

fn complain(node: &Node, code: &'static str, result: Result<(), Wrong>, report: &mut Report) {
    if let Err(wrong) = result {
        report.add(Raw::error(code, wrong.message).at(node.place, wrong.label));
    }
}

fn word(node: &Node, words: &[&str], later: &[&str], text: &str, report: &mut Report) {
    if words.contains(&text) {
        return;
    }
    if later.contains(&text) {
        let label = format!("one of {} for now", quoted(words));
        report.add(Raw::error("E004", format!("`{text}` is not in this version")).at(node.place, label));
        return;
    }
    let label = match closest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("write one of {}", quoted(words)),
    };
    report.add(Raw::error("E009", format!("`{text}` is not a value of this key")).at(node.place, label));
}

fn map(table_: &Table, form: &Form, item: &'static Kind, name: &str, report: &mut Report) {
    for entry in &table_.entries {
        if let Err(wrong) = (form.check)(&entry.key) {
            report.add(Raw::error(form.code, wrong.message).at(entry.place, wrong.label));
        }
        match (item, &entry.node.value) {
            (Kind::Table(section), Value::Table(inner)) => {
                let what = Title::Entity(name, &entry.key);
                table(inner, section, what, report);
                let at = Node { place: entry.place, value: Value::Bool(true) };
                needs(inner, section, &at, what, report);
            }
            (_, _) => value(&entry.node, item, &entry.key, report),
        }
    }
}

fn coordinates(node: &Node, list: &[Node], report: &mut Report) {
    let at: Vec<f64> = list.iter().filter_map(Node::number).collect();
    let right = at.len() == 2 && list.len() == 2 && at[0].abs() <= 90.0 && at[1].abs() <= 180.0;
    if !right {
        report.add(
            Raw::error("E008", "a place on earth is latitude (-90 to 90) and longitude (-180 to 180)")
                .at(node.place, "as in [53.3, -6.3]"),
        );
    }
}

/// The candidate most like a text, if it is alike enough.
pub(super) fn closest<'c>(text: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    if text.len() > 256 {
        return None;
    }
    candidates
        .take(CANDIDATES_MAX)
        .map(|candidate| (alike(text, candidate), candidate))
        .filter(|(alike, _)| *alike >= ALIKE)
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, candidate)| candidate)
}

/// Jaro-Winkler is hard on short words, where one wrong letter of three is still the likeliest reason.
fn alike(text: &str, candidate: &str) -> f64 {
    let alike = strsim::jaro_winkler(text, candidate);
    let slip =
        text.len() >= 3 && text.len().abs_diff(candidate.len()) <= 1 && strsim::osa_distance(text, candidate) == 1;
    if slip { alike.max(ALIKE) } else { alike }
}
