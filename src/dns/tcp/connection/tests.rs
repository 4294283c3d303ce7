//! A connection over a scripted stream: what it reads and writes, turn by turn.

mod zones;

use std::{collections::VecDeque, num::NonZeroUsize, sync::Arc, time::Duration};

use super::*;
use crate::{
    dns::{
        sample,
        tcp::{
            Guests,
            answers::{PREFIX, QUERY_MAX, REPLIES_MAX},
            guests::bell,
        },
    },
    telemetry::dns::Proto,
};

const FRAME: usize = PREFIX + 17;
const IDLE: u64 = 20_000;
const QUERY: u64 = 5_000;

/// What the client sent, piece by piece, and how much of each write it takes.
#[derive(Default)]
struct Script {
    sent: VecDeque<Vec<u8>>,
    closes: bool,
    takes: Option<VecDeque<usize>>,
    writes: Vec<usize>,
    replies: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.sent.front_mut() {
            None if self.closes => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(piece) => {
                let count = piece.len().min(into.len());
                into[..count].copy_from_slice(&piece[..count]);
                piece.drain(..count);
                if piece.is_empty() {
                    self.sent.pop_front();
                }
                Ok(count)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let most = match &mut self.takes {
            None => octets.len(),
            Some(takes) => takes.pop_front().ok_or(io::ErrorKind::WouldBlock)?,
        };
        let count = octets.len().min(most);
        self.writes.push(count);
        self.replies.extend_from_slice(&octets[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Table {
    limits: Limits,
    tools: Tools,
    connection: Connection<Script>,
    now: Mono,
}

impl Table {
    fn new(sent: &[&[u8]]) -> Self {
        let limits = Limits {
            connections: NonZeroUsize::MAX,
            per_client: NonZeroUsize::MAX,
            idle: Duration::from_millis(IDLE),
            query: Duration::from_millis(QUERY),
        };
        let guest = Guests::new(limits, Arc::default()).admit([192, 0, 2, 1].into(), &bell(), 0);
        let stream = Script { sent: sent.iter().map(|piece| piece.to_vec()).collect(), ..Script::default() };
        let now = Mono(1_000_000);
        let connection = Connection::new(stream, guest, client(), &limits, now);
        Self { limits, tools: tools(), connection, now }
    }

    fn turn(&mut self) -> Next {
        self.connection.turn(&mut self.tools, &self.limits, self.now)
    }

    /// Turns until one waits for the client; how many there were.
    fn turns(&mut self) -> (usize, Next) {
        let mut count = 1;
        loop {
            match self.turn() {
                Next::Turn => count += 1,
                next @ (Next::Readable | Next::Writable | Next::Never) => return (count, next),
            }
        }
    }

    fn stream(&mut self) -> &mut Script {
        &mut self.connection.stream
    }

    /// What is held in memory for this client.
    fn held(&self) -> usize {
        self.connection.queries.capacity() + self.connection.unsent.capacity()
    }

    fn patience(&self) -> u64 {
        self.connection.due().0 - self.now.0
    }
}

fn tools() -> Tools {
    Tools::new(Answers::new(sample::general(), sample::shadow()))
}

fn client() -> Client {
    Client { address: ([192, 0, 2, 1], 4242).into(), proto: Proto::Tcp, keepalive: None }
}

fn frames(count: usize) -> Vec<u8> {
    (0..count).flat_map(|id| [&[0, 17], sample::query(id as u8).as_slice()].concat()).collect()
}

#[test]
fn the_replies_of_one_read_leave_in_one_write() {
    let mut table = Table::new(&[&frames(64), &frames(3)]);
    assert_eq!((table.turn(), table.stream().writes.clone()), (Next::Readable, vec![64 * FRAME]));
    assert_eq!((table.turn(), table.stream().writes.clone()), (Next::Readable, vec![64 * FRAME, 3 * FRAME]));
    let ids: Vec<u8> = table.stream().replies.chunks(FRAME).map(|reply| reply[PREFIX + 1]).collect();
    assert_eq!(ids, (0..64).chain(0..3).collect::<Vec<u8>>());
    assert_eq!((table.turn(), table.held()), (Next::Readable, 0), "who rests holds nothing");
}

#[test]
fn whole_queries_are_answered_together_and_within_bounds() {
    let Tools { mut answers, .. } = tools();
    let queries = &frames(21)[..21 * FRAME - 1];
    assert_eq!(answers.make(queries, &client(), Mono(0)), (20 * FRAME, Left::Part));
    assert_eq!(answers.replies().len(), 20 * FRAME);
    let (taken, left) = answers.make(&frames(10_000), &client(), Mono(0));
    assert_eq!((taken, left), (answers.replies().len(), Left::Whole));
    assert!((REPLIES_MAX..REPLIES_MAX + FRAME).contains(&answers.replies().len()));
}

#[test]
fn a_client_that_always_asks_leaves_turns_to_others() {
    let mut table = Table::new(&[&frames(4000)]);
    let (turns, next) = table.turns();
    assert_eq!((next, table.stream().replies.len()), (Next::Readable, 4000 * FRAME));
    assert!(4000 * FRAME / READ < turns, "{turns} turns");
    assert!(table.stream().writes.len() <= turns, "no more writes than turns");
}

#[test]
fn who_does_not_read_is_asked_no_more_and_holds_little() {
    let mut table = Table::new(&[&frames(100_000)]);
    table.stream().takes = Some([1000].into());
    assert!(table.stream().sent[0].len() > 10 * REPLIES_MAX);
    assert_eq!(table.turns(), (1, Next::Writable));
    let waits = table.stream().sent[0].len();
    assert_eq!(table.patience(), QUERY);
    table.now = table.now.plus(Duration::from_secs(1));
    assert!(!matches!(table.turns().1, Next::Readable | Next::Turn));
    assert_eq!(table.stream().sent[0].len(), waits, "nothing more is read");
    assert!(table.held() <= READ + REPLIES_MAX + STREAM, "{} octets", table.held());
    assert_eq!(table.connection.due().0, 1_000_000 + QUERY, "taking a little buys no time");
    table.stream().takes = None;
    assert_eq!(table.turns().1, Next::Readable);
    assert_eq!((table.stream().replies.len(), table.held(), table.patience()), (100_000 * FRAME, 0, IDLE));
}

/// Longest message with its length.
const STREAM: usize = PREFIX + 65_535;

#[test]
fn a_query_must_be_whole_in_time_however_it_drips() {
    let whole = frames(2);
    let mut table = Table::new(&whole[..FRAME - 1].chunks(1).collect::<Vec<_>>());
    assert_eq!(table.patience(), IDLE);
    for _ in 0..FRAME - 1 {
        assert_eq!(table.turn(), Next::Readable);
        assert_eq!(table.connection.due().0, 1_000_000 + QUERY);
        table.now = table.now.plus(Duration::from_millis(100));
    }
    assert!(table.stream().writes.is_empty());
    table.stream().sent.push_back(whole[FRAME - 1..FRAME + 4].to_vec());
    assert_eq!((table.turn(), table.patience()), (Next::Readable, QUERY), "the next one has begun");
    table.stream().sent.push_back(whole[FRAME + 4..].to_vec());
    assert_eq!((table.turn(), table.patience(), table.held()), (Next::Readable, IDLE, 0));
    assert_eq!(table.stream().writes, [FRAME, FRAME]);
}

#[test]
fn what_is_no_query_ends_it_after_the_replies_to_what_was() {
    let rubbish = [frames(2), vec![0, 1, 7], frames(1)].concat();
    let mut table = Table::new(&[&rubbish]);
    assert_eq!((table.turn(), table.stream().replies.len()), (Next::Never, 2 * FRAME));
    let mut table = Table::new(&[&rubbish]);
    table.stream().takes = Some([FRAME].into());
    assert_eq!(table.turn(), Next::Writable);
    table.stream().takes = None;
    assert_eq!((table.turn(), table.stream().replies.len()), (Next::Never, 2 * FRAME));
}

#[test]
fn nobody_is_waited_for_who_announces_more_than_a_query() {
    let beginning = |length: usize| [&u16::try_from(length).unwrap().to_be_bytes()[..], &[0; 12]].concat();
    let longest = [frames(2), beginning(QUERY_MAX)].concat();
    let mut table = Table::new(&[&longest]);
    assert_eq!((table.turn(), table.stream().replies.len()), (Next::Readable, 2 * FRAME));
    for length in [QUERY_MAX + 1, 65_535] {
        let mut table = Table::new(&[&[frames(2), beginning(length)].concat()]);
        assert_eq!((table.turn(), table.stream().replies.len()), (Next::Never, 2 * FRAME), "{length}");
        let mut table = Table::new(&[&beginning(length)[..PREFIX]]);
        assert_eq!((table.turn(), table.held()), (Next::Never, 0), "{length}");
    }
}

#[test]
fn what_has_arrived_is_answered_before_the_end() {
    let mut table = Table::new(&[&frames(3), &frames(2)[..FRAME + 3]]);
    table.connection.finish();
    assert_eq!(table.turns().1, Next::Never);
    assert_eq!(table.stream().replies.len(), 4 * FRAME);
    let mut endless = Table::new(&[&frames(100_000)]);
    endless.connection.finish();
    assert_eq!(endless.turns().1, Next::Never);
    assert_eq!(endless.stream().replies.len(), LAST_READS_MAX / FRAME * FRAME);
    let mut slow = Table::new(&[&frames(3)]);
    slow.stream().takes = Some([5].into());
    slow.connection.finish();
    assert_eq!(slow.turn(), Next::Writable);
    slow.stream().takes = None;
    assert_eq!((slow.turns().1, slow.stream().replies.len()), (Next::Never, 3 * FRAME));
}

#[test]
fn the_end_of_a_half_closed_stream_is_found_after_its_last_queries() {
    let mut table = Table::new(&[&frames(3)]);
    table.stream().closes = true;
    table.connection.half_closed = true;
    assert_eq!((table.turns(), table.stream().replies.len()), ((2, Next::Never), 3 * FRAME));
}

#[test]
fn a_broken_stream_ends() {
    let mut table = Table::new(&[&frames(3)]);
    table.stream().takes = Some([0].into());
    assert_eq!(table.turn(), Next::Never, "nothing can be written");
}
