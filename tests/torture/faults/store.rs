//! What happens to etcd itself: a member hangs, history is compacted, data are put back or gone, there is no room.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    member::Member,
    node::until,
    setup::{ALL, DUO, NODES, WWW, address},
    wan::End,
    world::{PATIENCE, World, body},
};

const EVERYBODY: [usize; 5] = [0, 1, 2, 3, 4];

pub(super) fn hung_member(world: &mut World) -> String {
    // `eu-1` and `sa-1` ask the first member first.
    world.members[0].signal(Signal::SIGSTOP);
    let begun = Instant::now();
    let order = world.order(1, "down", "d1", "10m");
    let made = begun.elapsed();
    for node in [0, 3] {
        until("it comes by another member", PATIENCE, || world.nodes[node].orders()?.contains(&order.id).then_some(()));
    }
    let followed = begun.elapsed();
    world.answered("it is in force", &EVERYBODY, ALL, PATIENCE, |found| !found.contains(&address("d1")));
    world.members[0].signal(Signal::SIGCONT);
    world.calm();
    format!("made after {made:.1?}, followed by the nodes of the hung member after {followed:.1?}")
}

/// A node's connections to members, as its own port and the member's address.
fn connections(world: &World, node: usize) -> Vec<(String, String)> {
    let filter = ["-Htn", "state", "established", "dport", "=", ":2379"];
    let told = world.places[node].command("ss", &filter).unwrap();
    let ends = told.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(2);
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    });
    let mut own: Vec<_> = ends.collect();
    own.sort();
    own
}

pub(super) fn idle(world: &mut World) -> String {
    // A node that is not at its nearest member goes home within a minute or so.
    let at_home = |node: usize, own: &[(String, String)]| {
        let home = format!("{}:2379", NODES[node % 3].3.address());
        !own.is_empty() && own.iter().all(|(_, member)| *member == home)
    };
    world.members[0].kill();
    for node in [0, 3] {
        let elsewhere =
            || (!connections(world, node).is_empty() && !at_home(node, &connections(world, node))).then_some(());
        until("it asks another member", PATIENCE, elsewhere);
    }
    world.members[0].start(&world.places[0]);
    world.calm();
    let told = EVERYBODY.map(|node| world.nodes[node].log_text().len());
    let (before, _) = until("each node is at its nearest member, and stays", PATIENCE * 2, || {
        let first = EVERYBODY.map(|node| connections(world, node));
        std::thread::sleep(Duration::from_secs(5));
        let stay =
            EVERYBODY.iter().all(|node| connections(world, *node) == first[*node] && at_home(*node, &first[*node]));
        stay.then_some(first)
    });
    for node in EVERYBODY {
        let alarms = |line: &str| line.contains("store-away") && line.contains("\"ERROR\"");
        let alarmed = world.nodes[node].log_text()[told[node]..].lines().any(alarms);
        assert!(!alarmed, "{}: going home is no loss of the store", NODES[node].0);
    }
    world.stays("nothing happens", &EVERYBODY, WWW, Duration::from_secs(60), |found| found == [address("a1")]);
    let after = EVERYBODY.map(|node| connections(world, node));
    let changed = EVERYBODY.iter().filter(|node| before[**node] != after[**node]).count();
    // The network loses one packet in a hundred; that ends no connection. etcd's policy of keepalives would end them all.
    assert!(changed <= 1, "{before:?}\n{after:?}");
    let told = EVERYBODY.iter().any(|node| world.nodes[*node].log_text().contains("too_many_pings"));
    assert!(!told, "etcd has said that we ping too often");
    format!("{} connections, {changed} of 5 nodes made a new one in 60 s", after.iter().map(Vec::len).sum::<usize>())
}

