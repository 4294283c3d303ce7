//! Server-sent events, read from pieces as they arrive (WHATWG HTML, section 9.2.6).

/// Longest line and longest event, in octets. A longer one is dropped whole: no event of a node comes near.
pub(super) const EVENT_LENGTH_MAX: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Message {
    /// The id to resume after; that of an earlier event if this one has none.
    pub(super) id: Option<String>,
    /// Its kind; `message` where none is given.
    pub(super) kind: String,
    /// The data lines, joined.
    pub(super) data: String,
}

/// The parser's state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// The line is too long: what follows up to its end is dropped, and its event with it.
    overlong: bool,
    after_return: bool,
    begun: bool,
    kind: String,
    data: String,
    has_data: bool,
    id: Option<String>,
}

impl Events {
    /// Takes in a piece, gives the events that it completes.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for &octet in piece {
            let line_feed_of_pair = std::mem::take(&mut self.after_return) && octet == b'\n';
            match octet {
                _ if line_feed_of_pair => {}
                b'\r' | b'\n' => {
                    self.after_return = octet == b'\r';
                    messages.extend(self.end_line());
                }
                _ if self.line.len() < EVENT_LENGTH_MAX => self.line.push(octet),
                _ => self.overlong = true,
            }
        }
        messages
    }

    fn end_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = if std::mem::replace(&mut self.begun, true) { &text } else { text.trim_start_matches('\u{feff}') };
        if text.is_empty() {
            return self.dispatch();
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.kind = value.into(),
            "data" if self.data.len() + value.len() > EVENT_LENGTH_MAX => self.overlong = true,
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.into()),
            _ => {}
        }
        None
    }

    /// An empty line ends an event; without data there is none.
    fn dispatch(&mut self) -> Option<Message> {
        let kind = std::mem::take(&mut self.kind);
        let data = std::mem::take(&mut self.data);
        let has_data = std::mem::take(&mut self.has_data);
        let overlong = std::mem::take(&mut self.overlong);
        (has_data && !overlong).then(|| Message {
            id: self.id.clone(),
            kind: if kind.is_empty() { "message".into() } else { kind },
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(id: Option<&str>, kind: &str, data: &str) -> Message {
        Message { id: id.map(Into::into), kind: kind.into(), data: data.into() }
    }

    #[test]
    fn streams_become_events() {
        let rows: [(&str, Vec<Message>); 8] = [
            ("id: 9915\nevent: verdict\ndata: {\"a\":1}\n\n", vec![message(Some("9915"), "verdict", "{\"a\":1}")]),
            (
                "\u{feff}data:x\r\n\r\ndata: y\r\rdata: z\n\n",
                vec![message(None, "message", "x"), message(None, "message", "y"), message(None, "message", "z")],
            ),
            (": keep-alive\n\n", vec![]),
            ("event: verdict\n\n", vec![]),
            ("data: a\ndata:  b\ndata\n\n", vec![message(None, "message", "a\n b\n")]),
            (
                "id: 1\ndata: a\n\ndata: b\n\n",
                vec![message(Some("1"), "message", "a"), message(Some("1"), "message", "b")],
            ),
            ("retry: 100\nunknown: 1\ndata: a\n\n", vec![message(None, "message", "a")]),
            ("data: unfinished\n", vec![]),
        ];
        for (stream, expected) in rows {
            assert_eq!(Events::default().take(stream.as_bytes()), expected, "{stream:?}");
        }
    }

    #[test]
    fn an_endless_line_takes_no_memory_and_its_event_is_dropped() {
        let mut events = Events::default();
        events.take(b"data: ");
        for _ in 0..3 {
            events.take(&vec![b'x'; EVENT_LENGTH_MAX]);
        }
        assert!(events.line.len() <= EVENT_LENGTH_MAX);
        assert_eq!(events.take(b"\n\ndata: b\n\n"), vec![message(None, "message", "b")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn it_does_not_matter_where_the_pieces_are_cut(
            stream in "(data|id|event|:)?:? ?[a-c\r\n]{0,6}\n{0,2}((data: [ab]{0,3}|id: [0-9])(\r\n|\n|\r)){0,6}\r?\n",
            cut in 1_usize..5,
        ) {
            let whole = Events::default().take(stream.as_bytes());
            let mut parser = Events::default();
            let pieces: Vec<Message> = stream.as_bytes().chunks(cut).flat_map(|piece| parser.take(piece)).collect();
            prop_assert_eq!(pieces, whole);
        }
    }
}
