//! A flood of queries, seen from outside: probes are made, the admin API answers, memory stays flat, what is lost counts.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::UdpSocket,
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use crate::support::{Endpoint, Node, PATIENCE, ask, eventually, query, v4_answers};

const CONFIG: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.aws]\n[region.eu]\n[check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nfall = 64\n[service.www]\nnames = [\"www.gslb.example.com\"]\nendpoints = [\"one\"]\ncheck = \"web\"\n";

/// The least that is sent; it goes on until everything that is waited for has come.
const QUERIES_MIN: usize = 100_000;
/// So many probes are made meanwhile.
const PROBES: usize = 10;
/// So many requests of people are answered meanwhile.
const REQUESTS: usize = 20;
/// Most that the process may grow by meanwhile, in KiB: less than a queue of the queries that it cannot answer would.
const GROWTH_MAX: usize = 8 << 10;

#[test]
fn under_a_flood_probes_are_made_people_are_answered_and_memory_stays_flat() {
    let one = Endpoint::start("127.0.0.1");
    let endpoint = format!(
        "[endpoint.one]\nprovider = \"aws\"\nregion = \"eu\"\naddress = \"203.0.113.1\"\ncheck_at = \"{}\"\n",
        one.address
    );
    let node = Node::start(&format!("{CONFIG}{endpoint}"));
    node.all_up();
    let www = query("www.gslb.example.com", 1, 1);
    // What is needed once is needed by now.
    (0..100).for_each(|_| assert!(ask(node.dns, &www).is_some()));
    let before = resident(&node);
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut answered, mut grown) = (0, 0);
    thread::scope(|scope| {
        let _end = End(&over);
        scope.spawn(|| flood(&node, &www, &over, &sent));
        let probes = one.requests();
        eventually("probes, requests of people and lost queries under a flood", || {
            answered += usize::from(metrics(&node).is_some());
            grown = grown.max(resident(&node).saturating_sub(before));
            let done = REQUESTS <= answered && probes + PROBES <= one.requests();
            (done && QUERIES_MIN <= sent.load(Relaxed) && 0 < lost(&node)).then_some(())
        });
    });
    assert!(grown <= GROWTH_MAX, "{before} KiB grew by {grown} KiB");
    // Nothing is lost for good: the next query is answered, and every query was either read or counted as lost.
    let reply = eventually("an answer after the flood", || ask(node.dns, &www));
    assert_eq!(v4_answers(&reply), ["203.0.113.1".parse::<std::net::Ipv4Addr>().unwrap()]);
    let read = count(&node, "wayshift_dns_requests_total{proto=\"udp\",family=\"ipv4\",type=\"A\"}");
    let (sent, lost) = (sent.load(Relaxed), lost(&node));
    assert!(read + lost <= sent + 200, "{read} read and {lost} lost of {sent} sent and a few");
    eprintln!("of {sent} queries {read} were read and {lost} lost; {answered} requests answered; {grown} KiB grown");
}

/// The flood ends with the test, however that ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Sends and does not listen.
fn flood(node: &Node, packet: &[u8], over: &AtomicBool, sent: &AtomicUsize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(node.dns).unwrap();
    while !over.load(Relaxed) {
        sent.fetch_add(usize::from(socket.send(packet).is_ok()), Relaxed);
    }
}

/// What the process holds, in KiB.
fn resident(node: &Node) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn metrics(node: &Node) -> Option<String> {
    let mut stream = UnixStream::connect(node.socket()).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.starts_with("HTTP/1.1 200").then_some(text)
}

fn count(node: &Node, series: &str) -> usize {
    let text = metrics(node).expect("metrics are served");
    let line = text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series}:\n{text}"));
    line.trim().parse().unwrap()
}

fn lost(node: &Node) -> usize {
    count(node, "wayshift_dns_dropped_total{reason=\"queue\"}")
}

#[test]
fn door_threads_give_way_to_all_others() {
    let node = Node::start(CONFIG.replace("\"one\"", "\"203.0.113.1\"").as_str());
    eventually("every door thread behind every other", || {
        let threads = niceness(&node);
        let (doors, others): (Vec<_>, Vec<_>) = threads.iter().partition(|(name, _)| name.starts_with("dns-"));
        let of = |kind| doors.iter().any(|(name, _)| name.starts_with(kind));
        let usual = others.iter().map(|(_, nice)| *nice).max()?;
        let behind = doors.iter().all(|(_, nice)| usual < *nice || *nice == NICE_MAX);
        (of("dns-udp") && of("dns-tcp") && behind).then_some(())
    });
}

/// Where the scale ends (setpriority(2)).
const NICE_MAX: i32 = 19;

/// Names of a node's threads, and how far each stands back.
fn niceness(node: &Node) -> Vec<(String, i32)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
    stats
        .map(|stat| {
            let (name, rest) = stat.rsplit_once(") ").unwrap();
            // Niceness is the nineteenth field (proc(5)); behind the name comes the third.
            (name.split_once('(').unwrap().1.to_owned(), rest.split(' ').nth(19 - 3).unwrap().parse().unwrap())
        })
        .collect()
}