pub(super) fn compacted(world: &mut World) -> String {
    let cut = 3;
    let members: Vec<u8> = world.members.iter().map(|member| member.site.number).collect();
    let before = world.order(cut, "drain", "a2", "1h");
    world.part(cut, &members);
    until("the node is cut off", PATIENCE, || (world.nodes[cut].mode()? != "connected").then_some(()));
    world.end(0, &before.id);
    let kept = world.order(0, "down", "d1", "1h");
    let status: Value = serde_json::from_str(&world.etcdctl(&["endpoint", "status", "-w", "json"]).unwrap()).unwrap();
    let revision = status[0]["Status"]["header"]["revision"].as_u64().unwrap().to_string();
    world.etcdctl(&["compact", &revision]).unwrap();
    assert_eq!(world.nodes[cut].orders(), Some(vec![before.id]), "cut off, it keeps what it knew");
    world.wan.heal();
    let (_, took) =
        until("it reads all anew", PATIENCE, || (world.nodes[cut].orders()? == [kept.id.clone()]).then_some(()));
    format!("compacted at {revision}, current {took:.1?} after")
}

/// All nodes hold, and answer as before; nothing is written.
fn hold(world: &World, orders: &[&str]) -> Duration {
    let begun = Instant::now();
    for node in &world.nodes {
        until(&format!("{} holds", node.name), PATIENCE, || (node.mode()? == "held").then_some(()));
        let known = node.orders().unwrap();
        assert!(known.len() == orders.len() && orders.iter().all(|id| known.iter().any(|own| own == id)), "{known:?}");
    }
    let took = begun.elapsed();
    let refused = world.post(2, "", &[], &body("up", "g1", "10m")).unwrap();
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("store.held")), "{}", refused.body);
    took
}

fn adopt(world: &World, node: usize) {
    let asked = |dry: bool| {
        let path = if dry { "/v1/store/adopt?dry_run=true" } else { "/v1/store/adopt" };
        until("the store is adopted", PATIENCE, || {
            let reply = world.nodes[node].ask("POST", path, Some(&json!({ "reason": "torture" }))).ok()?;
            (reply.status == 200).then_some(reply.body)
        })
    };
    let (seen, _) = asked(true);
    assert_eq!(seen["dry_run"], true);
    world.ledger().new_epoch();
    // What came after the backup is in the audit of the lost state alone.
    world.ledger().forget_audit();
    asked(false);
}

