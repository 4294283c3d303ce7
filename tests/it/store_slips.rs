//! Slips in etcd: written once, with their audit entry, by whoever read them last.

use std::sync::Arc;

use wayshift::{
    model::{Digest, Rollout, Stage, Wall},
    store::{
        AuditDraft, ControlStore, StoreError, backup,
        etcd::{Contact, Etcd, Settings, Visit},
        migrate::Move,
        records::rollout::RolloutRecord,
        slips::{Carried, ROLLOUT_SLIP},
        sqlite::{self, copy},
    },
};

use super::{
    store_contract::{AT, draft},
    support::{
        PATIENCE,
        etcd::{Relay, Server, Wire, until},
    },
};

fn settings(url: String, prefix: &str) -> Settings {
    Settings { endpoints: vec![url], prefix: prefix.into(), tls: None, user: None }
}

async fn store(url: String) -> (Arc<Etcd>, tempfile::TempDir) {
    store_at(url, "/slips/").await
}

async fn store_at(url: String, prefix: &str) -> (Arc<Etcd>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(url, prefix);
    let store = Arc::new(Etcd::open(settings, folder.path(), None, AT).unwrap());
    let mut contact = store.contact();
    let made = contact.wait_for(|contact| *contact == Contact::Made);
    tokio::time::timeout(PATIENCE, made).await.expect("it reaches etcd").unwrap();
    (store, folder)
}

async fn entries(store: &Etcd) -> usize {
    store.audit(u64::MAX, 100).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_is_written_by_whoever_read_it_last_and_followed_by_all() {
    let server = Server::start();
    let ((eu, _one), (us, _two)) = (store(server.url()).await, store(server.url()).await);
    let write = |store: &Arc<Etcd>, seen: u64, text: &str| {
        let (store, text) = (Arc::clone(store), text.to_owned());
        async move { store.write_slip("rollout".into(), seen, text, draft("config.rollout")).await }
    };
    assert_eq!(eu.slip("rollout".into()).await.unwrap().revision, 0);
    write(&eu, 0, "one").await.unwrap();
    assert!(matches!(write(&us, 0, "two").await, Err(StoreError::Conflict { .. })), "it is there by now");
    let seen = us.slip("rollout".into()).await.unwrap();
    assert_eq!(seen.text, "one");
    write(&us, seen.revision, "two").await.unwrap();
    assert!(matches!(write(&eu, seen.revision, "three").await, Err(StoreError::Conflict { .. })));
    assert_eq!((entries(&eu).await, eu.verify_audit().await.unwrap()), (2, None), "what was refused is in no audit");
    let mut slips = eu.slips();
    let two = slips.wait_for(|slips| slips.get("rollout").is_some_and(|slip| slip.text == "two"));
    drop(tokio::time::timeout(PATIENCE, two).await.expect("all follow it").unwrap());
    // One that comes later lists it.
    let (late, _three) = store(server.url()).await;
    assert_eq!(late.slips().borrow().get("rollout").map(|slip| slip.text.clone()), Some("two".into()));
    // Orders go on beside it.
    eu.note(draft("config.reload")).await.unwrap();
    assert_eq!(eu.load().await.unwrap().generation, 0, "it is no generation of orders");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_whose_answer_was_lost_is_written_once() {
    let server = Server::start();
    let relay = Relay::to(server.address()).await;
    let (eu, _one) = store(relay.url()).await;
    let (us, _two) = store(server.url()).await;
    relay.set(Wire::Swallows);
    let writing = Arc::clone(&eu);
    let written = tokio::spawn(async move {
        writing.write_slip("carried.eu-1".into(), 0, "1".into(), draft("local.override.create")).await
    });
    until("it is there", || async { (us.slip("carried.eu-1".into()).await.ok()?.revision > 0).then_some(()) }).await;
    relay.end_all().await;
    // It was sent again, and found that it had been done.
    written.await.unwrap().unwrap();
    assert_eq!((entries(&us).await, us.verify_audit().await.unwrap()), (1, None));
}

fn now() -> Wall {
    AT
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slips_come_back_with_a_backup_into_either_store_and_move_on() {
    let server = Server::start();
    let (eu, _one) = store(server.url()).await;
    let rollout = Rollout {
        id: "01JD8ZK3T0B6W9E1Q2R3S4T5V6".into(),
        canary: "eu-1".parse().unwrap(),
        fleet: Digest([2; 32]),
        before: Digest([1; 32]),
        watch: std::time::Duration::from_secs(60),
        boot: Some(1),
        began: AT,
        author: "uid:0".into(),
        stage: Stage::Watched,
        why: None,
    };
    let (mark, carried) = (Carried::slip(&"us-1".parse().unwrap()), Carried::new("01K".into(), 1).text());
    let text = RolloutRecord::text(&rollout);
    eu.write_slip(ROLLOUT_SLIP.into(), 0, text.clone(), draft("config.rollout.watched")).await.unwrap();
    let alone = AuditDraft { from: "unix on us-1 alone".into(), ..draft("local.override.create") };
    eu.write_slip(mark.clone(), 0, carried.clone(), alone).await.unwrap();

    // The backup has them as they were, and is whole on another disk.
    let visit = |prefix: &str| Visit::new(settings(server.url(), prefix), AT);
    let copied = visit("/slips/").copy(AT).await.unwrap().unwrap();
    let wrong = |backup: &backup::Backup| backup::check(backup).into_iter().find(|finding| !finding.good);
    assert_eq!(wrong(&copied), None);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("night.backup");
    backup::save(&copied, &file, false).unwrap();
    let loaded = backup::load(&file).unwrap();
    assert_eq!((loaded.slips.len(), &loaded.slips[ROLLOUT_SLIP], &loaded.slips[&mark]), (2, &text, &carried));

    // What was counted is counted; what was under way is over.
    let settled = |slips: Vec<(String, String)>| {
        assert_eq!(slips.len(), 2, "{slips:?}");
        for (name, text) in slips {
            if name == mark {
                assert_eq!(text, carried);
                continue;
            }
            let over = RolloutRecord::parse(&text).unwrap();
            assert_eq!((over.stage, &over.id), (Stage::RolledBack, &rollout.id));
            assert!(over.why.as_ref().is_some_and(|why| why.contains("when this was under way")), "{over:?}");
        }
    };
    assert!(visit("/other/").restore(&loaded, draft("store.restore")).await.unwrap());
    let (other, _two) = store_at(server.url(), "/other/").await;
    let listed = other.slips().borrow().iter().map(|(name, slip)| (name.clone(), slip.text.clone())).collect();
    settled(listed);

    // Back to one node, and to a fleet again.
    let embedded = folder.path().join("store");
    sqlite::restore(&embedded, &loaded, draft("store.restore")).unwrap();
    let copied = copy::copy(&embedded, AT).unwrap();
    assert_eq!(wrong(&copied), None);
    settled(copied.slips.clone().into_iter().collect());
    let order =
        Move { folder: &embedded, settings: settings(server.url(), "/third/"), actor: "uid:0", reason: None, now };
    order.run(&mut |_, _| {}).await.unwrap();
    let moved = visit("/third/").copy(AT).await.unwrap().unwrap();
    assert_eq!((wrong(&moved), &moved.slips), (None, &copied.slips));
}
