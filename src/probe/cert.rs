//! When a certificate ends, read from its DER form (RFC 5280 section 4.1).
//!
//! rustls verifies certificates but does not tell their end, and a parser crate would come with a hundred things more
//! than this one field. What cannot be read has no end; the input is hostile until verified.

use jiff::civil::DateTime;

use crate::model::Wall;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The `notAfter` of a certificate.
pub(super) fn not_after(der: &[u8]) -> Option<Wall> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (tbs, _) = element(certificate, SEQUENCE)?;
    let rest = element(tbs, VERSION).map_or(tbs, |(_, rest)| rest);
    let (_serial, rest) = element(rest, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, _, rest) = any_element(validity)?;
    let (tag, end, _) = any_element(rest)?;
    time(tag, end)
}

/// The content of the element in front, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any_element(der)?;
    (found == tag).then_some((content, rest))
}

fn any_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Certificates are far below 16 MiB: at most three octets of length.
        let octets = usize::from(first & 0x7f);
        let (digits, rest) = (1..=3).contains(&octets).then(|| rest.split_at_checked(octets))??;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// RFC 5280 section 4.1.2.5: always with seconds and `Z`; UTCTime means 1950 to 2049.
fn time(tag: u8, text: &[u8]) -> Option<Wall> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match (tag, digits.len()) {
        (UTC_TIME, 12) => format!("{}{digits}", if digits < "50" { "20" } else { "19" }),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    if !full.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| full[from..to].parse::<i16>().ok();
    let small = |from: usize, to: usize| full[from..to].parse::<i8>().ok();
    let at = DateTime::new(part(0, 4)?, small(4, 6)?, small(6, 8)?, small(8, 10)?, small(10, 12)?, small(12, 14)?, 0);
    let at = at.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    u64::try_from(at.as_millisecond()).ok().map(Wall)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ending(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["app.test".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_from_both_forms_of_time() {
        for (year, expected) in
            [(2001, "2001-03-01T00:00:00.000Z"), (2049, "2049-03-01T00:00:00.000Z"), (2050, "2050-03-01T00:00:00.000Z")]
        {
            assert_eq!(not_after(&ending(year)).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn times_that_do_not_exist_are_no_times() {
        let cases: [(u8, &[u8]); 6] = [
            (UTC_TIME, b"260230000000Z"),
            (UTC_TIME, b"261301000000Z"),
            (UTC_TIME, b"2601010000Z"),
            (UTC_TIME, b"+60101000000Z"),
            (GENERALIZED_TIME, b"20260101000000"),
            (GENERALIZED_TIME, b"2026010100000\xffZ"),
        ];
        for (tag, text) in cases {
            assert_eq!(time(tag, text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    proptest! {
        #[test]
        fn garbage_and_damaged_certificates_never_panic(
            noise in prop::collection::vec(any::<u8>(), 0..200), place in 0_usize..300, byte: u8,
        ) {
            let _ = not_after(&noise);
            static GOOD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| ending(2050));
            let mut der = GOOD.clone();
            der[place % GOOD.len()] = byte;
            let _ = not_after(&der);
            let _ = not_after(&GOOD[..place % GOOD.len()]);
        }
    }
}
