//! Splits a master file into entries and their tokens: comments, quotes, parentheses, escapes (RFC 1035 section 5.1).

/// One entry: what stands on a line, or on several within parentheses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// Whether it begins with a blank: the owner is the one before.
    pub(super) indented: bool,
    pub(super) tokens: Vec<Token<'t>>,
}

/// A token as written, with quotes and escapes.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) raw: &'t str,
    /// Its offset in the text.
    pub(super) at: usize,
}

/// An entry that cannot be split.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// All entries of a text; after a mistake it goes on with the next line.
pub(super) struct Entries<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Entries<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Reads the next into `entry`, whose room is used again; `None` at the end.
    pub(super) fn next(&mut self, entry: &mut Entry<'t>) -> Option<Result<(), Wrong>> {
        while self.at < self.text.len() {
            match read(self.text, &mut self.at, entry) {
                Ok(()) if entry.tokens.is_empty() => {}
                other => return Some(other),
            }
        }
        None
    }
}

fn read<'t>(text: &'t str, at: &mut usize, entry: &mut Entry<'t>) -> Result<(), Wrong> {
    let bytes = text.as_bytes();
    entry.indented = matches!(bytes.get(*at), Some(b' ' | b'\t'));
    entry.tokens.clear();
    let mut open: Option<usize> = None;
    while let Some(byte) = bytes.get(*at) {
        match byte {
            b'\n' => {
                *at += 1;
                if open.is_none() {
                    return Ok(());
                }
            }
            b' ' | b'\t' | b'\r' => *at += 1,
            b';' => *at = line_end(bytes, *at),
            b'(' => {
                if open.replace(*at).is_some() {
                    return Err(wrong("a parenthesis within parentheses", *at, bytes, at));
                }
                *at += 1;
            }
            b')' => {
                if open.take().is_none() {
                    return Err(wrong("a parenthesis is closed that was not opened", *at, bytes, at));
                }
                *at += 1;
            }
            _ => {
                let from = *at;
                token(bytes, at).map_err(|message| wrong(message, from, bytes, at))?;
                entry.tokens.push(Token { raw: &text[from..*at], at: from });
            }
        }
    }
    match open {
        // Go on after the line that opened it, so that one slip does not swallow the rest of the file.
        Some(from) => Err(wrong("a parenthesis is not closed", from, bytes, at)),
        None => Ok(()),
    }
}

/// Octets that mean nothing but themselves; most tokens have no others.
const PLAIN: [bool; 256] = {
    let (mut plain, mut at) = ([true; 256], 0);
    let special = b"\\\" \t\r\n;()";
    while at < special.len() {
        plain[special[at] as usize] = false;
        at += 1;
    }
    plain
};

/// Moves behind one token. A quoted part may stand within it, as in `alpn="h2,h3"`.
fn token(bytes: &[u8], at: &mut usize) -> Result<(), &'static str> {
    let mut quoted = false;
    loop {
        *at += bytes[*at..].iter().take_while(|byte| PLAIN[usize::from(**byte)]).count();
        let Some(byte) = bytes.get(*at) else { break };
        match byte {
            b'\\' if matches!(bytes.get(*at + 1), None | Some(b'\n' | b'\r')) => {
                return Err("a backslash is followed by nothing");
            }
            // The escaped octet may begin a longer character; the rest of it is taken with the next rounds.
            b'\\' => *at += 1,
            b'"' => quoted = !quoted,
            b'\n' if quoted => return Err("a quote is not closed on its line"),
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' if !quoted => return Ok(()),
            _ => {}
        }
        *at += 1;
    }
    if quoted { Err("a quote is not closed") } else { Ok(()) }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| from + length)
}

/// Marks from a place to its line's end and goes on with the next line.
fn wrong(message: &str, from: usize, bytes: &[u8], at: &mut usize) -> Wrong {
    let to = line_end(bytes, from);
    *at = (to + 1).min(bytes.len());
    Wrong { message: message.into(), from, to }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<Result<Vec<&str>, String>> {
        let (mut entries, mut entry) = (Entries::of(text), Entry::default());
        let next = || {
            let read = entries.next(&mut entry)?;
            Some(read.map(|()| entry.tokens.iter().map(|token| token.raw).collect()).map_err(|wrong| wrong.message))
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn entries_are_split_as_rfc_1035_says() {
        assert_eq!(split("a IN A 192.0.2.1 ; c\n\n; only\n b"), [Ok(vec!["a", "IN", "A", "192.0.2.1"]), Ok(vec!["b"])]);
        assert_eq!(split("a SOA b c ( 1 ; x\n 2 )\nd"), [Ok(vec!["a", "SOA", "b", "c", "1", "2"]), Ok(vec!["d"])]);
        assert_eq!(
            split(r#"t TXT "a;b" "c\"d" k="e f" g\;h"#),
            [Ok(vec!["t", "TXT", r#""a;b""#, r#""c\"d""#, r#"k="e f""#, r"g\;h"])]
        );
    }

    #[test]
    fn a_slip_costs_its_line_only() {
        let found = split("a TXT \"open\nb A 192.0.2.1\nc )\nd A 192.0.2.2\ne ( 1\nf");
        let errors: Vec<_> = found.iter().filter_map(|entry| entry.as_ref().err().cloned()).collect();
        assert_eq!(
            errors,
            [
                "a quote is not closed on its line",
                "a parenthesis is closed that was not opened",
                "a parenthesis is not closed"
            ]
        );
        assert!(found.contains(&Ok(vec!["b", "A", "192.0.2.1"])) && found.contains(&Ok(vec!["f"])));
    }

    proptest! {
        #[test]
        fn any_text_is_split_and_ends(text in "[ -~\n\t\"\\\\();é]{0,200}") {
            let (mut entries, mut entry) = (Entries::of(&text), Entry::default());
            while entries.next(&mut entry).is_some() {
                for token in &entry.tokens {
                    prop_assert_eq!(&text[token.at..token.at + token.raw.len()], token.raw);
                }
            }
        }
    }
}
