//! Asks every node over and over, from a network of its own, and writes down each answer with its time.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RData,
};

use crate::place::Place;

/// 20 queries a second for each node.
const EVERY: Duration = Duration::from_millis(50);
/// What is not answered by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(3);

/// One query and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) node: usize,
    pub(crate) name: &'static str,
    pub(crate) at: Instant,
    pub(crate) answer: Option<Answer>,
}

/// An answer as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    /// Sorted.
    pub(crate) addresses: Vec<Ipv4Addr>,
}

/// Runs until it is dropped.
pub(crate) struct Hammer {
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Hammer {
    pub(crate) fn on(place: &Place, nodes: &[Ipv4Addr], names: &'static [&'static str]) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let threads = nodes.iter().enumerate().map(|(node, address)| {
            let target = SocketAddr::from((*address, 53));
            let (asked, ended) = (Arc::clone(&asked), Arc::clone(&ended));
            place.run(move || thread::spawn(move || hammer(node, target, names, &asked, &ended)))
        });
        let threads = threads.collect();
        Self { asked, ended, threads }
    }

    /// What has been asked and decided so far; it is forgotten here.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest answer of a node for a name, of those asked since then.
    pub(crate) fn newest(&self, node: usize, name: &str, since: Instant) -> Option<Answer> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fits = asked.iter().rev().filter(|one| one.node == node && one.name == name && since <= one.at);
        fits.find_map(|one| one.answer.clone())
    }

    /// Looks through what was asked since then.
    pub(crate) fn look<T>(&self, since: Instant, mut look: impl FnMut(&[Asked]) -> T) -> T {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let first = asked.partition_point(|one| one.at < since);
        look(&asked[first..])
    }
}

impl Drop for Hammer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn hammer(node: usize, target: SocketAddr, names: &[&'static str], asked: &Mutex<Vec<Asked>>, ended: &AtomicBool) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let mut open: HashMap<u16, (&'static str, Instant)> = HashMap::new();
    let keep = |one: Asked| {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        // In the order of asking, but for what was overtaken; nobody looks nearer than that.
        let place = asked.len() - asked.iter().rev().take_while(|other| one.at < other.at).count();
        asked.insert(place, one);
    };
    let mut next = Instant::now();
    let mut id = 0_u16;
    while !ended.load(Ordering::SeqCst) {
        id = id.wrapping_add(1);
        let name = names[usize::from(id) % names.len()];
        let now = Instant::now();
        let _ = socket.send_to(&query(name, id), target);
        open.insert(id, (name, now));
        next = (next + EVERY).max(now);
        let mut octets = [0; 1500];
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let Ok((length, _)) = socket.recv_from(&mut octets) else { continue };
            let Some((id, answer)) = read(&octets[..length]) else { continue };
            if let Some((name, at)) = open.remove(&id) {
                keep(Asked { node, name, at, answer: Some(answer) });
            }
        }
        let now = Instant::now();
        let lost: Vec<u16> =
            open.iter().filter(|(_, (_, at))| LOST_AFTER <= now.duration_since(*at)).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some((name, at)) = open.remove(&id) {
                keep(Asked { node, name, at, answer: None });
            }
        }
    }
}

/// Asks once, from where the thread is.
pub(crate) fn once(target: Ipv4Addr, name: &str, patience: Duration) -> io::Result<Answer> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(patience))?;
    socket.connect(SocketAddr::from((target, 53)))?;
    socket.send(&query(name, 1))?;
    let mut octets = [0; 1500];
    let length = socket.recv(&mut octets)?;
    read(&octets[..length]).map(|(_, answer)| answer).ok_or_else(|| io::Error::other("no DNS message"))
}

fn query(name: &str, id: u16) -> Vec<u8> {
    let mut octets = id.to_be_bytes().to_vec();
    octets.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    octets.extend(name.parse::<wayshift::model::DnsName>().unwrap().wire());
    octets.extend([0, 1, 0, 1]);
    octets
}

fn read(octets: &[u8]) -> Option<(u16, Answer)> {
    let message = Message::from_vec(octets).ok()?;
    let mut addresses: Vec<Ipv4Addr> = message
        .answers
        .iter()
        .filter_map(|record| if let RData::A(address) = &record.data { Some(address.0) } else { None })
        .collect();
    addresses.sort();
    Some((message.metadata.id, Answer { code: message.metadata.response_code, addresses }))
}
