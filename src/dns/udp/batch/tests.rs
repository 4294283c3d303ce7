use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddrV6, UdpSocket},
    time::Duration,
};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};

use super::*;

/// It only ends tests that would hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port on any address, a client that asks it at `ip`, and slots.
fn pair(ip: &str, any: &str) -> Option<(Port, UdpSocket, Batch)> {
    let socket = UdpSocket::bind(any).ok()?;
    let client = UdpSocket::bind(any).unwrap();
    // Connected: a reply from another address is not received.
    client.connect((ip, socket.local_addr().unwrap().port())).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    Some((Port::new(socket).unwrap(), client, Batch::new()))
}

const BOTH: [(&str, &str); 3] = [("127.0.0.3", "0.0.0.0:0"), ("::1", "[::]:0"), ("127.0.0.1", "127.0.0.1:0")];

#[test]
fn a_datagram_tells_where_it_came_from_and_where_it_went() {
    for (ip, any) in BOTH {
        let Some((port, client, mut batch)) = pair(ip, any) else { continue };
        assert_eq!(batch.receive(&port, false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        client.send(b"query").unwrap();
        assert_eq!(batch.receive(&port, true).unwrap(), 1);
        let arrival = batch.arrival(0).unwrap();
        assert_eq!((&batch.slot(0)[..arrival.length], arrival.cut), (b"query".as_slice(), false));
        assert_eq!(arrival.from, client.local_addr().unwrap());
        let to = arrival.to.unwrap();
        assert_eq!(to.ip, ip.parse::<IpAddr>().unwrap());
        batch.slot(0)[..5].copy_from_slice(b"reply");
        batch.reply(0, 5, arrival.to);
        assert_eq!(batch.send(&port), 0);
        let mut reply = [0; 16];
        assert_eq!((client.recv(&mut reply).unwrap(), &reply[..5]), (5, b"reply".as_slice()));
    }
}

#[test]
fn a_link_local_reply_leaves_on_the_link_it_was_asked_on() {
    let v6 = |interface: InterfaceAddress| Some(SocketAddrV6::from(*interface.address?.as_sockaddr_in6()?));
    let Some(ours) = getifaddrs().unwrap().filter_map(v6).find(|at| at.ip().is_unicast_link_local()) else { return };
    let socket = UdpSocket::bind("[::]:0").unwrap();
    let port_number = socket.local_addr().unwrap().port();
    let (port, mut batch) = (Port::new(socket).unwrap(), Batch::new());
    let client = UdpSocket::bind("[::]:0").unwrap();
    client.connect(SocketAddrV6::new(*ours.ip(), port_number, 0, ours.scope_id())).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(b"query").unwrap();
    assert_eq!(batch.receive(&port, true).unwrap(), 1);
    let to = batch.arrival(0).unwrap().to.unwrap();
    assert_eq!(to.ip, IpAddr::V6(*ours.ip()));
    assert_ne!(to.interface, 0);
    batch.reply(0, 5, Some(to));
    assert_eq!(batch.send(&port), 0);
    assert_eq!(client.recv(&mut [0; 16]).unwrap(), 5);
}

#[test]
fn what_is_too_long_is_cut_and_harms_no_other() {
    for (ip, any) in BOTH {
        let Some((port, client, mut batch)) = pair(ip, any) else { continue };
        for length in [0, QUERY_MAX, QUERY_MAX + 1, 9000, 1] {
            client.send(&vec![7; length]).unwrap();
        }
        assert_eq!(batch.receive(&port, true).unwrap(), 5);
        let arrivals: Vec<_> = (0..5).map(|at| batch.arrival(at).unwrap()).map(|a| (a.length, a.cut)).collect();
        let expected = [(0, false), (QUERY_MAX, false), (QUERY_MAX, true), (QUERY_MAX, true), (1, false)];
        assert_eq!(arrivals, expected);
        let beyond: Vec<_> = (0..5).map(|at| batch.slot(at)[QUERY_MAX..].iter().all(|octet| *octet == 0)).collect();
        assert_eq!(beyond, [true; 5], "nothing is written beyond the longest query");
    }
}

#[test]
fn many_datagrams_come_and_go_in_turns() {
    let (port, client, mut batch) = pair("127.0.0.1", "127.0.0.1:0").unwrap();
    const COUNT: usize = 3 * SLOTS + 5;
    // Each turn is of other lengths and answers other slots than the one before: nothing of it may be left.
    let query = |nth: usize| vec![u8::try_from(nth).unwrap(); 1 + (nth * 37) % 700];
    (0..COUNT).for_each(|nth| assert!(client.send(&query(nth)).is_ok()));
    let mut seen = 0;
    while seen < COUNT {
        let count = batch.receive(&port, true).unwrap();
        assert_eq!(count, SLOTS.min(COUNT - seen));
        for at in 0..count {
            let arrival = batch.arrival(at).unwrap();
            assert_eq!(&batch.slot(at)[..arrival.length], query(seen + at));
            if (seen + at) % 3 != 0 {
                batch.reply(at, arrival.length, arrival.to);
            }
        }
        seen += count;
        assert_eq!(batch.send(&port), 0);
    }
    for nth in (0..COUNT).filter(|nth| nth % 3 != 0) {
        let mut reply = [0; 800];
        let length = client.recv(&mut reply).unwrap();
        assert_eq!(reply[..length], query(nth));
    }
}

#[test]
fn each_reply_goes_to_its_client() {
    let (port, client, mut batch) = pair("127.0.0.1", "127.0.0.1:0").unwrap();
    let at = client.peer_addr().unwrap();
    let clients: Vec<_> = (0..SLOTS).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for (nth, client) in clients.iter().enumerate() {
        client.send_to(&[u8::try_from(nth).unwrap()], at).unwrap();
    }
    assert_eq!(batch.receive(&port, true).unwrap(), SLOTS);
    (0..SLOTS).rev().for_each(|at| batch.reply(at, 1, batch.arrival(at).unwrap().to));
    assert_eq!(batch.send(&port), 0);
    for (nth, client) in clients.iter().enumerate() {
        let mut reply = [0; 2];
        assert_eq!((client.recv(&mut reply).unwrap(), usize::from(reply[0])), (1, nth));
    }
}

#[test]
fn a_reply_that_cannot_leave_takes_no_other_with_it() {
    for (ip, any, foreign) in [("127.0.0.1", "0.0.0.0:0", "192.0.2.1"), ("::1", "[::]:0", "2001:db8::1")] {
        let Some((port, client, mut batch)) = pair(ip, any) else { continue };
        (0..5).for_each(|nth| assert!(client.send(&[nth]).is_ok()));
        assert_eq!(batch.receive(&port, true).unwrap(), 5);
        for at in 0..5 {
            // No machine has the addresses of documentation, so the kernel takes none of them as a source.
            let foreign = To { ip: foreign.parse().unwrap(), interface: 0 };
            let from = if at % 2 == 0 { Some(foreign) } else { batch.arrival(at).unwrap().to };
            batch.reply(at, 1, from);
        }
        assert_eq!(batch.send(&port), 3);
        assert_eq!(batch.send(&port), 0, "nothing is sent twice");
        let replies: BTreeSet<u8> = (0..2)
            .map(|_| {
                let mut r = [0];
                client.recv(&mut r).unwrap();
                r[0]
            })
            .collect();
        assert_eq!(replies, [1, 3].into());
    }
}

#[test]
fn nothing_to_send_is_no_call() {
    let (port, client, mut batch) = pair("127.0.0.1", "127.0.0.1:0").unwrap();
    assert_eq!(batch.send(&port), 0);
    client.send(b"query").unwrap();
    batch.receive(&port, true).unwrap();
    batch.reply(0, SLOT_SIZE, None);
    // What was queued for slots that are filled anew is not sent.
    client.send(b"again").unwrap();
    batch.receive(&port, true).unwrap();
    assert_eq!(batch.send(&port), 0);
    batch.reply(0, 2 * SLOT_SIZE, None);
    assert_eq!(batch.send(&port), 0);
    assert_eq!(client.recv(&mut [0; 4096]).unwrap(), SLOT_SIZE, "a reply ends with its slot");
}

#[test]
fn a_thread_gives_way_and_the_others_stand_where_they_stood() {
    let nice = || -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name in parentheses may hold anything; niceness is the nineteenth field (proc(5)), the third comes next.
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(19 - 3).unwrap().parse().unwrap()
    };
    let before = nice();
    let door = std::thread::spawn(move || {
        give_way();
        give_way();
        nice()
    });
    assert_eq!(door.join().unwrap(), (before + GIVE_WAY).min(19));
    assert_eq!(nice(), before);
}
