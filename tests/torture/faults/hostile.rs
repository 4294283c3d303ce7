//! Processes that stand still, records that make no sense, clocks that lie, disks without room.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    node::until,
    setup::{ALL, NODES, WWW, address},
    world::{PATIENCE, World},
};

const EVERYBODY: [usize; 5] = [0, 1, 2, 3, 4];

/// A node that slept through three changes comes back to the newest of them.
pub(super) fn asleep(world: &mut World) -> String {
    let node = world.random.usize(0..5);
    let other = (node + 1) % 5;
    world.ledger().excuse(node);
    world.nodes[node].signal(Signal::SIGSTOP);
    let slept = Instant::now();
    let first = world.order(other, "drain", "a1", "1h");
    let second = world.order(other, "down", "d1", "1h");
    world.end(other, &first.id);
    let least = Duration::from_secs(10);
    until("the sleep is over", PATIENCE, || (least <= slept.elapsed()).then_some(()));
    world.nodes[node].signal(Signal::SIGCONT);
    let begun = Instant::now();
    until("it is awake", PATIENCE, || (world.nodes[node].orders()? == [second.id.clone()]).then_some(()));
    let took = begun.elapsed();
    world.answered("the newest is in force", &[node], ALL, PATIENCE, |found| !found.contains(&address("d1")));
    world.answered("the newest is in force", &[node], WWW, PATIENCE, |found| found == [address("a1")]);
    world.expect(node);
    format!("{} slept {:.0?}, current {took:.1?} after", NODES[node].0, begun.duration_since(slept))
}

/// Puts what stands in a file under a key, which may be longer than a command's argument.
fn put(world: &World, key: &str, value: &[u8]) -> Result<String, String> {
    let file = world.folder.path().join("value");
    fs::write(&file, value).unwrap();
    let url = world.members[1].url();
    let line = format!("etcdctl --endpoints {url} --command-timeout=20s put '{key}' < '{}'", file.display());
    world.client.command("sh", &["-c", &line])
}

pub(super) fn poison(world: &mut World) -> String {
    let order = world.order(0, "down", "d1", "1h");
    let big = vec![b'x'; 1_400_000];
    let poisons: [&[u8]; 4] = [b"{", br#"{"s":99,"schema":99,"id":1}"#, br#"{"unknown":{"field":[1,2]},"s":1}"#, &big];
    let keys = [
        "/torture/v1/control/override/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6",
        "/torture/v1/control/audit/99999999999999999999",
        "/torture/v1/control/other",
        "/torture/v1/kept/nobody/nothing",
        "/torture/v1/fleet/ghost-1/presence",
        "/torture/v1/fleet/ghost-1/ballot",
        "/torture/v1/fleet/ghost-1/votes/0",
        "/torture/v1/fleet/ghost-1/other",
        "/torture/v1/other",
    ];
    let mut turns = 0;
    for key in keys {
        // The long one takes its time over a network that loses packets.
        let poisons = if key.ends_with("/other") || key.ends_with("/ballot") { &poisons[..] } else { &poisons[..3] };
        for poison in poisons {
            put(world, key, poison).unwrap();
            turns += 1;
        }
        let still = |found: &[_]| !found.is_empty() && !found.contains(&address("d1"));
        world.stays(key, &EVERYBODY, ALL, Duration::from_millis(1500), still);
        world.etcdctl(&["del", key]).unwrap();
    }
    // What a node says of itself is written anew by it; until then it is nonsense.
    for key in ["/torture/v1/fleet/eu-1/presence", "/torture/v1/fleet/eu-1/ballot", "/torture/v1/fleet/eu-1/votes/0"] {
        put(world, key, b"{").unwrap();
        turns += 1;
    }
    let calm = world.calm();
    for node in &world.nodes {
        assert!(node.runs() && node.orders().is_some_and(|orders| orders == [order.id.clone()]), "{}", node.name);
    }
    let again = world.order(4, "drain", "a2", "10m");
    format!("{turns} poisons under {} keys, calm {calm:.1?} after the last, and {} made", keys.len() + 3, again.id)
}

/// A certificate that has run out ends nothing but writing; the new one is taken without a word.
pub(super) fn expired(world: &mut World) -> String {
    let node = 3;
    let seal = world.seal.clone().expect("this world has certificates");
    let order = world.order(0, "down", "d1", "1h");
    let members: Vec<u8> = world.members.iter().map(|member| member.site.number).collect();
    seal.swap(NODES[node].0, "expired");
    // Connections that there are live on: with new ones it is shown.
    world.part(node, &members);
    until("it is cut off", PATIENCE, || (world.nodes[node].mode()? != "connected").then_some(()));
    world.wan.heal();
    let still = |found: &[_]| !found.is_empty() && !found.contains(&address("d1"));
    world.stays("with an expired certificate", &EVERYBODY, ALL, Duration::from_secs(15), still);
    let mode = world.nodes[node].mode().unwrap();
    assert_ne!(mode, "connected", "etcd takes no expired certificate");
    assert_eq!(world.nodes[node].orders(), Some(vec![order.id]));
    let refused = world.post(node, "", &[], &crate::world::body("up", "g1", "10m")).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);
    seal.swap(NODES[node].0, "expired");
    let (_, took) = until("it is connected", PATIENCE, || (world.nodes[node].mode()? == "connected").then_some(()));
    format!("{mode} with it, connected {took:.1?} after the new one")
}

/// Where Debian has the library that gives one process another time.
const OTHER_TIME: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];

