//! The watch over the fast door: a sample of what it answers is asked of the general path once more, on the same table
//! with the same draw. At the first difference it is closed for a while, and a person is told.
//!
//! Why in production, where the differential test holds already: it finds what the test's generator does not make. What
//! is found costs nobody an answer: the general path makes it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::watch;
use tracing::{error, info};

use super::{
    desk::{Client, Desk},
    fast::{Difference, Fast},
};
use crate::{model::Mono, telemetry::dns::DnsMetrics};

/// What a share of answers to compare is a part of.
pub const SHADOW_WHOLE: u16 = 10_000;
/// How long the fast door stays closed. Long enough that a fault which comes with certain queries shows as an alarm, short
/// enough that a passing one does not cost speed for the rest of the day.
const CLOSED_FOR: Duration = Duration::from_secs(600);

/// Whether the fast door is open; one for all doors of a node.
#[derive(Debug)]
pub(super) struct Switch {
    /// Until when it is closed; 0 while it is open.
    closed_until: AtomicU64,
    why: watch::Sender<Option<String>>,
    metrics: Arc<DnsMetrics>,
}

impl Switch {
    /// Open.
    pub(super) fn new(metrics: Arc<DnsMetrics>) -> Self {
        Self { closed_until: AtomicU64::new(0), why: watch::Sender::new(None), metrics }
    }

    /// Why it is closed, while it is.
    pub(super) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.why.subscribe()
    }

    /// Opens by itself when its time has come.
    fn is_open(&self, now: Mono) -> bool {
        match self.closed_until.load(Relaxed) {
            0 => true,
            until => until <= now.0 && self.open(until),
        }
    }

    #[cold]
    fn open(&self, until: u64) -> bool {
        if self.closed_until.compare_exchange(until, 0, Relaxed, Relaxed).is_ok() {
            self.metrics.fast_door(true);
            self.why.send_replace(None);
            info!("the fast door is open again");
        }
        true
    }

    #[cold]
    fn close(&self, now: Mono, why: &str) {
        self.closed_until.store(now.plus(CLOSED_FOR).0, Relaxed);
        self.metrics.fast_door(false);
        let minutes = CLOSED_FOR.as_secs() / 60;
        self.why.send_replace(Some(format!("{why}; the general path answers alone for {minutes} minutes")));
    }
}

/// One thread's way to the fast door.
#[derive(Debug)]
pub(super) struct Shadow {
    switch: Arc<Switch>,
    sample: Sample,
    /// The query of a compared answer: the answer is written over it.
    query: Vec<u8>,
}

impl Shadow {
    /// Compares `share` of [`SHADOW_WHOLE`] answers; `seed` decides which.
    pub(super) fn new(switch: Arc<Switch>, share: u16, seed: u64) -> Self {
        Self { switch, sample: Sample::new(share, seed), query: Vec::new() }
    }

    /// [`Desk::fast_for`] while the fast door is open. What differs from the general path's answer leaves the slot as it
    /// came, for the general path.
    #[inline(always)]
    pub(super) fn fast(&mut self, desk: &mut Desk, slot: &mut [u8], length: usize, client: &Client, now: Mono) -> Fast {
        if !self.switch.is_open(now) {
            return Fast::General;
        }
        if !self.sample.is_due() {
            return desk.fast_for(slot, length, client, now);
        }
        self.compared(desk, slot, length, client, now, |desk, slot| desk.fast_for(slot, length, client, now))
    }

    #[cold]
    #[inline(never)]
    fn compared(
        &mut self,
        desk: &mut Desk,
        slot: &mut [u8],
        length: usize,
        client: &Client,
        now: Mono,
        fast: impl FnOnce(&mut Desk, &mut [u8]) -> Fast,
    ) -> Fast {
        self.query.clear();
        self.query.extend_from_slice(&slot[..length]);
        let fast = fast(desk, slot);
        let Fast::Replied(replied) = fast else { return fast };
        let found = desk.recheck(&self.query, &slot[..replied], client, now);
        desk.counts().compared(found.is_ok());
        let Err(difference) = found else { return fast };
        self.differs(difference, &slot[..replied], now);
        slot[..length].copy_from_slice(&self.query);
        Fast::General
    }

    fn differs(&self, difference: Difference, reply: &[u8], now: Mono) {
        let hex = |octets: &[u8]| data_encoding::HEXLOWER.encode(octets);
        let (query, reply) = (hex(&self.query), hex(reply));
        error!(%difference, query, reply, "the fast door answered as the general path would not");
        self.switch.close(now, &format!("the fast door answered as the general path would not: {difference}"));
    }

    /// The fast door met a panic, and what panics once is asked again.
    pub(super) fn fault(&self, now: Mono) {
        self.switch.close(now, "the fast door met a panic");
    }

    /// Nobody asks; the door may open again all the same.
    pub(super) fn idle(&self, now: Mono) {
        self.switch.is_open(now);
    }
}

