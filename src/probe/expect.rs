//! Whether an answer is what the check expects. Pure.
//!
//! Order: what is broken before what is late, failures before complaints. A certificate near its end is told before
//! slowness, because it will not pass by itself.

use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::model::{CertLimit, Complaint, Expect, Failure, LatencyLimit, Outcome};

/// The status of "too many requests" (RFC 6585 section 4).
const TOO_MANY: u16 = 429;

/// What the head alone decides.
pub(super) fn head(expect: &Expect, status: u16, headers: &HeaderMap) -> Result<(), Failure> {
    if !expect.status.iter().any(|range| range.contains(&status)) {
        return Err(if status == TOO_MANY { Failure::TooMany } else { Failure::Status(status) });
    }
    let lacks = |(name, value): &(&String, &String)| {
        !headers.get_all(name.as_str()).iter().any(|found| found.as_bytes() == value.as_bytes())
    };
    match expect.header.iter().find(lacks) {
        Some((name, _)) => Err(Failure::Header(name.clone())),
        None => Ok(()),
    }
}

/// What the limits say about an answer that is otherwise as expected.
pub(super) fn limits(expect: &Expect, total: Duration, cert_left: Option<Duration>) -> Outcome {
    let slow = expect.latency.filter(|LatencyLimit { max, .. }| *max < total);
    let ending = expect.cert.filter(|CertLimit { min, .. }| cert_left.is_some_and(|left| left < *min));
    match (ending, slow) {
        (Some(CertLimit { fail: true, .. }), _) => Outcome::Fail(Failure::Certificate),
        (_, Some(LatencyLimit { fail: true, .. })) => Outcome::Fail(Failure::Latency),
        (Some(_), _) => Outcome::Complaint(Complaint::Certificate),
        (None, Some(_)) => Outcome::Complaint(Complaint::Latency),
        (None, None) => Outcome::Pass,
    }
}

/// Looks for a text in a body that arrives in pieces; each octet is looked at once.
#[derive(Debug, Default)]
pub(super) struct Search {
    body: Vec<u8>,
}

impl Search {
    /// Takes the next piece, up to `max` octets altogether. Whether the text has been seen by now.
    pub(super) fn feed(&mut self, piece: &[u8], text: &str, max: usize) -> bool {
        let from = self.body.len().saturating_sub(text.len().saturating_sub(1));
        let room = max.saturating_sub(self.body.len()).min(piece.len());
        self.body.extend_from_slice(&piece[..room]);
        text.is_empty() || self.body[from..].windows(text.len()).any(|part| part == text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::probe::testing::expect;

    #[test]
    fn status_ranges() {
        let check = |ranges: &[std::ops::RangeInclusive<u16>], status: u16, expected: Result<(), Failure>| {
            let expect = Expect { status: ranges.to_vec(), ..expect() };
            assert_eq!(head(&expect, status, &HeaderMap::new()), expected, "{ranges:?} {status}");
        };
        check(&[200..=204], 200, Ok(()));
        check(&[200..=204], 204, Ok(()));
        check(&[200..=204], 205, Err(Failure::Status(205)));
        check(&[200..=200, 301..=302], 302, Ok(()));
        check(&[200..=299], 429, Err(Failure::TooMany));
        check(&[400..=499], 429, Ok(()));
    }

    #[test]
    fn header_values_are_exact_and_names_are_not_case_sensitive() {
        let header = BTreeMap::from([("X-Ready".to_owned(), "yes".to_owned())]);
        let expect = Expect { header, ..expect() };
        for (headers, holds) in [
            (vec![("x-ready", "yes")], true),
            (vec![("x-ready", "no"), ("x-ready", "yes")], true),
            (vec![("x-ready", "yes!")], false),
            (vec![("x-ready", "Yes")], false),
            (vec![], false),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(*name, reqwest::header::HeaderValue::from_static(value));
            }
            let expected = if holds { Ok(()) } else { Err(Failure::Header("X-Ready".into())) };
            assert_eq!(head(&expect, 200, &map), expected, "{headers:?}");
        }
    }

    #[test]
    fn limits_complain_or_fail() {
        use Outcome::{Complaint as Complains, Fail, Pass};
        let second = Duration::from_secs;
        let check = |latency_fails: bool, cert_fails: bool, total: u64, left: Option<u64>, expected: Outcome| {
            let latency = Some(LatencyLimit { max: second(2), fail: latency_fails });
            let cert = Some(CertLimit { min: second(100), fail: cert_fails });
            let expect = Expect { latency, cert, ..expect() };
            assert_eq!(limits(&expect, second(total), left.map(second)), expected);
        };
        check(false, false, 2, Some(100), Pass);
        check(false, false, 2, None, Pass);
        check(false, false, 3, Some(100), Complains(Complaint::Latency));
        check(false, false, 3, Some(99), Complains(Complaint::Certificate));
        check(true, false, 3, Some(99), Fail(Failure::Latency));
        check(false, true, 3, Some(99), Fail(Failure::Certificate));
        check(true, true, 2, Some(0), Fail(Failure::Certificate));
    }

    proptest! {
        #[test]
        fn a_text_is_found_however_the_body_is_cut(
            before in "[ab]{0,20}", text in "[ab]{0,5}", after in "[ab]{0,20}", cuts in prop::collection::vec(1_usize..6, 1..40),
        ) {
            let body = format!("{before}{text}{after}");
            let mut search = Search::default();
            let (mut rest, mut found) = (body.as_bytes(), text.is_empty());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                found |= search.feed(piece, &text, 1_000);
                rest = tail;
            }
            prop_assert!(found);
        }

        #[test]
        fn nothing_behind_the_bound_is_seen_or_kept(max in 0_usize..50, piece in 1_usize..20) {
            let mut search = Search::default();
            for _ in 0..10 {
                search.feed(&vec![b'a'; piece], "x", max);
            }
            prop_assert!(search.body.len() <= max);
            prop_assert!(!search.feed(&[b'x'; 5], "x", search.body.len()));
        }
    }
}
