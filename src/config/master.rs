//! Master files (RFC 1035 section 5), with the place of every mistake and all mistakes of a file.
//!
//! Why a reader of our own around the crate `domain`: that one stops at the first mistake, keeps no offset, and does
//! not know LOC or URI. So entries, owners, TTLs and directives are read here, and record data there.

mod apex;
mod lex;
mod loc;
mod present;
mod rdata;

use crate::model::DnsName;

use super::{
    report::{Place, Raw, Report},
    values::TTL_MAX,
};
use lex::{Entry, Token};

pub use self::{apex::apex_of, present::present};

/// Most records of one zone.
pub const RECORDS_MAX: usize = 2_000_000;
/// TTL of a record where neither it nor `$TTL` nor a record before it says one, in seconds.
const TTL: u32 = 3600;

/// One record, as long as the next is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'s> {
    /// In lower-case wire form.
    pub(super) owner: &'s [u8],
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) rdata: &'s [u8],
    pub(super) place: Place,
}

/// What is done with each record.
pub(super) type Take<'t> = dyn FnMut(Record<'_>, &mut Report) + 't;

/// A type's number, if it may stand in a zone.
pub(super) fn kind(text: &str) -> Result<u16, String> {
    rdata::kind(text)
}

/// A type as it is written.
pub(super) fn word_of(kind: u16) -> String {
    domain::base::Rtype::from_int(kind).to_string()
}

/// A text whose offsets can be turned into places.
pub(super) struct Sheet<'t> {
    pub(super) text: &'t str,
    pub(super) at: &'t dyn Fn(usize, usize) -> Place,
}

struct State<'t> {
    origin: DnsName,
    ttl: Option<u32>,
    last_ttl: Option<u32>,
    /// Of the last record, in wire form; empty before the first.
    owner: Vec<u8>,
    /// The same as it was written: most owners are written several times, one below the other.
    written: &'t str,
    /// Where the next owner is read into: one that is not a name leaves the last.
    next_owner: Vec<u8>,
    /// Of the last record.
    rdata: Vec<u8>,
}

/// Reads a master file whole; what cannot be read is reported and left out.
pub(super) fn read(sheet: &Sheet<'_>, origin: &DnsName, report: &mut Report, take: &mut Take<'_>) {
    let mut state = State {
        origin: origin.clone(),
        ttl: None,
        last_ttl: None,
        owner: Vec::new(),
        written: "",
        next_owner: Vec::new(),
        rdata: Vec::new(),
    };
    let (mut entries, mut entry, mut count) = (lex::Entries::of(sheet.text), Entry::default(), 0);
    while let Some(found) = entries.next(&mut entry) {
        let slip = |wrong: lex::Wrong| Raw::error("E022", wrong.message).at((sheet.at)(wrong.from, wrong.to), "");
        match found.map_err(slip).and_then(|()| state.entry(&entry, sheet)) {
            Ok(None) => continue,
            Ok(Some((kind, ttl, place))) => {
                take(Record { owner: &state.owner, kind, ttl, rdata: &state.rdata, place }, report);
            }
            Err(raw) => {
                report.add(raw);
                continue;
            }
        }
        count += 1;
        if count > RECORDS_MAX {
            report.add(Raw::error("E027", format!("a zone has at most {RECORDS_MAX} records")));
            break;
        }
    }
}