/// Which answers are compared. Chance says, so that no rhythm of the queries hides any of them.
#[derive(Debug)]
struct Sample {
    random: fastrand::Rng,
    /// Most that pass before the next; twice the mean. `None` if none is compared.
    pass_max: Option<u64>,
    /// So many still pass.
    pass: u64,
}

impl Sample {
    fn new(share: u16, seed: u64) -> Self {
        let passing = 2 * u64::from(SHADOW_WHOLE.saturating_sub(share));
        let pass_max = passing.checked_div(share.into());
        let mut random = fastrand::Rng::with_seed(seed);
        let pass = pass_max.map_or(0, |most| random.u64(..=most));
        Self { random, pass_max, pass }
    }

    fn is_due(&mut self) -> bool {
        let Some(most) = self.pass_max else { return false };
        match self.pass.checked_sub(1) {
            Some(pass) => {
                self.pass = pass;
                false
            }
            None => {
                self.pass = self.random.u64(..=most);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

    use super::*;
    use crate::{
        dns::{handler::General, sample},
        telemetry::dns::Proto,
    };

    const NOW: Mono = Mono(1_000_000);
    const CLIENT: Client = Client {
        address: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1024)),
        proto: Proto::Udp,
        keepalive: None,
    };

    fn shadow(metrics: &Arc<DnsMetrics>, share: u16) -> Shadow {
        Shadow::new(Arc::new(Switch::new(Arc::clone(metrics))), share, 1)
    }

    fn slot() -> ([u8; 128], usize) {
        let (mut slot, query) = ([0; 128], sample::query(7));
        slot[..query.len()].copy_from_slice(&query);
        (slot, query.len())
    }

    #[test]
    fn what_is_the_same_leaves_the_door_open() {
        let (general, metrics) = (sample::general(), Arc::default());
        let mut shadow = shadow(&metrics, SHADOW_WHOLE);
        let (mut slot, length) = slot();
        let fast = shadow.fast(&mut general.desk(), &mut slot, length, &CLIENT, NOW);
        assert!(matches!(fast, Fast::Replied(_)), "{fast:?}");
        assert_eq!(*shadow.switch.trouble().borrow(), None);
        assert_eq!(general.desk().counts().compares(), [1, 0]);
    }

    /// Answers as the fast door does, but for one bit.
    fn lie(general: &General, shadow: &mut Shadow, slot: &mut [u8], length: usize) -> Fast {
        shadow.compared(&mut general.desk(), slot, length, &CLIENT, NOW, |desk, slot| {
            let fast = desk.fast_for(slot, length, &CLIENT, NOW);
            slot[3] ^= 1;
            fast
        })
    }

    #[test]
    fn a_difference_closes_the_door_for_a_while_and_costs_nobody_an_answer() {
        let (general, metrics) = (sample::general(), Arc::default());
        let mut shadow = shadow(&metrics, 0);
        let trouble = shadow.switch.trouble();
        let (mut slot, length) = slot();
        assert_eq!(lie(&general, &mut shadow, &mut slot, length), Fast::General);
        assert_eq!(slot, self::slot().0, "the query is as it came");
        assert_eq!(general.desk().counts().compares(), [0, 1]);
        let why = trouble.borrow().clone().unwrap();
        assert!(why.contains("the headers are not the same") && why.contains("10 minutes"), "{why}");
        assert!(!metrics.is_fast_door_open());
        let mut fast = |at| shadow.fast(&mut general.desk(), &mut slot, length, &CLIENT, at);
        for at in [NOW, NOW.plus(CLOSED_FOR).before(Duration::from_millis(1))] {
            assert_eq!(fast(at), Fast::General);
        }
        assert!(matches!(fast(NOW.plus(CLOSED_FOR)), Fast::Replied(_)));
        assert!(metrics.is_fast_door_open() && trouble.borrow().is_none());
    }

    #[test]
    fn every_thread_sees_it_and_one_that_rests_opens_it() {
        let metrics = Arc::default();
        let one = shadow(&metrics, 0);
        let other = Shadow::new(Arc::clone(&one.switch), 0, 2);
        one.fault(NOW);
        other.idle(NOW);
        assert!(!other.switch.is_open(NOW) && one.switch.trouble().borrow().is_some());
        other.idle(NOW.plus(CLOSED_FOR));
        assert!(metrics.is_fast_door_open() && one.switch.trouble().borrow().is_none());
    }

    #[test]
    fn the_sample_is_the_share_that_was_asked_for() {
        for (share, expected) in [(0, 0), (10, 1_000), (100, 10_000), (2_500, 250_000), (SHADOW_WHOLE, 1_000_000)] {
            let mut sample = Sample::new(share, 3);
            let found = (0..1_000_000).filter(|_| sample.is_due()).count();
            let off = found.abs_diff(expected);
            assert!(off * 10 <= expected, "{share}: {found} of a million");
        }
    }
}
