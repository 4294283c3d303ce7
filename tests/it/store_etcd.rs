//! The shared store on a real etcd: the same contract, several nodes, and what etcd does to those who follow it.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use etcd_client::{Client, GetOptions};
use wayshift::{
    model::{Ballot, Family, Memory, Mono, OverrideId, PrivateKey, Secret, SelfTest, SubjectId, Target, Vote},
    store::{
        BallotBus as _, Change, ControlStore, Durable, Seen, StoreError,
        etcd::{Contact, Etcd, Settings, Tls},
    },
};

use super::{
    store_contract::{AT, contract, create, draft, key, order},
    support::{
        PATIENCE,
        etcd::{Certificates, Relay, Server, Wire, until},
    },
};

mod access;
mod ballots;

/// A node's store with the folder it needs.
struct Node {
    store: Arc<Etcd>,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Node {
    type Target = Etcd;
    fn deref(&self) -> &Etcd {
        &self.store
    }
}

fn settings(endpoints: &[String]) -> Settings {
    Settings { endpoints: endpoints.to_vec(), prefix: "/wayshift/test/".into(), tls: None, user: None }
}

fn node(settings: Settings, memory: Option<&Memory>) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Etcd::open(settings, folder.path(), memory, AT).unwrap());
    Node { store, _folder: folder }
}

/// What the snapshot file would hold of this state.
fn memory(durable: &Durable) -> Memory {
    Memory {
        epoch: durable.epoch.clone(),
        store_generation: durable.generation,
        overrides: durable.overrides.to_vec(),
        ..Memory::default()
    }
}

impl Node {
    async fn made(&self) {
        let mut contact = self.contact();
        let made = contact.wait_for(|contact| *contact == Contact::Made);
        tokio::time::timeout(PATIENCE, made).await.expect("it reaches etcd").unwrap();
    }

    async fn held(&self) -> String {
        let mut contact = self.contact();
        let held = contact.wait_for(|contact| matches!(contact, Contact::Held(_)));
        let held = tokio::time::timeout(PATIENCE, held).await.expect("it is held").unwrap().clone();
        let Contact::Held(why) = &held else { panic!("{held:?}") };
        why.to_string()
    }

    async fn lost(&self) {
        let mut contact = self.contact();
        let lost = contact.wait_for(|contact| matches!(contact, Contact::Lost(_)));
        drop(tokio::time::timeout(PATIENCE, lost).await.expect("it notices").unwrap());
    }

    async fn sees(&self, generation: u64) -> Arc<Durable> {
        let mut watch = self.watch();
        let there = watch.wait_for(|durable| generation <= durable.generation);
        Arc::clone(&tokio::time::timeout(PATIENCE, there).await.expect("it sees it").unwrap())
    }
}

async fn raw(server: &Server) -> Client {
    Client::connect([server.url()], None).await.unwrap()
}

