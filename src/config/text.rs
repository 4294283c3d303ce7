//! Lines, columns and cells: where an offset lies in a text, and how that line is shown on a terminal.

use super::problem::cells;

/// Most characters of a line that are shown.
const EXCERPT_MAX: usize = 120;
/// Characters shown before the place when a line is cut.
const EXCERPT_LEAD: usize = 60;

/// Where each line of a text starts, so that a place is found without reading the text again.
#[derive(Debug, Clone)]
pub(super) struct Lines(Vec<usize>);

/// One line with a marked part.
pub(super) struct Line<'t> {
    /// From 1.
    pub(super) number: u32,
    /// From 1, in characters.
    pub(super) column: u32,
    text: &'t str,
    /// Octets into `text`.
    from: usize,
    to: usize,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect())
    }

    /// The number of the line that holds an offset, from 0.
    pub(super) fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Where a line starts; the text's end for lines beyond it.
    pub(super) fn start(&self, number: usize) -> Option<usize> {
        self.0.get(number).copied()
    }

    /// The line that holds `from`, with everything up to `to` marked as far as the line goes.
    pub(super) fn line<'t>(&self, text: &'t str, from: usize, to: usize) -> Line<'t> {
        let from = floor(text, from.min(text.len()));
        let to = floor(text, to.min(text.len())).max(from);
        let number = self.number(from);
        let start = self.0[number];
        let rest = &text[start..];
        let line = rest.split('\n').next().unwrap_or("").trim_end_matches('\r');
        let from = (from - start).min(line.len());
        let to = (to - start).clamp(from, line.len());
        let column = line[..floor(line, from)].chars().count() + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Line { number: small(number + 1), column: small(column), text: line, from, to }
    }
}

impl Line<'_> {
    /// The line to show, what stands before the marked part (tabs kept, so that the caret aligns on any terminal), and
    /// the cells of the marked part.
    pub(super) fn excerpt(&self) -> (String, String, usize) {
        let (before, marked) = (&self.text[..self.from], &self.text[self.from..self.to]);
        // Looked at from its end: the line may be a megabyte, and be shown for each of its problems.
        let fits = before.char_indices().rev().nth(EXCERPT_MAX - EXCERPT_LEAD).is_none();
        let skipped = match before.char_indices().rev().nth(EXCERPT_LEAD - 1) {
            Some((at, _)) if !fits => at,
            _ => 0,
        };
        let before: String = before[skipped..].chars().map(harmless).collect();
        let before = if skipped > 0 { format!("…{before}") } else { before };
        let mut shown: String = self.text[self.from..].chars().take(EXCERPT_MAX).map(harmless).collect();
        if self.text[self.from..].chars().nth(EXCERPT_MAX).is_some() {
            shown.push('…');
        }
        let marked: String = marked.chars().take(EXCERPT_MAX).map(harmless).collect();
        let lead = before.chars().map(|c| if c == '\t' { "\t".into() } else { " ".repeat(width(c)) }).collect();
        (format!("{before}{shown}"), lead, cells(&marked))
    }
}

/// The nearest boundary of characters at or below an offset.
pub(super) fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A text for people in which words of a file may stand; its own line breaks stay.
pub(super) fn tame(text: String) -> String {
    let kept = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(kept) {
        return text;
    }
    text.chars().map(|c| if kept(c) { c } else { harmless(c) }).collect()
}

/// Control characters could move the cursor or colour the terminal.
fn harmless(c: char) -> char {
    if c.is_control() && c != '\t' { '\u{fffd}' } else { c }
}

/// Terminal cells of a character: none for combining marks, two for wide scripts and pictures (the blocks of Unicode's
/// EastAsianWidth that matter in comments).
pub(super) fn width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
