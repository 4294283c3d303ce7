//! Reads a large text in pieces, each parsed by itself and taken over before the next.
//!
//! Why: tokens, events and the parser's own tree are thirty times the text. Of a fleet's 10 MB they are fresh memory of
//! which each page costs more to get than to fill; pieces use the same room, which stays in the cache, again.
//!
//! A text is cut only before a line that looks like the header of a section or an entity, or like a key of a section that
//! is one long list. Looks may deceive, inside a text of several lines say, so nothing is believed: where a piece does not
//! parse, a name comes twice, or what stands before a cut is not what it seemed, the text is read whole, and it is that
//! reading which finds the problem.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher as _,
};

use toml::de::DeTable;

use super::{Entry, Offset, Table, Value, table};
use crate::config::report::Place;

/// Octets of a piece, at least; it ends at the next line where it may.
pub(super) const PIECE: usize = 64 << 10;

/// The table of a text, if it is large enough to be cut and each piece is sound; the same that reading it whole gives.
pub(super) fn read(text: &str, file: u32, piece: usize) -> Option<Table> {
    let cuts = cuts(text, piece)?;
    let mut reading = Reading { text, root: Table::default(), seen: HashSet::new(), hasher: RandomState::new() };
    for (nth, cut) in cuts.iter().enumerate() {
        let next = cuts.get(nth + 1);
        let end = next.map_or(text.len(), |next| next.at);
        reading.piece(cut, &text[cut.at..end], file, next.and_then(|next| next.inside))?;
    }
    reading.root.entries.sort_by_key(|entry| entry.place);
    Some(reading.root)
}

/// Where a piece begins.
struct Cut<'t> {
    at: usize,
    /// The section it begins inside of; without one it begins with a header, or the text.
    inside: Option<&'t str>,
}

/// A line that looks like a header.
struct Header<'t> {
    first: &'t str,
    /// How many names it has, or more.
    depth: usize,
    is_list: bool,
}

impl<'t> Header<'t> {
    /// `None` for what is none, or begins with a name that may be spelt in several ways.
    fn of(line: &'t str) -> Option<Self> {
        let is_list = line.starts_with("[[");
        let inner = line.trim_start_matches('[');
        let first = &inner[..inner.find(|c: char| !is_bare(c))?];
        let rest = inner[first.len()..].trim_start();
        let depth = match rest.chars().next()? {
            ']' => 1,
            '.' => 1 + rest.split(['.', '"', '\'']).filter(|part| !part.trim().is_empty()).count(),
            _ => return None,
        };
        (!first.is_empty()).then_some(Self { first, depth, is_list })
    }
}

fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Where to cut; `None` where the text is short, or has headers that need a closer look than this.
fn cuts(text: &str, piece: usize) -> Option<Vec<Cut<'_>>> {
    if text.len() < 2 * piece {
        return None;
    }
    let mut cuts = vec![Cut { at: 0, inside: None }];
    let mut sections: HashMap<&str, usize> = HashMap::new();
    // The section that the line at hand is a key of, as it seems.
    let mut inside: Option<&str> = None;
    let (mut at, mut last) = (0, 0);
    for line in text.split_inclusive('\n') {
        let is_due = piece <= at - last;
        if line.starts_with('[') {
            let header = Header::of(line)?;
            let is_section = header.depth == 1 && !header.is_list;
            if is_section {
                // One that is opened twice is an error, wherever it is.
                let count = sections.entry(header.first).or_default();
                *count += 1;
                if 1 < *count {
                    return None;
                }
            }
            // What lies deeper belongs to an entity that is not to be cut apart.
            if is_due && header.depth <= 2 && !header.is_list {
                cuts.push(Cut { at, inside: None });
                last = at;
            }
            inside = is_section.then_some(header.first);
        } else if is_due && inside.is_some() && line.starts_with(is_bare) && line.contains('=') {
            cuts.push(Cut { at, inside });
            last = at;
        } else if line.trim_start().starts_with('[') && !line.contains(',') {
            // A header that is indented, or a list in a list.
            return None;
        }
        at += line.len();
    }
    (1 < cuts.len()).then_some(cuts)
}

struct Reading<'t> {
    text: &'t str,
    root: Table,
    /// Hashes of the names in each section: where two are equal the text is read whole, be they one name or not.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Reading<'_> {
    /// Parses a piece and takes it over. `next`: the section that the next one begins inside of.
    fn piece(&mut self, cut: &Cut<'_>, text: &str, file: u32, next: Option<&str>) -> Option<()> {
        let head = cut.inside.map(|section| format!("[{section}]\n")).unwrap_or_default();
        let by = cut.at.wrapping_sub(head.len());
        let whole = head + text;
        let piece = table(DeTable::parse(&whole).ok()?.into_inner(), Offset { file, by });
        if let Some(section) = next {
            ends_inside(&piece, section, &whole, by)?;
        }
        piece.entries.into_iter().try_for_each(|entry| self.take(entry, cut.inside))
    }

    /// A section, or a part of one.
    fn take(&mut self, entry: Entry, inside: Option<&str>) -> Option<()> {
        let continues = inside == Some(&*entry.key);
        if let Value::Table(table) = &entry.node.value {
            let fresh = |child: &Entry| self.seen.insert(self.hasher.hash_one((&entry.key, &child.key)));
            if !table.entries.iter().all(fresh) {
                return None;
            }
        }
        let Some(known) = self.root.entries.iter_mut().find(|known| known.key == entry.key) else {
            self.root.entries.push(entry);
            return (!continues).then_some(());
        };
        let text = self.text;
        let by_header = |place: Place| text[..place.from].ends_with('[');
        if !(by_header(known.place) && (continues || by_header(entry.place))) {
            return None;
        }
        // The header of the section itself is its place, wherever entities of it stood before.
        if !continues && is_table(&entry) && text.as_bytes().get(entry.node.place.from) == Some(&b'[') {
            (known.place, known.node.place) = (entry.place, entry.node.place);
        }
        match (&mut known.node.value, entry.node.value) {
            (Value::Table(known), Value::Table(more)) => known.entries.extend(more.entries),
            (Value::List(known), Value::List(more)) => known.extend(more),
            (_, _) => return None,
        }
        Some(())
    }
}

