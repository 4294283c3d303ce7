//! Transfers under those who mean harm: slow clients, many at once, reloads in the middle, floods of NOTIFY.

#![allow(clippy::disallowed_methods, reason = "waiting at the outer edge is by the machine's clock")]

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{
    secondary::{ZONE, serial},
    support::{Node, PATIENCE, ask, eventually, query},
};

/// Names of the zone, with 250 octets at each: more than the system takes for a client that does not read.
const NAMES: usize = 40_000;
/// Slow clients: more than may have a transfer at once.
const SLOW: usize = 40;
/// A node with all of them, in KiB more than without: far less than one copy of the zone for each.
const GROWTH_MAX: u64 = 120 << 10;
const AXFR: u16 = 252;

const CONFIG: &str = "[dns.tcp]\nquery = \"60s\"\n[zone.\"gslb.example.com\"]\nfile = \"big.zone\"\n\
     transfer = { allow = [\"127.0.0.0/8\"] }\n\
     [service.www]\nnames = [\"www.gslb.example.com\"]\nendpoints = [\"203.0.113.1\"]\n";

/// The zone's file; `mark` is the data of its last name.
fn zone(mark: &str) -> String {
    let mut text =
        format!("$ORIGIN {ZONE}.\n@ 60 SOA ns1 hostmaster 1 7200 900 1209600 30\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n");
    let data = "x".repeat(250);
    for name in 0..NAMES {
        writeln!(text, "n{name} 60 TXT \"{data}\"").unwrap();
    }
    writeln!(text, "last-of-all 60 TXT \"{mark}\"").unwrap();
    text
}

/// A stream from an address of this machine, with little room for what is not read.
fn stream(from: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    socket.bind(&SocketAddr::new(from.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn begin(from: &str, to: SocketAddr) -> TcpStream {
    let mut stream = stream(from, to);
    let packet = query(ZONE, AXFR, 7);
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &packet].concat()).unwrap();
    stream
}

/// The next message; `None` when the stream ends.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// A whole zone, of which some records were read: how many there are, and the last two messages.
fn rest(mut stream: TcpStream, mut records: usize) -> Option<(usize, Vec<u8>)> {
    let mut before = Vec::new();
    loop {
        let message = message(&mut stream)?;
        if message[3] & 15 != 0 {
            return None;
        }
        records += usize::from(u16::from_be_bytes([message[6], message[7]]));
        // The SOA of the end: nothing is behind it.
        if NAMES + 7 <= records {
            return Some((records, [before, message].concat()));
        }
        before = message;
    }
}

fn whole(stream: TcpStream) -> Option<(usize, Vec<u8>)> {
    rest(stream, 0)
}

fn resident(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn slow_clients_and_floods_cost_little_and_keep_nobody_from_the_zone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("big.zone"), zone("before")).unwrap();
    let node = Node::start_in(folder, CONFIG);
    eventually("the zone", || serial(node.dns));
    assert_eq!(whole(begin("127.0.0.9", node.dns)).unwrap().0, NAMES + 7);
    let before = resident(&node);

    // They take the first octets and no more.
    let mut slow: Vec<TcpStream> = (0..SLOW).map(|_| begin("127.0.0.2", node.dns)).collect();
    let mut began = 0;
    for stream in &mut slow {
        let mut head = [0; 14];
        stream.read_exact(&mut head).unwrap();
        began += usize::from(head[5] & 15 == 0);
    }
    assert_eq!(began, 16, "one client has sixteen transfers at once, and the others are told to come again");
    assert!(resident(&node) < before + GROWTH_MAX, "{} KiB after {before}", resident(&node));

    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        // Meanwhile NOTIFY comes in without end, and is answered with a header.
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.3:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            let mut packet = query(ZONE, 6, 8);
            packet[2] = 4 << 3;
            let mut reply = [0; 512];
            while !ended.load(Ordering::Relaxed) {
                socket.send_to(&packet, node.dns).unwrap();
                if let Ok(length) = socket.recv(&mut reply) {
                    assert_eq!((length, reply[3] & 15), (12, 4), "NOTIMP, and no more octets than a header has");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        // Another has the zone whole, one that began before a reload the one of before.
        let old = begin("127.0.0.4", node.dns);
        let mut first = [0; 14];
        (&old).read_exact(&mut first).unwrap();
        let known = serial(node.dns).unwrap();
        fs::write(node.folder.path().join("big.zone"), zone("after")).unwrap();
        node.ok(&["reload"]);
        eventually("the new zone", || serial(node.dns).filter(|serial| *serial != known));
        let (count, last) = whole(begin("127.0.0.5", node.dns)).unwrap();
        assert_eq!(count, NAMES + 7);
        assert!(contains(&last, b"\x05after") && !contains(&last, b"\x06before"));
        // The octets of the old zone that the system holds are taken last.
        let last = rest_of(old, &first);
        assert!(contains(&last, b"\x06before") && !contains(&last, b"\x05after"));
        assert!(contains(&last, &known.to_be_bytes()), "its SOA is the one it began with");
        assert!(ask(node.dns, &query(&format!("www.{ZONE}"), 1, 9)).is_some());
        eventually("an answer to NOTIFY", || (0 < answered.load(Ordering::Relaxed)).then_some(()));
        ended.store(true, Ordering::Relaxed);
    });

    // Whoever goes away leaves the place to others.
    drop(slow);
    eventually("a place", || whole(begin("127.0.0.2", node.dns)));
    assert!(node.stop().0.success());
}

/// Reads on to the end of a transfer of which the first octets were read; its end.
fn rest_of(mut stream: TcpStream, first: &[u8; 14]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([first[0], first[1]]));
    stream.read_exact(&mut vec![0; length - 12]).unwrap();
    rest(stream, usize::from(u16::from_be_bytes([first[8], first[9]]))).unwrap().1
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

#[test]
fn who_does_not_take_it_in_time_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("big.zone"), zone("x")).unwrap();
    let node = Node::start_in(folder, &CONFIG.replace("60s", "1s"));
    eventually("the zone", || serial(node.dns));
    let mut slow = begin("127.0.0.2", node.dns);
    slow.read_exact(&mut [0; 14]).unwrap();
    // The node lets it go, so that its place is free; what the system still has for it is read to the end.
    eventually("the cut", || cut(&node).then_some(()));
    let mut taken = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(length @ 1..) = slow.read(&mut buffer) {
        taken += length;
    }
    assert!(taken < NAMES * 250, "{taken}");
}

fn cut(node: &Node) -> bool {
    crate::transfer::count(&crate::transfer::metrics(node), "dns_transfers_total{kind=\"axfr\",outcome=\"cut\"}") == 1
}
