//! Which zone a master file says it is, before anything else of it is believed.

use super::{
    lex::{Entries, Entry},
    rdata,
};
use crate::model::{DnsName, kind};

/// Words that may stand where a type does.
const CLASSES: [&str; 5] = ["IN", "CLASS1", "CH", "HS", "CS"];

/// The owner of the SOA, where the text itself names it: with its final dot, or under an `$ORIGIN` that stands before
/// it. `None` where only whoever loads the file knows: an SOA at `@` without an `$ORIGIN`, or no SOA at all.
#[must_use]
pub fn apex_of(text: &str) -> Option<DnsName> {
    let mut entries = Entries::of(text);
    let mut entry = Entry::default();
    let (mut origin, mut owner): (Option<DnsName>, Option<DnsName>) = (None, None);
    while let Some(read) = entries.next(&mut entry) {
        if read.is_err() {
            continue;
        }
        let mut tokens = entry.tokens.iter().map(|token| token.raw);
        if !entry.indented {
            let first = tokens.next()?;
            if first.starts_with('$') {
                if first.eq_ignore_ascii_case("$ORIGIN") {
                    origin = absolute(tokens.next().unwrap_or_default(), origin.as_ref());
                }
                continue;
            }
            owner = absolute(first, origin.as_ref());
        }
        // TTL and class stand before the type, in either order (RFC 1035 section 5.1).
        let before = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_digit()) || CLASSES.contains(&&*word.to_ascii_uppercase())
        };
        if tokens.find(|word| !before(word)).is_some_and(|word| rdata::kind(word) == Ok(kind::SOA)) {
            return owner;
        }
    }
    None
}

/// A name whose place under the root is known.
fn absolute(written: &str, origin: Option<&DnsName>) -> Option<DnsName> {
    if written.ends_with('.') {
        return DnsName::under(written, &DnsName::root()).ok();
    }
    DnsName::under(written, origin?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_soa_is_the_zone() {
        for (text, zone) in [
            ("example.org. 60 IN SOA ns1 hostmaster 1 2 3 4 5\n", Some("example.org.")),
            ("; made\n$TTL 1h\n$ORIGIN example.org.\n@ IN 3600 SOA ns1 hostmaster 1 2 3 4 5\n", Some("example.org.")),
            ("$ORIGIN org.\nexample soa ns1 hostmaster ( 1\n2 3 4 5 )\n", Some("example.org.")),
            ("$ORIGIN org.\n$ORIGIN example\n@ SOA ns1 hostmaster 1 2 3 4 5\n", Some("example.org.")),
            ("example.org. NS ns1\n 60 SOA ns1 hostmaster 1 2 3 4 5\n", Some("example.org.")),
            ("@ SOA ns1 hostmaster 1 2 3 4 5\n", None),
            ("www.example.org. TXT SOA\n", None),
            ("$ORIGIN\n\n( \n", None),
            ("", None),
        ] {
            assert_eq!(apex_of(text).map(|name| name.to_string()).as_deref(), zone, "{text}");
        }
    }
}