fn ids(durable: &Durable) -> Vec<OverrideId> {
    durable.overrides.iter().map(|order| order.id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_keeps_the_contract() {
    let server = Server::start();
    let (nodes, number) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    contract(|| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let node = node(Settings { prefix: format!("/contract/{number}"), ..settings(&[server.url()]) }, None);
        let store = Arc::clone(&node.store) as Arc<dyn ControlStore>;
        nodes.lock().unwrap().push(node);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_one_state_one_audit_and_their_keys() {
    let server = Server::start();
    let (eu, us) = (node(settings(&[server.url()]), None), node(settings(&[server.url()]), None));
    create(&*eu.store, 1).await.unwrap();
    assert_eq!(us.sees(1).await, eu.load().await.unwrap());
    // Linear: what was answered there is known here at once.
    let again = us.commit(Change::Create(order(2)), Seen(0), draft("override.create"), None).await;
    assert!(matches!(again, Err(StoreError::Conflict { current: 1 })), "{again:?}");
    us.commit(Change::Create(order(2)), Seen(1), draft("override.create"), Some(key("k", "f"))).await.unwrap();
    let again = eu.commit(Change::Create(order(2)), Seen(2), draft("override.create"), Some(key("k", "f"))).await;
    assert!(matches!(&again, Err(StoreError::KeyUsed(kept)) if kept.status == 201), "{again:?}");
    // Everybody at once, with notes in between that move the audit alone.
    let mut tasks = tokio::task::JoinSet::new();
    for (start, store) in [(100, &eu.store), (200, &us.store)] {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for number in start..start + 20 {
                while let Err(error) = create(&*store, number).await {
                    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
                }
                store.note(draft("endpoint.probe")).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let (here, there) = (eu.sees(42).await, us.sees(42).await);
    assert_eq!((here.overrides.len(), &here), (42, &there));
    assert_eq!(eu.audit(u64::MAX, 1000).await.unwrap().len(), 82);
    assert_eq!(us.verify_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_asked_for_again_and_it_happened_once() {
    let server = Server::start();
    let relay = Relay::to(server.address()).await;
    let eu = node(settings(&[relay.url()]), None);
    eu.made().await;
    // It has its lease from then on.
    eu.commit(Change::Create(order(1)), Seen(0), draft("override.create"), Some(key("first", "f"))).await.unwrap();
    let mut raw = raw(&server).await;
    let audit = |number| format!("/wayshift/test/v1/control/audit/{number:020}");
    // With and without a key: what proves it is the attempt's own entry.
    let us = node(settings(&[server.url()]), None);
    for (number, keyed) in [(2, None), (4, Some(key("k", "f")))] {
        relay.set(Wire::Swallows);
        let store = Arc::clone(&eu.store);
        let change = Change::Create(order(number));
        let commit = async move { store.commit(change, Seen(number - 1), draft("override.create"), keyed).await };
        let commit = tokio::task::JoinSet::from_iter([commit]);
        until("it happens", || {
            let (mut raw, key) = (raw.clone(), audit(number));
            async move { raw.get(key, None).await.unwrap().kvs().first().map(drop) }
        })
        .await;
        relay.end_all().await;
        let made = commit.join_all().await.pop().unwrap().unwrap();
        assert_eq!((made.durable.generation, made.entity.generation), (number, number));
        // What is seen now came by a watch that was opened since.
        create(&*us.store, number + 1).await.unwrap();
        eu.sees(number + 1).await;
    }
    let kvs = raw.get("/wayshift/test/v1/control/audit/", Some(GetOptions::new().with_prefix())).await.unwrap();
    assert_eq!((kvs.kvs().len(), eu.load().await.unwrap().overrides.len()), (5, 5));
    assert_eq!(eu.verify_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_accepts_and_never_answers_is_left() {
    let server = Server::start();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hung = format!("http://{}", silent.local_addr().unwrap());
    let eu = node(settings(&[hung, server.url()]), None);
    eu.made().await;
    create(&*eu.store, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_force_stays_while_etcd_is_away_and_goes_on_when_it_is_back() {
    let mut server = Server::start();
    let (eu, us) = (node(settings(&[server.url()]), None), node(settings(&[server.url()]), None));
    create(&*eu.store, 1).await.unwrap();
    let before = us.sees(1).await;
    server.kill();
    us.lost().await;
    assert_eq!(*us.watch().borrow(), before);
    let refused = us.commit(Change::Create(order(2)), Seen(1), draft("override.create"), None).await;
    assert!(matches!(refused, Err(StoreError::Away { .. } | StoreError::Unknown(_))), "{refused:?}");
    // A node that starts meanwhile goes on from what it remembers.
    let late = node(settings(&[server.url()]), Some(&memory(&before)));
    assert_eq!(*late.watch().borrow(), before);
    server.start_again();
    for node in [&eu, &us, &late] {
        node.made().await;
    }
    create(&*us.store, 3).await.unwrap();
    assert_eq!(ids(&*late.sees(2).await), [1, 3].map(|number| order(number).id));
    assert_eq!(eu.sees(2).await, late.sees(2).await);
    assert_eq!(late.verify_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_was_cut_goes_on_also_where_its_past_was_compacted_away() {
    let server = Server::start();
    let relay = Relay::to(server.address()).await;
    let (eu, us) = (node(settings(&[relay.url()]), None), node(settings(&[server.url()]), None));
    create(&*us.store, 1).await.unwrap();
    eu.sees(1).await;
    for (generation, compacts) in [(3, false), (5, true)] {
        relay.set(Wire::Cut);
        eu.lost().await;
        create(&*us.store, generation - 1).await.unwrap();
        create(&*us.store, generation).await.unwrap();
        if compacts {
            let mut raw = raw(&server).await;
            let newest = raw.get("/", None).await.unwrap().header().unwrap().revision();
            raw.compact(newest, None).await.unwrap();
        }
        relay.set(Wire::Whole);
        assert_eq!(eu.sees(generation).await, us.load().await.unwrap());
        eu.made().await;
    }
    create(&*us.store, 6).await.unwrap();
    assert_eq!(eu.sees(6).await.overrides.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_has_gone_back_is_not_followed_and_not_written_to() {
    let mut server = Server::start();
    let eu = node(settings(&[server.url()]), None);
    create(&*eu.store, 1).await.unwrap();
    server.backup();
    eu.made().await;
    until("it is taken again", || async { create(&*eu.store, 2).await.ok() }).await;
    let newest = eu.load().await.unwrap();
    server.restore();
    let why = eu.held().await;
    assert!(why.contains("gone back") || why.contains("older state"), "{why}");
    for result in [create(&*eu.store, 3).await, eu.note(draft("x")).await, eu.load().await.map(drop)] {
        assert!(matches!(result, Err(StoreError::Held { .. })), "{result:?}");
    }
    assert_eq!(*eu.watch().borrow(), newest, "nothing is lifted");
    // Nor after a restart; and a node that never knew more goes on with what is there.
    let again = node(settings(&[server.url()]), Some(&memory(&newest)));
    assert!(again.held().await.contains("older state"));
    assert_eq!(*again.watch().borrow(), newest);
    let fresh = node(settings(&[server.url()]), None);
    create(&*fresh.store, 7).await.unwrap();
    assert_eq!(fresh.load().await.unwrap().overrides.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_was_wiped_is_not_followed_and_not_filled() {
    let mut server = Server::start();
    let eu = node(settings(&[server.url()]), None);
    create(&*eu.store, 1).await.unwrap();
    let known = eu.load().await.unwrap();
    server.wipe();
    let why = eu.held().await;
    assert!(why.contains("no state") || why.contains("gone back") || why.contains("another"), "{why}");
    assert_eq!(*eu.watch().borrow(), known);
    let again = node(settings(&[server.url()]), Some(&memory(&known)));
    assert!(again.held().await.contains("holds no state"));
    let all = raw(&server).await.get("/wayshift/", Some(GetOptions::new().with_prefix())).await.unwrap();
    assert!(all.kvs().is_empty(), "nobody wrote");
    // Made anew by a node that knows nothing, it is another state.
    let fresh = node(settings(&[server.url()]), None);
    create(&*fresh.store, 9).await.unwrap();
    let other = node(settings(&[server.url()]), Some(&memory(&known)));
    assert!(other.held().await.contains("another state"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_around_us_is_not_followed() {
    let server = Server::start();
    let eu = node(settings(&[server.url()]), None);
    create(&*eu.store, 1).await.unwrap();
    create(&*eu.store, 2).await.unwrap();
    let known = eu.load().await.unwrap();
    let mut raw = raw(&server).await;
    let name = |number| format!("/wayshift/test/v1/control/override/{}", order(number).id);
    let good = raw.get(name(1), None).await.unwrap().kvs()[0].value().to_vec();
    for poison in ["{", "", "{\"v\":99}", &"x".repeat(1 << 20)] {
        raw.put(name(1), poison, None).await.unwrap();
        assert!(eu.held().await.contains("wrote around"));
        assert_eq!(*eu.watch().borrow(), known);
        raw.put(name(1), good.clone(), None).await.unwrap();
        eu.made().await;
    }
    raw.delete(name(2), None).await.unwrap();
    eu.held().await;
    assert_eq!(*eu.watch().borrow(), known, "an order is not lifted without an entry in the audit");
    // Keys of nobody do no harm.
    raw.put("/wayshift/test/v1/control/other", "{", None).await.unwrap();
    assert_eq!(*eu.watch().borrow(), known);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_audit_is_found() {
    let server = Server::start();
    let eu = node(settings(&[server.url()]), None);
    for _ in 0..5 {
        eu.note(draft("config.reload")).await.unwrap();
    }
    let mut raw = raw(&server).await;
    let entry = |number| format!("/wayshift/test/v1/control/audit/{number:020}");
    let third = raw.get(entry(3), None).await.unwrap().kvs()[0].value_str().unwrap().to_owned();
    raw.put(entry(3), third.replace("INC-123", "INC-124"), None).await.unwrap();
    assert_eq!(eu.verify_audit().await.unwrap(), Some(3));
    raw.put(entry(3), third, None).await.unwrap();
    assert_eq!(eu.verify_audit().await.unwrap(), None);
    raw.delete(entry(5), None).await.unwrap();
    assert_eq!(eu.verify_audit().await.unwrap(), Some(5), "cut off at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_answers_hang_on_a_lease_of_a_day_and_survive_its_loss() {
    let server = Server::start();
    let eu = node(settings(&[server.url()]), None);
    create(&*eu.store, 1).await.unwrap();
    let with_key = |number, name| {
        eu.commit(Change::Create(order(number)), Seen(number - 1), draft("override.create"), Some(key(name, "f")))
    };
    with_key(2, "one").await.unwrap();
    let mut raw = raw(&server).await;
    let leases: Vec<i64> = raw.leases().await.unwrap().leases().iter().map(|lease| lease.id()).collect();
    let [lease] = leases[..] else { panic!("{leases:?}") };
    let left = raw.lease_time_to_live(lease, None).await.unwrap().granted_ttl();
    assert!((86_400..=2 * 86_400).contains(&left), "{left} s");
    raw.lease_revoke(lease).await.unwrap();
    assert!(eu.kept("token:web-oncall".into(), "one".into()).await.unwrap().is_none());
    with_key(3, "two").await.unwrap();
    assert!(eu.kept("token:web-oncall".into(), "two".into()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_a_change_is_refused_and_changes_nothing() {
    let server = Server::start();
    let eu = node(settings(&[server.url()]), None);
    create(&*eu.store, 1).await.unwrap();
    let after = Some("x".repeat(2 << 20));
    let audit = wayshift::store::AuditDraft { after, ..draft("override.create") };
    let refused = eu.commit(Change::Create(order(2)), Seen(1), audit, None).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    create(&*eu.store, 3).await.unwrap();
    assert_eq!(eu.load().await.unwrap().generation, 2);
}