pub(super) fn clocks(world: &mut World) -> String {
    let Some(library) = OTHER_TIME.iter().find(|path| Path::new(path).exists()) else {
        return "not run: Debian's package libfaketime is not installed".into();
    };
    let node = 3;
    let clock = world.nodes[node].folder.join("clock");
    let set = |offset: &str| {
        let next = clock.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(&next, &clock).unwrap();
    };
    set("+0");
    world.kill_node(node);
    world.nodes[node].environment = vec![
        ("LD_PRELOAD".into(), (*library).into()),
        ("FAKETIME_TIMESTAMP_FILE".into(), clock.display().to_string()),
        ("FAKETIME_CACHE_DURATION".into(), "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
    ];
    world.start_node(node);
    world.calm();
    world.expect(node);
    world.order(0, "down", "d1", "10m");
    world.answered("the order holds", &EVERYBODY, ALL, PATIENCE, |found| !found.contains(&address("d1")));

    // An hour ahead: nothing is lifted early, and the others see it.
    let told_before = world.nodes[node].log_text().len();
    set("+3600");
    let (_, seen) = until("the others see its clock", PATIENCE, || {
        let peers = world.nodes[0].list("/v1/nodes")?;
        let peer = peers.iter().find(|peer| peer["id"] == NODES[node].0)?;
        (3_500_000 < peer["clock_offset_ms"].as_i64()?).then_some(())
    });
    let (_, suspected) = until("it suspects its own clock", PATIENCE, || {
        world.nodes[node].log_text()[told_before..].contains("clock-suspect").then_some(())
    });
    world.stays("nothing early", &EVERYBODY, ALL, Duration::from_secs(5), |found| !found.contains(&address("d1")));

    // An hour back: what ended does not come back.
    set("+0");
    world.calm();
    let short = world.order(1, "drain", "a1", "6s");
    world.ledger().end(&short.id);
    world.answered("the order ends", &EVERYBODY, WWW, PATIENCE, |found| found == [address("a1")]);
    set("-3600");
    until("the others see its clock", PATIENCE, || {
        let peers = world.nodes[0].list("/v1/nodes")?;
        let peer = peers.iter().find(|peer| peer["id"] == NODES[node].0)?;
        (peer["clock_offset_ms"].as_i64()? < -3_500_000).then_some(())
    });
    world.stays("nothing comes back", &EVERYBODY, WWW, Duration::from_secs(5), |found| found == [address("a1")]);
    set("+0");
    world.kill_node(node);
    world.nodes[node].environment.clear();
    world.start_node(node);
    format!(
        "an hour ahead seen after {seen:.1?} and suspected after {suspected:.1?}; nothing lifted early, nothing revived"
    )
}

/// A small file system; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"]).arg(at).output();
        assert!(mounted.is_ok_and(|output| output.status.success()), "a small file system at {}", at.display());
        Self(at.to_owned())
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node may not have ended yet.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

pub(super) fn disk(world: &mut World) -> String {
    let node = 2;
    world.kill_node(node);
    let store = world.nodes[node].folder.join("store");
    let aside = world.nodes[node].folder.join("aside");
    fs::rename(&store, &aside).unwrap();
    let small = SmallDisk::mount(&store);
    let ended = full(world, node, &store, &small);
    world.kill_node(node);
    drop(small);
    let _ = fs::remove_dir_all(&store);
    fs::rename(&aside, &store).unwrap();
    world.start_node(node);
    ended
}

fn full(world: &mut World, node: usize, store: &Path, small: &SmallDisk) -> String {
    world.start_node(node);
    world.calm();
    world.expect(node);
    let first = world.order(0, "down", "d1", "1h");
    small.fill();
    // Whatever becomes of it here: the others have it, and nobody stops answering.
    let second = world.order(1, "drain", "a1", "1h");
    let others: Vec<usize> = EVERYBODY.into_iter().filter(|other| *other != node).collect();
    world.answered("it is in force elsewhere", &others, WWW, PATIENCE, |found| found == [address("g1")]);
    let still = |found: &[_]| !found.is_empty() && !found.contains(&address("d1"));
    world.stays("without room", &EVERYBODY, ALL, Duration::from_secs(5), still);
    small.free();
    let (_, took) = until("all is in force with room", PATIENCE, || {
        let orders = world.nodes[node].orders()?;
        (orders.contains(&first.id) && orders.contains(&second.id)).then_some(())
    });
    world.answered("it is in force here", &[node], WWW, PATIENCE, |found| found == [address("g1")]);

    // Torn at any octet, the file before it serves, with all that it says; etcd is out of reach.
    let members: Vec<u8> = world.members.iter().map(|member| member.site.number).collect();
    let snapshot = store.join("last-good.snapshot");
    // What could not be written while there was no room is written in time.
    let kept = || fs::read(&snapshot).ok().filter(|text| String::from_utf8_lossy(text).contains(&second.id));
    let (whole, _) = until("the snapshot has all", PATIENCE, kept);
    let mut torn = 0;
    for at in (0..whole.len()).step_by((whole.len() / if world.long { 6 } else { 2 }).max(1)) {
        world.kill_node(node);
        fs::write(&snapshot, &whole[..at]).unwrap();
        fs::write(snapshot.with_extension("snapshot.prev"), &whole).unwrap();
        world.part(node, &members);
        world.start_node(node);
        world.answered("a torn snapshot", &[node], ALL, PATIENCE, |found| !found.contains(&address("d1")));
        world.answered("a torn snapshot", &[node], WWW, PATIENCE, |found| found == [address("g1")]);
        assert_eq!(world.nodes[node].orders().map(|orders| orders.len()), Some(2), "all that it knew");
        world.wan.heal();
        torn += 1;
        world.expect(node);
    }
    format!("in force {took:.1?} after there was room; {torn} torn snapshots")
}
