//! The admin API over a node's Unix socket, with the headers that matter; and what a caller may expect.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

/// An answer takes no longer, or the node is stuck.
const ANSWERS_WITHIN: Duration = Duration::from_secs(75);

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// One request on a connection of its own.
pub(crate) fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets);
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.get(9..12).and_then(|code| code.parse().ok()).ok_or_else(cut)?;
    let length = head
        .to_ascii_lowercase()
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next().and_then(|length| length.trim().parse::<usize>().ok()));
    if length.is_some_and(|length| body.len() < length) {
        return Err(cut());
    }
    let value = match body.starts_with(['{', '[']) {
        true => serde_json::from_str(body)?,
        false => Value::String(body.to_owned()),
    };
    Ok(Reply { status, head: head.to_ascii_lowercase(), body: value })
}
