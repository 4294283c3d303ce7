//! Text of others (reasons, error pages, names) made harmless for a terminal.
//!
//! Why: an override's reason or a probe's failure text may hold escape sequences that retitle a window, hide lines or
//! paste commands, and bidirectional controls that make a line read as something else.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Longest cell of a table, in characters; the rest is cut with `…`.
pub(in crate::cli) const CELL_LENGTH_MAX: usize = 200;

/// One line without anything a terminal acts on; such characters are shown as `\u{1b}`.
pub(in crate::cli) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| acts(c) || matches!(c, '\n' | '\t'))
}

/// The same, with line ends and tabs left as they are.
pub(in crate::cli) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// One line of at most [`CELL_LENGTH_MAX`] characters.
pub(in crate::cli) fn cell(text: &str) -> String {
    let text = line(text);
    match text.char_indices().nth(CELL_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// JSON text with the same meaning and without raw characters a terminal acts on: they can only stand inside strings,
/// where `\u009b` means the same.
pub(in crate::cli) fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(safe, "\\u{unit:04x}").expect("writing to a string does not fail");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn escaped(text: &str, strange: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&strange) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if strange(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Control characters (C0, DEL, C1) but line end and tab, invisible and bidirectional formatting, line separators.
fn acts(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_shown_not_sent() {
        let rows = [
            ("plain text, ümlaut ▲", "plain text, ümlaut ▲"),
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("a\u{9b}2Jb", "a\\u{9b}2Jb"),
            ("two\nlines\tand\r", "two\\u{a}lines\\u{9}and\\u{d}"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
        ];
        for (hostile, safe) in rows {
            assert_eq!(line(hostile), safe);
        }
        assert_eq!(lines("a\n\tb\u{1b}"), "a\n\tb\\u{1b}");
    }

    #[test]
    fn a_long_cell_is_cut() {
        assert_eq!(cell(&"x".repeat(CELL_LENGTH_MAX)).chars().count(), CELL_LENGTH_MAX);
        assert_eq!(cell(&"x".repeat(CELL_LENGTH_MAX + 1)).chars().count(), CELL_LENGTH_MAX + 1);
        assert!(cell(&"é".repeat(1000)).ends_with('…'));
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_acts_on_survives(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(|c| c.is_control()));
            prop_assert!(!lines(&text).contains(acts));
        }

        #[test]
        fn safe_json_means_the_same(text in any::<String>()) {
            let body = serde_json::to_string(&text).unwrap();
            let safe = json(&body);
            prop_assert!(!safe.contains(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }
}
