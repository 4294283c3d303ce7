//! What people and programs see: data on stdout, messages on stderr, questions on a terminal.
//!
//! Nothing here panics on a closed pipe: writing returns an error, and a closed pipe ends the verb as done.

pub(super) mod paint;
pub(super) mod safe;
pub(super) mod table;
pub(super) mod yaml;

use std::io::{BufRead, IsTerminal as _, Write};

use serde_json::Value;

use self::{
    paint::{Paint, Tone},
    table::Table,
};
use super::{
    args::{Colour, Format, Manner},
    ending::{Exit, Failure},
};

/// The two streams, the question line, and how to write on them.
pub(super) struct Screen {
    out: Box<dyn Write>,
    messages: Box<dyn Write>,
    questions: Box<dyn BufRead>,
    /// How data is written.
    pub(super) format: Format,
    /// Colour of data.
    pub(super) paint: Paint,
    paint_messages: Paint,
    quiet: bool,
    /// Somebody sits there and can answer.
    pub(super) interactive: bool,
    /// Data goes to a terminal.
    pub(super) terminal: bool,
}

impl Screen {
    /// The process's own streams.
    pub(super) fn of_process(manner: &Manner) -> Self {
        let (out, messages) = (std::io::stdout(), std::io::stderr());
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let paint = |terminal: bool| {
            Paint(match manner.color {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => terminal && !no_colour && !dumb,
            })
        };
        Self {
            format: manner.output,
            paint: paint(out.is_terminal()),
            paint_messages: paint(messages.is_terminal()),
            quiet: manner.quiet,
            interactive: std::io::stdin().is_terminal() && messages.is_terminal(),
            terminal: out.is_terminal(),
            out: Box::new(std::io::BufWriter::new(out)),
            messages: Box::new(messages),
            questions: Box::new(std::io::stdin().lock()),
        }
    }

    /// Writes data as it is.
    pub(super) fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()?;
        Ok(())
    }

    /// Writes an answer of the API in the format asked for: the raw body as JSON, its parts as lines, or a page for
    /// people, or the fields for programs.
    pub(super) fn show(
        &mut self,
        raw: &str,
        page: impl FnOnce(Paint) -> Result<String, Failure>,
        fields: impl FnOnce() -> Result<Table, Failure>,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => page(self.paint)?,
            Format::Plain => fields()?.plain(),
            Format::Json => {
                let body = safe::json(raw);
                if body.ends_with('\n') { body.into_owned() } else { format!("{body}\n") }
            }
            Format::Jsonl => lines(&parsed(raw)?),
            Format::Yaml => yaml::document(&parsed(raw)?),
        };
        self.data(&text)
    }

    /// A message for people; `--quiet` silences it.
    pub(super) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// A message that is never silenced. Nobody can be told when stderr is closed, so its errors are dropped.
    pub(super) fn say(&mut self, text: &str) {
        let text = safe::lines(text);
        let text = match text.split_once(": ") {
            Some((word @ ("error" | "refused"), rest)) => {
                format!("{}: {rest}", self.paint_messages.tone(Tone::Bad, word))
            }
            Some((word @ ("warning" | "hint" | "undo"), rest)) => {
                format!("{}: {rest}", self.paint_messages.tone(Tone::Warn, word))
            }
            Some(_) | None => text.into_owned(),
        };
        drop(writeln!(self.messages, "{text}"));
    }

    /// Asks for one line; nothing when the input has ended.
    pub(super) fn ask(&mut self, question: &str) -> Option<String> {
        drop(write!(self.messages, "{}", safe::lines(question)));
        drop(self.messages.flush());
        let mut line = String::new();
        match std::io::Read::take(&mut self.questions, ANSWER_LENGTH_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim().to_owned()),
        }
    }

    /// Asks for a yes; anything else is a no.
    pub(super) fn confirm(&mut self, question: &str) -> bool {
        let answer = self.ask(&format!("{question} [y/N] "));
        answer.is_some_and(|answer| matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

/// Longest answer to a question, in octets; the rest is left unread.
const ANSWER_LENGTH_MAX: u64 = 4096;

fn parsed(raw: &str) -> Result<Value, Failure> {
    serde_json::from_str(raw)
        .map_err(|error| Failure::new(Exit::Failed, format!("the node's answer is not JSON: {error}")))
}

/// The items of a collection, or the whole, one JSON text a line.
fn lines(value: &Value) -> String {
    let items = value.get("items").and_then(Value::as_array).or_else(|| value.as_array());
    let mut text = String::new();
    for item in items.map_or(std::slice::from_ref(value), Vec::as_slice) {
        text.push_str(&safe::json(&item.to_string()));
        text.push('\n');
    }
    text
}

#[cfg(test)]
pub(super) mod doubles {
    //! A screen whose streams are buffers.

    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        /// As text.
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A pipe whose reader has gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    /// A screen nobody looks at any more.
    pub(in crate::cli) fn closed() -> Screen {
        Screen { out: Box::new(Gone), messages: Box::new(Gone), ..screen(Format::Table, None).0 }
    }

    /// A screen with its data and its messages. With `answers` somebody sits there.
    pub(in crate::cli) fn screen(format: Format, answers: Option<&'static str>) -> (Screen, Sink, Sink) {
        let (out, messages) = (Sink::default(), Sink::default());
        let screen = Screen {
            out: Box::new(out.clone()),
            messages: Box::new(messages.clone()),
            questions: Box::new(answers.unwrap_or_default().as_bytes()),
            format,
            paint: Paint(false),
            paint_messages: Paint(false),
            quiet: false,
            interactive: answers.is_some(),
            terminal: answers.is_some(),
        };
        (screen, out, messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_body_in_every_format() {
        let body = r#"{"items":[{"id":"a","rank":1},{"id":"b"}]}"#;
        let rows = [
            (Format::Json, "{\"items\":[{\"id\":\"a\",\"rank\":1},{\"id\":\"b\"}]}\n"),
            (Format::Jsonl, "{\"id\":\"a\",\"rank\":1}\n{\"id\":\"b\"}\n"),
            (Format::Yaml, "items:\n  - id: a\n    rank: 1\n  - id: b\n"),
            (Format::Table, "page\n"),
            (Format::Plain, "a\t1\n"),
        ];
        for (format, expected) in rows {
            let (mut screen, out, _) = doubles::screen(format, None);
            let fields = || {
                let mut table = Table::new(&["ID", "N"]);
                table.row(["a".into(), "1".into()]);
                Ok(table)
            };
            screen.show(body, |_| Ok("page\n".into()), fields).unwrap();
            assert_eq!(out.text(), expected, "{format:?}");
        }
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for (answer, yes) in [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("yep\n", false)] {
            let (mut screen, _, messages) = doubles::screen(Format::Table, Some(answer));
            assert_eq!(screen.confirm("go on?"), yes, "{answer:?}");
            assert_eq!(messages.text(), "go on? [y/N] ");
        }
    }
}
