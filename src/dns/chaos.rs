//! Questions of class CH: who are you, and which version (RFC 4892). Silent unless told otherwise.

use super::{
    answer::{Answer, Owner, Records},
    desk::{Chaos, Face},
    message::{Ede, Rcode, meta},
    read::Query,
};
use crate::model::kind;

/// Names under which the version is asked.
const VERSION: [&[u8]; 2] = [b"\x07version\x04bind\0", b"\x07version\x06server\0"];
/// Names under which the identity is asked.
const IDENTITY: [&[u8]; 2] = [b"\x08hostname\x04bind\0", b"\x02id\x06server\0"];

/// Answers it, or refuses as any server without such names does.
pub(super) fn chaos(query: &Query<'_>, face: &Face) -> Answer<'static> {
    let text = match face.chaos {
        Chaos::Hide => None,
        Chaos::Version if VERSION.contains(&query.name.wire()) => Some(concat!("wayshift ", env!("CARGO_PKG_VERSION"))),
        Chaos::Version if IDENTITY.contains(&query.name.wire()) => face.nsid.as_deref(),
        Chaos::Version => None,
    };
    let (Some(text), kind::TXT | kind::ANY) = (text, query.kind) else { return Answer::refused(Ede::Prohibited) };
    // One character string holds 255 octets (RFC 1035 section 3.3.14).
    let text = &text.as_bytes()[..text.len().min(255)];
    let rdata = [&[u8::try_from(text.len()).unwrap_or(u8::MAX)], text].concat();
    let mut answer = Answer::only(Rcode::NoError);
    answer.authoritative = true;
    answer.answer.push(Records::made(Owner::Asked, kind::TXT, meta::CLASS_CHAOS, 0, rdata));
    answer
}
