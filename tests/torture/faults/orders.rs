//! Overrides: accepted once, kept for ever, in force everywhere.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    api::{self, Reply},
    hammer,
    member::Member,
    node::until,
    setup::{NODES, WWW, address},
    world::{Order, PATIENCE, World, body},
};

const EVERYBODY: [usize; 5] = [0, 1, 2, 3, 4];
/// Promised is 3 s in 99 of 100 cases; more is for a machine that does other things as well.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);

/// Drains `a1` by one node; how long until the answers of each followed, and of the last.
fn in_force(world: &World, node: usize) -> (Order, Duration) {
    let (a1, targets) = (address("a1"), NODES.map(|node| node.3.address()));
    let begun = Instant::now();
    let watched: Vec<_> = targets
        .into_iter()
        .map(|target| {
            let watch = move || {
                until("the answer follows", PATIENCE, || {
                    let answer = hammer::once(target, WWW, Duration::from_millis(300)).ok()?;
                    (!answer.addresses.contains(&a1)).then(|| begun.elapsed())
                })
            };
            world.client.run(move || thread::spawn(watch))
        })
        .collect();
    let order = world.order(node, "drain", "a1", "10m");
    let followed = watched.into_iter().map(|watch| watch.join().expect("the answer follows").0);
    (order, followed.max().expect("there are nodes"))
}

/// One way and back, from each region in turn.
fn measure(world: &World, count: usize, nodes: &[usize]) -> Vec<Duration> {
    let a1 = address("a1");
    let mut times = Vec::new();
    for turn in 0..count {
        let (order, took) = in_force(world, nodes[turn % nodes.len()]);
        let applied = order.view["applied_on"].as_array().map_or(0, Vec::len);
        assert_eq!((applied, &order.view["pending_on"]), (5, &json!([])), "the receipt names all: {}", order.view);
        times.push(took);
        let other = (turn + 1) % 5;
        world.end(other, &order.id);
        world.answered("the order is over", &EVERYBODY, WWW, PATIENCE, |found| found == [a1]);
    }
    times.sort();
    times
}

pub(super) fn everywhere(world: &mut World) -> String {
    let times = measure(world, 3, &[0, 1, 2]);
    assert!(times[2] < IN_FORCE_WITHIN, "in force after {times:?}");
    format!("in force everywhere after {:.1?}", times)
}

/// The figure that is promised: 80 ms there and back between regions, 1 % loss each way.
pub(super) fn how_soon(world: &mut World) -> String {
    let times = measure(world, 102, &[0, 1, 2]);
    let at = |share: usize| times[(times.len() * share).div_ceil(100) - 1].as_millis();
    let figures = format!(
        "{} orders in force in all regions: p50 {} ms, p99 {} ms, most {} ms",
        times.len(),
        at(50),
        at(99),
        at(100)
    );
    assert!(at(99) < IN_FORCE_WITHIN.as_millis(), "{figures}");
    figures
}

fn etag(world: &World, node: usize) -> String {
    let (tag, _) = until("the version of all overrides", PATIENCE, || {
        let reply = world.nodes[node].ask("GET", "/v1/overrides", None).ok()?;
        Some(reply.head.split("etag: ").nth(1)?.split("\r\n").next()?.to_owned())
    });
    tag
}

fn generation(world: &World, node: usize) -> u64 {
    until("the generation", PATIENCE, || world.nodes[node].look("/v1/status")?["node"]["store_generation"].as_u64()).0
}

pub(super) fn at_once(world: &mut World) -> String {
    let rounds = 3;
    let mut refused = 0;
    for round in 0..rounds {
        world.calm();
        let (tag, before) = (etag(world, 0), generation(world, 0));
        let replies: Vec<Reply> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let (socket, tag) = (world.nodes[number % 4].socket(), tag.clone());
                    scope.spawn(move || {
                        let asked = (0..25).map(|turn| {
                            let mut body = body("up", "g1", "10m");
                            body["reason"] = json!(format!("{round}-{number}-{turn}"));
                            api::ask(&socket, "POST", "/v1/overrides", &[("If-Match", &tag)], Some(&body))
                        });
                        asked.filter_map(Result::ok).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a client does not panic")).collect()
        });
        let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 201).collect();
        made.iter().for_each(|reply| drop(world.keep(reply.body.clone())));
        let by = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
        assert_eq!((replies.len(), made.len()), (200, 1), "412: {}, 409: {}, 503: {}", by(412), by(409), by(503));
        assert_eq!(by(412) + by(409) + by(429) + by(503), 199);
        refused += by(412);
        until("the generation of all", PATIENCE, || (generation(world, 1) == before + 1).then_some(()));
    }
    format!("{rounds} x 200 at once: {rounds} made, {refused} refused by If-Match, the generation without a gap")
}

pub(super) fn conditions(world: &mut World) -> String {
    let old = etag(world, 1);
    let order = world.order(1, "up", "g1", "10m");
    until("node 2 follows", PATIENCE, || world.nodes[2].orders()?.contains(&order.id).then_some(()));
    let entries = world.audit(2).len();
    for condition in [old.as_str(), "\"ov-1\"", "\"other\""] {
        let reply = world.post(2, "", &[("If-Match", condition)], &body("up", "d1", "10m")).unwrap();
        assert_eq!((reply.status, &reply.body["code"]), (412, &json!("precondition_failed")), "{condition}");
    }
    assert_eq!(world.audit(2).len(), entries, "what was refused is not in the audit as done");
    let now = etag(world, 2);
    let reply = world.post(2, "", &[("If-Match", &now)], &body("up", "d1", "10m")).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.body);
    world.keep(reply.body);
    "3 refused, 1 made".into()
}

