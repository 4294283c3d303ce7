//! The wires between places: a router over TUN devices with delay, loss and cuts, each way by itself. One thread.
//!
//! TUN and no raw sockets, because then the kernel itself makes the checksums and segments.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::Ipv4Addr,
    os::fd::AsFd as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tappers::{Interface, Tun};

use crate::place::Place;

/// The device in each place.
const DEVICE: &str = "wan";
/// Longest time without a look at whether the end has come.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Packets under way; at the limit further ones are lost, as in a router.
const UNDER_WAY_MAX: usize = 20_000;

/// A place's wire: `10.77.<number>.0/24` is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) number: u8,
    /// Sites of one region are near each other.
    pub(crate) region: u8,
    /// One way to anywhere else is no longer than this, and loses nothing.
    pub(crate) near: bool,
}

impl Site {
    /// The site's own address.
    pub(crate) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }
}

/// One end of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All of a site.
    Site(u8),
    /// One address.
    Host(Ipv4Addr),
}

impl End {
    fn is(self, address: Ipv4Addr) -> bool {
        match self {
            Self::Site(number) => address.octets()[2] == number,
            Self::Host(host) => address == host,
        }
    }
}

/// What the wires do to packets.
#[derive(Debug)]
struct Rules {
    /// One way between regions.
    delay: Duration,
    /// Of packets between regions, each way, in parts of ten thousand.
    loss: u32,
    cuts: Vec<(End, End)>,
    random: fastrand::Rng,
}

/// The router; it ends when dropped, and the devices with it.
pub(crate) struct Wan {
    rules: Arc<Mutex<Rules>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wan {
    /// Connects places. Every site's whole network is local to it, so that it can have many addresses.
    pub(crate) fn between(sites: &[(Site, &Place)], seed: u64) -> Result<Self, String> {
        let mut wires = Vec::new();
        for (site, place) in sites {
            let tun = place.run(|| {
                let mut tun = Tun::new_named(Interface::new(DEVICE)?)?;
                tun.set_nonblocking(true)?;
                io::Result::Ok(tun)
            });
            wires.push((*site, tun.map_err(|error| format!("a TUN device: {error}"))?));
            let (own, all) = (format!("{}/32", site.address()), format!("10.77.{}.0/24", site.number));
            place.command("ip", &["link", "set", "lo", "up"])?;
            place.command("ip", &["addr", "add", &own, "dev", DEVICE])?;
            place.command("ip", &["link", "set", DEVICE, "up", "mtu", "1400"])?;
            let source = site.address().to_string();
            place.command("ip", &["route", "add", "default", "dev", DEVICE, "src", &source])?;
            place.command("ip", &["route", "add", "local", &all, "dev", "lo"])?;
        }
        let rules = Rules {
            delay: Duration::from_millis(40),
            loss: 100,
            cuts: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        };
        let (rules, ended) = (Arc::new(Mutex::new(rules)), Arc::new(AtomicBool::new(false)));
        let mut router = Router { wires, rules: Arc::clone(&rules), under_way: BinaryHeap::new(), turn: 0 };
        let end = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                router.turn();
            }
        });
        Ok(Self { rules, ended, thread: Some(thread) })
    }

    /// One way.
    pub(crate) fn cut(&self, from: End, to: End) {
        self.with(|rules| rules.cuts.push((from, to)));
    }

    /// Both ways.
    pub(crate) fn part(&self, one: End, other: End) {
        self.with(|rules| rules.cuts.extend([(one, other), (other, one)]));
    }

    /// Takes every cut back.
    pub(crate) fn heal(&self) {
        self.with(|rules| rules.cuts.clear());
    }

    fn with(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Wan {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// When it is due, then when it came, so that equal delays keep their order; whereto; the packet.
type UnderWay = (Instant, u64, usize, Vec<u8>);

struct Router {
    wires: Vec<(Site, Tun)>,
    rules: Arc<Mutex<Rules>>,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    turn: u64,
}

impl Router {
    fn turn(&mut self) {
        let now = Instant::now();
        let next = self.under_way.peek().map_or(LOOK_EVERY, |Reverse((due, ..))| due.saturating_duration_since(now));
        let wait = u16::try_from(next.min(LOOK_EVERY).as_micros().div_ceil(1000)).unwrap_or(100);
        let mut ends: Vec<PollFd<'_>> =
            self.wires.iter().map(|(_, tun)| PollFd::new(tun.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut ends, PollTimeout::from(wait));
        let ready: Vec<usize> = (0..ends.len()).filter(|at| ends[*at].any() == Some(true)).collect();
        drop(ends);
        for at in ready {
            self.read(at);
        }
        let now = Instant::now();
        while self.under_way.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            if let Some(Reverse((_, _, to, packet))) = self.under_way.pop() {
                // A device that is full loses it.
                let _ = self.wires[to].1.send(&packet);
            }
        }
    }

    fn read(&mut self, at: usize) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut octets = [0; 2048];
        while let Ok(length) = self.wires[at].1.recv(&mut octets) {
            let packet = &octets[..length];
            let Some((source, target)) = addresses(packet) else { continue };
            let Some(to) = self.wires.iter().position(|(site, _)| site.number == target.octets()[2]) else { continue };
            if rules.cuts.iter().any(|(from, to)| from.is(source) && to.is(target)) {
                continue;
            }
            let (here, there) = (self.wires[at].0, self.wires[to].0);
            let near = here.region == there.region || here.near || there.near;
            if (!near && rules.random.u32(0..10_000) < rules.loss) || UNDER_WAY_MAX <= self.under_way.len() {
                continue;
            }
            let delay = if near { Duration::from_millis(2) } else { rules.delay };
            self.turn += 1;
            self.under_way.push(Reverse((Instant::now() + delay, self.turn, to, packet.to_vec())));
        }
    }
}

/// Of an IPv4 packet within the test's networks.
fn addresses(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let version = packet.first()? >> 4;
    let part = |at: usize| -> Option<Ipv4Addr> {
        let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(octets.into())
    };
    let (source, target) = (part(12)?, part(16)?);
    (version == 4 && target.octets()[..2] == [10, 77]).then_some((source, target))
}
