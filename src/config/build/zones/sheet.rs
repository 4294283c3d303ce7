//! From an offset in a string's value to its place in the file, for records written inline.

use crate::config::{
    report::{Place, Source},
    text::Lines,
};

/// How a value lies in its file.
pub(super) struct Map {
    node: Place,
    /// Where the value begins, when it stands in the file octet by octet.
    exact: Option<usize>,
    /// Else: the file's lines from the value's first line on.
    lines: Vec<(usize, usize)>,
    value: Lines,
}

impl Map {
    pub(super) fn new(node: Place, value: &str, source: &Source) -> Self {
        let raw = &source.text[node.from..node.to];
        let exact = raw.find(value).filter(|_| !value.is_empty()).map(|at| node.from + at);
        // A line feed right behind the opening quotes belongs to no line of the value.
        let skip = usize::from(raw.get(3..).is_some_and(|rest| rest.starts_with(['\n', '\r'])));
        let first = source.lines().number(node.from) + skip;
        let last = source.lines().number(node.to);
        let end = |number: usize| source.lines().start(number + 1).map_or(source.text.len(), |next| next - 1);
        let lines = (first..=last.max(first)).filter_map(|n| Some((source.lines().start(n)?, end(n))));
        Self { node, exact, lines: lines.collect(), value: Lines::of(value) }
    }

    pub(super) fn place(&self, from: usize, to: usize) -> Place {
        if let Some(start) = self.exact {
            return Place { file: self.node.file, from: start + from, to: start + to };
        }
        // Escapes or variables moved the octets: the line is what can still be told.
        match self.lines.get(self.value.number(from)).or_else(|| self.lines.last()) {
            Some((from, to)) => Place { file: self.node.file, from: *from, to: *to },
            None => self.node,
        }
    }
}
