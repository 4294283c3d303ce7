//! Record data as wire bytes, names in it uncompressed.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use domain::{
    base::{Name, Rtype, rdata::ComposeRecordData},
    zonefile::inplace::{Entry, Zonefile},
};

use super::{lex::Token, loc};
use crate::model::{DnsName, Span, kind};

/// What is wrong with record data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    /// Which token.
    pub(super) token: usize,
    pub(super) hint: Option<String>,
}

/// Types that `domain` does not know, with the one whose data looks the same.
const TWINS: [(u16, &str); 6] = [(18, "MX"), (21, "MX"), (36, "MX"), (53, "TLSA"), (99, "TXT"), (32769, "DS")];
const LOC: u16 = 29;
const URI: u16 = 256;
/// As [`scan`] is asked for it.
const SOA: &str = "TYPE6";

/// A type's number, if it may stand in a zone.
pub(super) fn kind(text: &str) -> Result<u16, String> {
    // Most records of large zones are addresses.
    match text {
        "A" => return Ok(kind::A),
        "AAAA" => return Ok(kind::AAAA),
        _ => {}
    }
    let number = text.to_ascii_uppercase().parse::<Rtype>().map(|kind| kind.to_int());
    let number = match (number, text.to_ascii_uppercase().as_str()) {
        (Ok(number), _) => number,
        (Err(_), "AFSDB") => 18,
        (Err(_), "RT") => 21,
        (Err(_), "LOC") => LOC,
        (Err(_), "KX") => 36,
        (Err(_), "SMIMEA") => 53,
        (Err(_), "SPF") => 99,
        (Err(_), "URI") => URI,
        (Err(_), "DLV") => 32769,
        (Err(_), _) => return Err(format!("`{text}` is not a record type")),
    };
    match number {
        kind::RRSIG | 47 | 50 | 51 => {
            Err(format!("signed zones are not in this version; {text} records are made then"))
        }
        // Questions, the class of the message and transaction signatures are in no zone (RFC 6895 section 3.1).
        0 | kind::OPT | 128..=255 => Err(format!("`{text}` is a type of questions, not of records")),
        number => Ok(number),
    }
}

/// Writes record data of a type over what is in `out`.
pub(super) fn read(kind: u16, tokens: &[Token<'_>], origin: &DnsName, out: &mut Vec<u8>) -> Result<(), Wrong> {
    out.clear();
    // Most records of large zones are addresses, and these forms need no scanner.
    match (kind, tokens) {
        (kind::A, [token]) => out.extend(token.raw.parse::<Ipv4Addr>().iter().flat_map(Ipv4Addr::octets)),
        (kind::AAAA, [token]) => out.extend(token.raw.parse::<Ipv6Addr>().iter().flat_map(Ipv6Addr::octets)),
        _ => {}
    }
    if out.is_empty() {
        *out = any(kind, tokens, origin)?;
    }
    Ok(())
}

fn any(kind: u16, tokens: &[Token<'_>], origin: &DnsName) -> Result<Vec<u8>, Wrong> {
    let generic = tokens.first().is_some_and(|token| token.raw == r"\#");
    let octets: Vec<u8> = match kind {
        LOC if !generic => loc::read(&tokens.iter().map(|token| token.raw).collect::<Vec<_>>())
            .map_err(|(token, message)| Wrong { message, token, hint: None })?
            .into(),
        URI if !generic => uri(tokens)?,
        kind => {
            let twin = TWINS.iter().find(|(twin, _)| *twin == kind && !generic);
            scan(&twin.map_or_else(|| format!("TYPE{kind}"), |(_, name)| (*name).into()), tokens, origin)?
        }
    };
    if octets.len() > usize::from(u16::MAX) {
        return Err(Wrong { message: "it is longer than 65535 octets".into(), token: 0, hint: None });
    }
    Ok(octets)
}

fn scan(kind: &str, tokens: &[Token<'_>], origin: &DnsName) -> Result<Vec<u8>, Wrong> {
    let mut line = format!(". 0 IN {kind}");
    let mut starts = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        line.push(' ');
        starts.push(line.len());
        // The four times of an SOA may have units, as in BIND.
        match token.raw.to_ascii_lowercase().parse::<Span>() {
            Ok(span) if kind == SOA && (3..7).contains(&at) => line.push_str(&span.0.as_secs().to_string()),
            _ => line.push_str(token.raw),
        }
    }
    line.push('\n');
    let mut file = Zonefile::from(line.as_str());
    let origin = Name::from_octets(Bytes::copy_from_slice(origin.wire())).expect("a name is a name in wire form");
    file.set_origin(origin);
    let record = match file.next_entry() {
        Ok(Some(Entry::Record(record))) => record,
        Ok(Some(Entry::Include { .. }) | None) => {
            return Err(Wrong { message: "there is none".into(), token: 0, hint: None });
        }
        Err(error) => return Err(explained(&error.to_string(), &starts)),
    };
    let mut octets = Vec::new();
    record.data().compose_rdata(&mut octets).map_err(|_| Wrong {
        message: "it is longer than a record may be".into(),
        token: 0,
        hint: None,
    })?;
    Ok(octets)
}

/// `domain` writes `line:column: reason`; the line is always ours.
fn explained(error: &str, starts: &[usize]) -> Wrong {
    let mut parts = error.splitn(3, ':');
    let column = parts.nth(1).and_then(|column| column.trim().parse::<usize>().ok()).unwrap_or(1);
    let reason = parts.next().unwrap_or(error).trim().to_owned();
    // The column is where reading stopped, which may be behind the token at fault.
    let token = starts.iter().rposition(|start| start < &column).unwrap_or(0);
    let hint = reason
        .contains("unknown record type")
        .then(|| r"a type that this program knows by number alone is written as `\# <length> <hex>` (RFC 3597)".into());
    Wrong { message: reason, token, hint }
}

/// Priority, weight and the target, whose octets fill the rest (RFC 7553 section 4).
fn uri(tokens: &[Token<'_>]) -> Result<Vec<u8>, Wrong> {
    let wrong = |token, message: &str| Wrong { message: message.into(), token, hint: None };
    let [priority, weight, target] = tokens else {
        return Err(wrong(0, "priority, weight and a quoted target"));
    };
    let number = |token: &Token<'_>, at| token.raw.parse::<u16>().map_err(|_| wrong(at, "a number up to 65535"));
    let mut octets = number(priority, 0)?.to_be_bytes().to_vec();
    octets.extend(number(weight, 1)?.to_be_bytes());
    let inner = target.raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or("");
    if inner.is_empty() || inner.contains('\\') {
        return Err(wrong(2, "a target in quotes, without escapes"));
    }
    octets.extend(inner.as_bytes());
    Ok(octets)
}