fn is_table(entry: &Entry) -> bool {
    matches!(entry.node.value, Value::Table(_))
}

/// That a piece ends with a value of a section: behind the last one nothing stands but blanks and comments.
fn ends_inside(piece: &Table, section: &str, text: &str, by: usize) -> Option<()> {
    let last = piece.get(section)?.table()?.entries.last()?;
    let rest = text.get(last.node.place.to.wrapping_sub(by)..)?;
    let nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    rest.split('\n').all(nothing).then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Option<Table> {
        Some(table(DeTable::parse(text).ok()?.into_inner(), Offset { file: 3, by: 0 }))
    }

    /// What is read in pieces must be what is read whole; how many pieces there were.
    fn check(text: &str, piece: usize) -> usize {
        let Some(table) = read(text, 3, piece) else { return 0 };
        assert_eq!(Some(table), whole(text), "{piece}:\n{text}");
        cuts(text, piece).map_or(0, |cuts| cuts.len())
    }

    const LONG: &str = r#"a = 1
[zone."x.example"]
ns = { n = "192.0.2.1" }
[endpoint]
e1 = { address = "192.0.2.1" } # one
e2 = { address = [
  "192.0.2.2",
] }
# more
e3 = { address = "192.0.2.3" }
e4 = { address = "192.0.2.3" }
[service.a]
names = ["a"]
[service.a.sticky]
v4 = 1
[[service.a.rule]]
pools = ["p"]
[service]
b = { ttl = "1s" }
c = { ttl = "2s" }
[service.d]
names = []
[[test]]
name = "x"
[pool.p]
endpoints = ["e1"]
"#;

    #[test]
    fn pieces_make_the_table_that_the_whole_makes() {
        let pieces: Vec<usize> = (1..LONG.len()).map(|piece| check(LONG, piece)).collect();
        assert!(pieces.iter().any(|count| 4 < *count), "{pieces:?}");
        assert_eq!(check(LONG, LONG.len()), 0, "a short text is not cut");
    }

    #[test]
    fn what_looks_like_a_header_and_is_none_is_seen() {
        for text in [
            "[zone.a]\nrecords = '''\n[service]\nx = 1\n'''\n[service]\ny = { a = 1 }\nz = { a = 1 }\n",
            "[zone.a]\nrecords = '''\n[service]\n'''\nx = 1\ny = 2\nz = 3\n",
            "[a]\nlist = [\n[1],\n[2]\n]\nb = 1\nc = 2\n",
            "[a]\nb.c = 1\nb.d = 2\ne = 3\nf = 4\n",
            "[a]\nb = 1\nc = 2\n[a]\nd = 3\ne = 4\n",
            "[a]\nb = 1\nc = 2\nb = 3\ne = 4\n",
            "a.b = 1\nc = 2\n[a]\nd = 3\ne = 4\n[a.f]\ng = 1\n",
            "a = { b = 1 }\n[c]\nd = 3\n[a.f]\ng = 1\n",
            "a = [{ b = 1 }]\n[c]\nd = 3\n[[a]]\ng = 1\n",
            "[a]\nb = 1\n[\"a\"]\nc = 1\n[a.d]\ne = 1\n",
            "[a.b]\nc = 1\n[a.\"b\"]\nd = 1\n[a.e]\nf = 1\n",
            "[a]\r\nb = 1\r\nc = 2\r\n[d]\r\ne = 4\r\n",
        ] {
            for piece in 1..text.len() {
                check(text, piece);
            }
        }
    }

    /// Lines of which a text may or may not be TOML.
    const LINES: [&str; 31] = [
        "[a]",
        "[b]",
        "[a.x]",
        "[a.y]",
        "[a.x.z]",
        "[[a.x.l]]",
        "[[t]]",
        "[ a ]",
        "[a . x]",
        "[\"a\"]",
        "[a.'x']",
        "  [b]",
        "k = 1",
        "l = { m = 1 }",
        "n = [1,",
        "[2],",
        "2]",
        "o = '''",
        "'''",
        "p.q = 1",
        "x = 2",
        "# c",
        "",
        "r = \"[a]\" # [a]",
        "x.k = 3",
        "t = [{}]",
        "a = 1",
        "s = [",
        "[3]",
        "]",
        "y = { b = 2 } # c",
    ];

    proptest! {
        #[test]
        fn no_cut_changes_what_is_read(
            lines in prop::collection::vec(prop::sample::select(LINES.to_vec()), 2..14),
            piece in 1_usize..24,
        ) {
            check(&lines.join("\n"), piece);
        }
    }
}