pub(super) fn put_back(world: &mut World) -> String {
    let backup = world.folder.path().join("backup.db").display().to_string();
    let _ = std::fs::remove_file(&backup);
    let ended = world.order(0, "drain", "a1", "1h");
    world.etcdctl(&["snapshot", "save", &backup]).unwrap();
    world.end(1, &ended.id);
    let kept = world.order(2, "down", "d1", "1h");
    let tag = world.nodes[0].ask("GET", "/v1/overrides", None).unwrap().head;
    let tag = tag.split("etag: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    let begun = Instant::now();
    let token = format!("restored-{}", world.random.u32(..));
    world.members.iter_mut().for_each(Member::kill);
    for at in 0..3 {
        world.members[at].restore(&world.places[at], &backup, &token);
    }
    for at in 0..3 {
        world.members[at].start(&world.places[at]);
    }
    let held = hold(world, &[&kept.id]);
    let all = |found: &[_]| !found.contains(&address("d1"));
    world.stays("nothing is lifted", &EVERYBODY, ALL, Duration::from_secs(2), all);
    world.stays("nothing comes back", &EVERYBODY, WWW, Duration::from_secs(1), |found| found == [address("a1")]);
    let by = world.random.usize(0..5);
    adopt(world, by);
    let adopted = Instant::now();
    world.calm();
    for node in &world.nodes {
        assert_eq!(node.orders(), Some(vec![kept.id.clone()]), "{}", node.name);
    }
    // A version from before it means nothing any more.
    let reply = world.post(1, "", &[("If-Match", &tag)], &body("up", "g1", "10m")).unwrap();
    assert_eq!(reply.status, 412, "{tag}: {}", reply.body);
    format!(
        "held {held:.1?} after {:.1?} of outage, {} adopted, calm {:.1?} after",
        adopted.duration_since(begun),
        NODES[by].0,
        adopted.elapsed()
    )
}

pub(super) fn wiped(world: &mut World) -> String {
    let kept = world.order(0, "down", "d1", "1h");
    let other = world.order(3, "drain", "a2", "1h");
    let token = format!("wiped-{}", world.random.u32(..));
    world.members.iter_mut().for_each(Member::kill);
    world.members.iter_mut().for_each(|member| member.wipe(&token));
    for at in 0..3 {
        world.members[at].start(&world.places[at]);
    }
    let held = hold(world, &[&kept.id, &other.id]);
    world.stays("nothing is lifted", &EVERYBODY, ALL, Duration::from_secs(3), |found| !found.contains(&address("d1")));
    world.stays("nothing is lifted", &EVERYBODY, DUO, Duration::from_secs(1), |found| found == [address("g2")]);
    adopt(world, 4);
    world.calm();
    for node in &world.nodes {
        assert_eq!(node.orders().map(|orders| orders.len()), Some(2), "{}", node.name);
    }
    format!("held {held:.1?} after the empty etcd was there; both overrides are in the new one")
}

/// An isolated member still answers what it knew; who comes back to it does not believe it.
pub(super) fn lagging(world: &mut World) -> String {
    let (node, own) = (3, world.members[0].site);
    for other in [1, 2] {
        world.wan.part(End::Site(own.number), End::Site(NODES[other].3.number));
    }
    let order = world.order(1, "down", "d1", "10m");
    let (_, took) =
        until("it comes by another member", PATIENCE, || world.nodes[node].orders()?.contains(&order.id).then_some(()));
    // Now there is only the old one.
    world.part(node, &[NODES[1].3.number, NODES[2].3.number]);
    until("it is cut off", PATIENCE, || (world.nodes[node].mode()? != "connected").then_some(()));
    world.stays("it believes nothing old", &[node], ALL, Duration::from_secs(10), |found| {
        !found.contains(&address("d1"))
    });
    assert_eq!(world.nodes[node].orders(), Some(vec![order.id]));
    format!("new state after {took:.1?}, and nothing older after that")
}

fn database(world: &World) -> u64 {
    let status = world.etcdctl(&["endpoint", "status", "-w", "json"]).unwrap();
    serde_json::from_str::<Value>(&status).unwrap()[0]["Status"]["dbSize"].as_u64().unwrap()
}

fn restart(world: &mut World, more: &[String]) {
    for at in 0..3 {
        world.members[at].kill();
        world.members[at].more = more.to_vec();
        world.members[at].start(&world.places[at]);
        until("etcd is whole", PATIENCE, || world.etcdctl(&["endpoint", "health"]).ok());
    }
    world.calm();
}

pub(super) fn no_room(world: &mut World) -> String {
    let order = world.order(0, "down", "d1", "1h");
    let quota = database(world) + 2 * 1024 * 1024;
    restart(world, &["--quota-backend-bytes".into(), quota.to_string()]);
    let filler = "x".repeat(120_000);
    let mut filled = 0;
    while world.etcdctl(&["put", &format!("/filler/{filled}"), &filler]).is_ok() {
        filled += 1;
        assert!(filled < 200, "etcd takes more than its quota");
    }
    let (refused, _) = until("a write is refused", PATIENCE, || {
        let reply = world.post(1, "", &[], &body("up", "g1", "10m")).ok()?;
        if reply.status == 201 {
            world.keep(reply.body.clone());
        }
        (reply.status != 201).then_some(reply)
    });
    assert_eq!(refused.status, 503, "{}", refused.body);
    world.stays("answers go on", &EVERYBODY, ALL, Duration::from_secs(5), |found| !found.contains(&address("d1")));
    for node in &world.nodes {
        assert!(node.orders().unwrap().contains(&order.id), "{} keeps its orders", node.name);
    }
    // As etcd's own page says: make room, compact, defragment each, disarm.
    world.etcdctl(&["del", "--prefix", "/filler/"]).unwrap();
    let status = world.etcdctl(&["endpoint", "status", "-w", "json"]).unwrap();
    let revision = serde_json::from_str::<Value>(&status).unwrap()[0]["Status"]["header"]["revision"].to_string();
    world.etcdctl(&["compact", &revision]).unwrap();
    for at in 0..3 {
        let url = world.members[at].url();
        world.etcdctl(&["--endpoints", &url, "defrag"]).unwrap();
    }
    world.etcdctl(&["alarm", "disarm"]).unwrap();
    let calm = world.calm();
    restart(world, &[]);
    format!(
        "full after {filled} x 120 kB, writes refused ({}), calm {calm:.1?} after there was room",
        refused.body["code"]
    )
}
