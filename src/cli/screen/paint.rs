//! States as symbol and word, and colour on top where it is wanted; never colour alone.

/// What a text means; colours follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli) enum Tone {
    /// Ordinary.
    #[default]
    Plain,
    /// Works.
    Good,
    /// Look at it.
    Warn,
    /// Does not work.
    Bad,
    /// Out on a person's order.
    Held,
    /// Headings, less important parts.
    Faint,
}

/// Whether colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Paint(pub(in crate::cli) bool);

impl Paint {
    /// The text in its tone.
    pub(in crate::cli) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.into(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Held => "36",
            Tone::Faint => "2",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.into() }
    }

    /// `● up`, in its tone.
    pub(in crate::cli) fn state(self, word: &str) -> String {
        self.tone(tone(word), &marked(word))
    }
}

/// The tone of a state's word.
pub(in crate::cli) fn tone(word: &str) -> Tone {
    match word {
        "up" => Tone::Good,
        "degraded" | "unknown" => Tone::Warn,
        "down" => Tone::Bad,
        "drain" | "drained" => Tone::Held,
        _ => Tone::Plain,
    }
}

/// The symbol of a state's word.
pub(in crate::cli) fn symbol(word: &str) -> &'static str {
    match word {
        "up" => "●",
        "degraded" => "▲",
        "down" => "✖",
        "drain" | "drained" => "◐",
        _ => "?",
    }
}

/// Symbol and word.
pub(in crate::cli) fn marked(word: &str) -> String {
    format!("{} {}", symbol(word), super::safe::cell(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_symbol_and_word_with_or_without_colour() {
        let rows = [
            ("up", "● up"),
            ("degraded", "▲ degraded"),
            ("down", "✖ down"),
            ("drained", "◐ drained"),
            ("unknown", "? unknown"),
            ("\u{1b}x", "? \\u{1b}x"),
        ];
        for (word, text) in rows {
            assert_eq!(Paint(false).state(word), text);
            assert!(Paint(true).state(word).contains(text));
        }
        assert_eq!(Paint(true).state("down"), "\u{1b}[31m✖ down\u{1b}[0m");
    }
}