impl<'t> State<'t> {
    /// Type, TTL and place of a record; its owner and data stay in here.
    fn entry(&mut self, entry: &Entry<'t>, sheet: &Sheet<'_>) -> Result<Option<(u16, u32, Place)>, Raw> {
        let place = |token: &Token<'_>| (sheet.at)(token.at, token.at + token.raw.len());
        let mut tokens = entry.tokens.as_slice();
        if let [first, rest @ ..] = tokens
            && !entry.indented
            && first.raw.starts_with('$')
        {
            return self.directive(first, rest, &place).map(|()| None);
        }
        if !entry.indented
            && let [owner, rest @ ..] = tokens
        {
            if owner.raw != self.written {
                DnsName::write_under(owner.raw, &self.origin, &mut self.next_owner).map_err(|error| {
                    Raw::error("E022", format!("the owner is not a name: {error}")).at(place(owner), "")
                })?;
                std::mem::swap(&mut self.owner, &mut self.next_owner);
                self.written = owner.raw;
            }
            tokens = rest;
        }
        let Some(head) = entry.tokens.first() else { return Ok(None) };
        if self.owner.is_empty() {
            return Err(Raw::error("E022", "the first record has no owner")
                .at(place(head), "a blank at the line's start repeats the owner before"));
        }
        let ttl = self.ttl_and_class(&mut tokens, &place)?;
        let [kind, data @ ..] = tokens else {
            return Err(Raw::error("E022", "the record has no type").at(place(head), "write as in: www 60 A 192.0.2.1"));
        };
        let number = rdata::kind(kind.raw).map_err(|message| Raw::error("E022", message).at(place(kind), ""))?;
        rdata::read(number, data, &self.origin, &mut self.rdata).map_err(|wrong| {
            let at = data.get(wrong.token.min(data.len().saturating_sub(1))).unwrap_or(kind);
            let raw = Raw::error("E022", format!("{} data: {}", kind.raw, wrong.message)).at(place(at), "");
            match wrong.hint {
                Some(hint) => raw.note(hint),
                None => raw,
            }
        })?;
        let ttl = match ttl {
            Some(ttl) => {
                self.last_ttl = Some(ttl);
                ttl
            }
            None => self.ttl.or(self.last_ttl).unwrap_or(TTL),
        };
        let last = entry.tokens.last().unwrap_or(head);
        // A record may span lines; its first line is shown.
        Ok(Some((number, ttl, (sheet.at)(head.at, last.at + last.raw.len()))))
    }

    /// TTL and class in either order, both optional (RFC 1035 section 5.1).
    fn ttl_and_class(
        &self,
        tokens: &mut &[Token<'_>],
        place: &impl Fn(&Token<'_>) -> Place,
    ) -> Result<Option<u32>, Raw> {
        let (mut found, mut class) = (None, false);
        while let [token, rest @ ..] = *tokens {
            if found.is_none() && token.raw.starts_with(|c: char| c.is_ascii_digit()) {
                found = Some(ttl(token, place)?);
            } else if !class && ["IN", "CLASS1"].iter().any(|word| token.raw.eq_ignore_ascii_case(word)) {
                class = true;
            } else if !class && ["CH", "HS", "CS"].iter().any(|word| token.raw.eq_ignore_ascii_case(word)) {
                return Err(Raw::error("E022", "only class IN is served").at(place(token), "leave it out or write IN"));
            } else {
                break;
            }
            *tokens = rest;
        }
        Ok(found)
    }

    fn directive(
        &mut self,
        name: &Token<'_>,
        rest: &[Token<'_>],
        place: &impl Fn(&Token<'_>) -> Place,
    ) -> Result<(), Raw> {
        let argument = |what: &str| match rest {
            [argument] => Ok(argument),
            _ => Err(Raw::error("E022", format!("{} takes one argument", name.raw)).at(place(name), what)),
        };
        match name.raw.to_ascii_uppercase().as_str() {
            "$TTL" => self.ttl = Some(ttl(argument("a TTL, as in $TTL 3600")?, place)?),
            "$ORIGIN" => {
                let to = argument("a name, as in $ORIGIN example.com.")?;
                self.origin = DnsName::under(to.raw, &self.origin).map_err(|error| {
                    Raw::error("E022", format!("the origin is not a name: {error}")).at(place(to), "")
                })?;
                // What is relative means another name from here on.
                self.written = "";
            }
            "$GENERATE" => {
                let message = "`$GENERATE` is not supported: it is an extension of one server";
                return Err(Raw::error("E022", message).at(place(name), "write the records out"));
            }
            "$INCLUDE" => {
                let message = "`$INCLUDE` is not supported";
                return Err(Raw::error("E022", message).at(place(name), "write all records into one file"));
            }
            _ => {
                let message = format!("`{}` is not a directive: $ORIGIN and $TTL are", name.raw);
                return Err(Raw::error("E022", message).at(place(name), ""));
            }
        }
        Ok(())
    }
}

/// Seconds, or with units as BIND writes them: `1h30m`.
fn ttl(token: &Token<'_>, place: &impl Fn(&Token<'_>) -> Place) -> Result<u32, Raw> {
    let seconds = match token.raw.parse::<u64>() {
        Ok(seconds) => Some(seconds),
        Err(_) => token.raw.to_ascii_lowercase().parse::<crate::model::Span>().ok().map(|span| span.0.as_secs()),
    };
    match seconds.and_then(|seconds| u32::try_from(seconds).ok()).filter(|ttl| *ttl <= TTL_MAX) {
        Some(ttl) => Ok(ttl),
        None => {
            let message = format!("`{}` is not a TTL: 0 to {TTL_MAX} seconds", token.raw);
            Err(Raw::error("E022", message).at(place(token), ""))
        }
    }
}
