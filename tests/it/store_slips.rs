//! Slips in etcd: written once, with their audit entry, by whoever read them last.

use std::sync::Arc;

use wayshift::store::{
    ControlStore, StoreError,
    etcd::{Contact, Etcd, Settings},
};

use super::{
    store_contract::{AT, draft},
    support::{
        PATIENCE,
        etcd::{Relay, Server, Wire, until},
    },
};

async fn store(url: String) -> (Arc<Etcd>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { endpoints: vec![url], prefix: "/slips/".into(), tls: None, user: None };
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
