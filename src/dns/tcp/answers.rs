//! Answering what one connection has read: whole frames in, framed replies in a row, ready for one write.

use crate::{
    dns::{
        desk::{Answerer, Client, Handled},
        fast::Fast,
        handler::General,
        message::STREAM_SIZE_MAX,
        shadow::Shadow,
        transfer::Outgoing,
    },
    model::Mono,
    telemetry::dns::DropReason,
};

/// Replies are sent when they come to so many octets, before more queries are answered: a client that asks and does not
/// read holds this much, and one reply more.
pub(super) const REPLIES_MAX: usize = 64 << 10;
/// The length in front of each message (RFC 1035 section 4.2.2).
pub(super) const PREFIX: usize = 2;
/// Longest query taken, in octets: a name, an OPT with generous options, a signature. A longer one would be held until it
/// is whole, and ten thousand of them are 640 MB; who announces it is let go.
pub(super) const QUERY_MAX: usize = 4096;

/// What is left of queries after some were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// No whole one.
    Part,
    /// Whole ones: there are enough replies.
    Whole,
    /// Nothing that is worth reading: what came was no query.
    Rubbish,
    /// Whatever it is, it waits until a transfer is through, which [`Answers::take_transfer`] gives.
    Later,
}

/// Both ways to an answer, and where the replies of one read are put.
pub(super) struct Answers {
    general: General,
    shadow: Shadow,
    /// Replies, and room for the longest after [`REPLIES_MAX`].
    octets: Box<[u8]>,
    end: usize,
    /// One reply of the general path.
    reply: Vec<u8>,
    /// The fast door is at work.
    is_fast: bool,
}

impl Answers {
    pub(super) fn new(general: General, shadow: Shadow) -> Self {
        let octets = vec![0; REPLIES_MAX + PREFIX + STREAM_SIZE_MAX].into();
        Self { general, shadow, octets, end: 0, reply: Vec::new(), is_fast: false }
    }

    /// The replies made last.
    pub(super) fn replies(&self) -> &[u8] {
        &self.octets[..self.end]
    }

    /// Answers whole queries until there are none or enough replies; tells how many octets that took.
    pub(super) fn make(&mut self, queries: &[u8], client: &Client, now: Mono) -> (usize, Left) {
        self.end = 0;
        let mut taken = 0;
        while let Some(query) = first(&queries[taken..]) {
            let Ok(query) = query else {
                self.general.desk().counts().dropped(DropReason::Oversize);
                return (taken, Left::Rubbish);
            };
            if REPLIES_MAX <= self.end {
                return (taken, Left::Whole);
            }
            taken += PREFIX + query.len();
            match self.one(query, client, now) {
                Handled::Replied => {}
                Handled::Dropped => return (taken, Left::Rubbish),
                Handled::Transfers => return (taken, Left::Later),
            }
        }
        (taken, Left::Part)
    }

    /// The transfer that began last.
    pub(super) fn take_transfer(&mut self) -> Option<Box<Outgoing>> {
        self.general.desk_mut().take_transfer()
    }

    /// The next messages of a transfer, as many as are sent at once; whether more follow.
    pub(super) fn go_on(&self, transfer: &mut Outgoing, out: &mut Vec<u8>) -> bool {
        while out.len() < REPLIES_MAX {
            if !self.general.desk().go_on(transfer, out) {
                return false;
            }
        }
        true
    }

    fn one(&mut self, query: &[u8], client: &Client, now: Mono) -> Handled {
        let (prefix, slot) = self.octets[self.end..].split_at_mut(PREFIX);
        // The fast door answers over the query.
        slot[..query.len()].copy_from_slice(query);
        self.is_fast = true;
        let fast = self.shadow.fast(self.general.desk_mut(), slot, query.len(), client, now);
        self.is_fast = false;
        let length = match fast {
            Fast::Replied(length) => length,
            Fast::Dropped => return Handled::Dropped,
            Fast::General => {
                self.reply.clear();
                match self.general.answer(query, client, &mut self.reply) {
                    Handled::Replied => {}
                    other @ (Handled::Dropped | Handled::Transfers) => return other,
                }
                slot[..self.reply.len()].copy_from_slice(&self.reply);
                self.reply.len()
            }
        };
        prefix.copy_from_slice(&u16::try_from(length).expect("a reply fits into a message").to_be_bytes());
        self.end += PREFIX + length;
        Handled::Replied
    }

    /// Answering met a panic; if it was the fast door's, what panics once is not asked again.
    pub(super) fn fault(&mut self, now: Mono) {
        self.general.desk().counts().dropped(DropReason::Fault);
        if std::mem::take(&mut self.is_fast) {
            self.shadow.fault(now);
        }
    }

    /// Nobody asks: old tables are let go.
    pub(super) fn idle(&mut self, now: Mono) {
        self.general.desk_mut().idle();
        self.shadow.idle(now);
    }
}

/// More than [`QUERY_MAX`].
struct TooLong;

/// The first query, if all of it is there, or if it need not be.
fn first(queries: &[u8]) -> Option<Result<&[u8], TooLong>> {
    let (prefix, rest) = queries.split_first_chunk::<PREFIX>()?;
    match usize::from(u16::from_be_bytes(*prefix)) {
        length if QUERY_MAX < length => Some(Err(TooLong)),
        length => rest.get(..length).map(Ok),
    }
}
