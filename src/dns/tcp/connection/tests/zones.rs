//! A connection that takes a zone, and its time for it.

use super::*;
use crate::{
    dns::{
        handler::General,
        transfer::{TIME_MAX, tests},
    },
    model::kind,
};

/// A transfer of a thousand records, and a query behind it.
fn table() -> Table {
    let query = tests::query(kind::AXFR, None, Some("xfr"));
    let length = u16::try_from(query.len()).unwrap().to_be_bytes();
    let mut table = Table::new(&[&[&length, query.as_slice(), &frames(1)].concat()]);
    let general = General::new(tests::desk(5000).0);
    table.tools = Tools::new(Answers::new(general, sample::shadow()));
    table
}

/// How many messages a client has whole, and whether the last is the reply to the query behind.
fn messages(mut octets: &[u8]) -> (usize, bool) {
    let (mut count, mut last) = (0, 0);
    while let Some((length, rest)) = octets.split_first_chunk::<PREFIX>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(rest) = rest.get(length..) else { break };
        (count, last, octets) = (count + 1, length, rest);
    }
    (count, last == 17)
}

#[test]
fn a_zone_leaves_in_writes_that_are_taken_and_what_is_asked_behind_it_waits() {
    let mut table = table();
    assert_eq!(table.turns().1, Next::Readable);
    let (count, answered) = messages(&table.stream().replies);
    assert!(10 < count && answered, "{count} {answered}");
    assert_eq!(table.held(), 0);
    let longest = table.stream().writes.iter().max().copied().unwrap();
    assert!((REPLIES_MAX..REPLIES_MAX * 2).contains(&longest), "{longest}");
}

#[test]
fn who_takes_little_holds_little_and_has_an_end() {
    let mut table = table();
    table.stream().takes = Some(VecDeque::from([1000]));
    assert_eq!(table.turns().1, Next::Writable);
    assert!(table.held() < 2 * (REPLIES_MAX + (32 << 10)), "{}", table.held());
    assert_eq!(table.patience(), QUERY);
    // It takes a write's worth each time, just before it would be cut.
    let begun = table.now;
    for _ in 0..10_000 {
        table.now = table.now.plus(Duration::from_millis(QUERY - 1));
        assert!(table.patience() <= QUERY);
        let unsent = table.connection.unsent.len();
        table.stream().takes = Some(VecDeque::from([unsent, 100]));
        match table.turns().1 {
            Next::Writable => {}
            Next::Readable => return,
            next @ (Next::Turn | Next::Never) => panic!("{next:?} before it has all of it"),
        }
    }
    panic!("it began at {begun:?}");
}

#[test]
fn a_transfer_ends_after_its_time() {
    let mut table = table();
    table.stream().takes = Some(VecDeque::from([1000]));
    assert_eq!(table.turns().1, Next::Writable);
    let unsent = table.connection.unsent.len();
    table.stream().takes = Some(VecDeque::from([unsent]));
    table.now = table.now.plus(TIME_MAX);
    assert_eq!(table.turns().1, Next::Never);
}
