//! Tables: aligned columns for people, tab-separated fields for programs, from the same cells.

use super::{
    paint::{Paint, Tone, marked, tone},
    safe,
};

/// One field. The text is made harmless when it is taken in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
    state: bool,
}

impl Cell {
    /// A field with its tone.
    pub(in crate::cli) fn toned(tone: Tone, text: &str) -> Self {
        Self { text: safe::cell(text), tone, state: false }
    }

    /// A state: shown to people with its symbol, to programs as the word.
    pub(in crate::cli) fn state(word: &str) -> Self {
        Self { text: safe::cell(word), tone: tone(word), state: true }
    }

    fn shown(&self) -> String {
        if self.state && !self.text.is_empty() { marked(&self.text) } else { self.text.clone() }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// Rows of equally many cells under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::cli) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub(in crate::cli) fn new(heading: &[&'static str]) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub(in crate::cli) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.heading.len(), "a row has as many cells as the heading");
        self.rows.push(cells.into());
    }

    /// Whether there is nothing to show.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// For people: columns aligned, two spaces between, nothing trailing.
    pub(in crate::cli) fn aligned(&self, paint: Paint) -> String {
        let mut widths: Vec<usize> = self.heading.iter().map(|title| title.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.shown().chars().count());
            }
        }
        let heading: Vec<Cell> = self.heading.iter().map(|title| Cell::toned(Tone::Faint, title)).collect();
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
                let shown = cell.shown();
                text.push_str(&paint.tone(cell.tone, &shown));
                if column < last {
                    let gap = width - shown.chars().count() + 2;
                    text.extend(std::iter::repeat_n(' ', gap));
                }
            }
            text.push('\n');
        }
        text
    }

    /// For programs: one line a row, fields separated by a tab, no heading.
    pub(in crate::cli) fn plain(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let fields: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
            text.push_str(&fields.join("\t"));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_fields_are_tabbed() {
        let mut table = Table::new(&["ID", "STATE", "WHY"]);
        table.row(["aws-use".into(), Cell::state("down"), "timeout\u{1b}[2J".into()]);
        table.row(["x".into(), Cell::state("up"), "".into()]);
        assert_eq!(
            table.aligned(Paint(false)),
            "ID       STATE   WHY\naws-use  ✖ down  timeout\\u{1b}[2J\nx        ● up\n"
        );
        assert_eq!(table.plain(), "aws-use\tdown\ttimeout\\u{1b}[2J\nx\tup\t\n");
    }
}