/// Asks with a key until it is done; how often it took. Nothing else is done with that key.
fn insist(socket: &Path, key: &str, body: &Value) -> Option<Reply> {
    let reply = api::ask(socket, "POST", "/v1/overrides", &[("Idempotency-Key", key)], Some(body)).ok()?;
    assert!(matches!(reply.status, 201 | 429 | 503 | 409), "{} {}", reply.status, reply.body);
    (reply.status == 201).then_some(reply)
}

/// The same request over and over, with `hurt` in the middle of the first time; each key is one effect.
fn repeated(
    world: &mut World,
    keys: usize,
    repeats: usize,
    hurt: impl Fn(&mut World),
    heal: impl Fn(&mut World),
) -> String {
    let mut lost = 0;
    for number in 0..keys {
        let (key, node) = (format!("key-{}-{number}", world.random.u32(..)), 1);
        let mut wanted = body("up", "g1", "10m");
        wanted["reason"] = json!(key);
        let socket = world.nodes[node].socket();
        let first = {
            let (key, wanted, socket) = (key.clone(), wanted.clone(), socket.clone());
            thread::spawn(move || insist(&socket, &key, &wanted))
        };
        thread::sleep(Duration::from_millis(world.random.u64(0..600)));
        hurt(world);
        let first = first.join().expect("a client does not panic");
        heal(world);
        lost += usize::from(first.is_none());
        let mut ids: BTreeSet<String> =
            first.iter().map(|reply| reply.body["id"].as_str().unwrap().to_owned()).collect();
        for _ in 0..repeats {
            let (reply, _) = until("the request is done", PATIENCE, || insist(&socket, &key, &wanted));
            ids.insert(reply.body["id"].as_str().unwrap().to_owned());
            world.keep(reply.body);
        }
        assert_eq!(ids.len(), 1, "{key}: one effect");
        let with_it = |entries: &[Value]| entries.iter().filter(|entry| entry["reason"] == json!(key)).count();
        let orders = world.nodes[0].list("/v1/overrides?limit=1000");
        let orders = orders.unwrap_or_else(|| world.nodes[2].list("/v1/overrides?limit=1000").unwrap());
        assert!(with_it(&orders) <= 1 && with_it(&world.audit(1)) == 1, "{key}: one override, one entry in the audit");
        ids.iter().for_each(|id| world.end(1, id));
    }
    format!("{keys} keys, {} requests, {lost} answers lost, one effect each", keys * (repeats + 1))
}

pub(super) fn repeated_by_a_dying_node(world: &mut World) -> String {
    let back = |world: &mut World| {
        world.start_node(1);
        world.expect(1);
    };
    repeated(world, 10, 4, |world| world.kill_node(1), back)
}

pub(super) fn repeated_by_a_dying_leader(world: &mut World) -> String {
    let back = |world: &mut World| {
        let places = &world.places;
        let away = world.members.iter_mut().zip(places).filter(|(member, _)| !member.runs());
        away.for_each(|(member, place)| member.start(place));
    };
    let kill = |world: &mut World| {
        let leader = world.leader();
        Member::kill(&mut world.members[leader]);
    };
    repeated(world, 4, 4, kill, back)
}

/// Two operators, at two nodes, at the same moment.
fn both(world: &World, action: &'static str, targets: [&str; 2]) -> Vec<Reply> {
    thread::scope(|scope| {
        let threads: Vec<_> = targets
            .into_iter()
            .zip([0, 4])
            .map(|(target, node)| scope.spawn(move || world.post(node, "", &[], &body(action, target, "10m"))))
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a client does not panic").ok()).collect()
    })
}

pub(super) fn two_operators(world: &mut World) -> String {
    let mut codes = BTreeSet::new();
    for round in 0..4 {
        let action = if round % 2 == 0 { "down" } else { "drain" };
        world.calm();
        let replies = both(world, action, ["a2", "g2"]);
        let by = |status: u16| replies.iter().filter(|reply| reply.status == status).cloned().collect::<Vec<_>>();
        let (made, refused) = (by(201), by(409));
        assert_eq!((made.len(), refused.len()), (1, 1), "{action}: {replies:?}");
        let code = refused[0].body["code"].as_str().unwrap().to_owned();
        assert!(code.starts_with("safety."), "{}", refused[0].body);
        codes.insert(code);
        let order = world.keep(made[0].body.clone());
        world.end(2, &order.id);
    }
    format!("4 x one made and one refused ({})", codes.into_iter().collect::<Vec<_>>().join(", "))
}

pub(super) fn down_of_all(world: &mut World) -> String {
    let all: [Ipv4Addr; 2] = [address("a2"), address("g2")];
    let mut wanted = body("down", "a2", "10m");
    for target in ["pool:duo", "service:duo", "all"] {
        wanted["target"] = json!(target);
        let reply = world.post(3, "", &[], &wanted).unwrap();
        let code = reply.body["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!((reply.status, code.starts_with("safety.")), (409, true), "{target}: {}", reply.body);
        assert!(reply.body["blocking"].as_array().is_some_and(|by| !by.is_empty()), "{}", reply.body);
    }
    world.stays("nothing was taken", &EVERYBODY, "duo.gslb.example.com", Duration::from_secs(2), |found| found == all);
    "3 refused, with what blocks them".into()
}
