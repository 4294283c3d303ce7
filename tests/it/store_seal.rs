//! The seal of an embedded store, and copies of one: beside the store that is open, as another process would.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use std::path::Path;

use rusqlite::Connection;
use wayshift::{
    model::{Memory, Wall},
    store::{
        AuditDraft, Change, ControlStore as _, Seen, StoreError,
        backup::{self, Backup, Finding},
        sqlite::{DATABASE_FILE, Embedded, copy, restore, seal},
    },
};

use super::store_contract::{AT, draft, key, order};

async fn create(store: &Embedded, number: u64) -> Result<(), StoreError> {
    let seen = Seen(store.load().await?.generation);
    let audit = AuditDraft { target: format!("override:{}", order(number).id), ..draft("override.create") };
    store.commit(Change::Create(order(number)), seen, audit, Some(key(&number.to_string(), "f"))).await.map(drop)
}

fn wrong(backup: &Backup) -> Vec<Finding> {
    backup::check(backup).into_iter().filter(|finding| !finding.good).collect()
}

fn copied(folder: &Path) -> Backup {
    copy::copy(folder, AT).unwrap()
}

#[tokio::test]
async fn a_sealed_store_takes_no_writes_from_anybody_until_it_is_unsealed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), AT).unwrap();
    create(&store, 1).await.unwrap();
    assert_eq!(seal::sealed(folder.path()).unwrap(), None);
    let set = seal::seal(folder.path(), "there", draft("store.seal")).unwrap();
    assert_eq!(seal::seal(folder.path(), "there", draft("store.seal")).unwrap(), set, "once is enough");
    let other = seal::seal(folder.path(), "elsewhere", draft("store.seal"));
    assert!(matches!(&other, Err(StoreError::Sealed { destination, .. }) if destination == "there"), "{other:?}");

    let refused = create(&store, 2).await.unwrap_err();
    assert!(matches!(refused, StoreError::Sealed { moved: false, .. }), "{refused}");
    let refused = store.note(draft("endpoint.probe")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Sealed { .. }), "{refused}");
    assert!(store.trouble().borrow().as_deref().unwrap().contains("is being moved to there"));
    assert_eq!((store.load().await.unwrap().generation, store.verify_audit().await.unwrap()), (1, None));
    // A program that knows nothing of seals.
    let db = Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    for sql in [
        "UPDATE meta SET generation = generation + 1",
        "DELETE FROM override",
        "UPDATE override SET record = ''",
        "INSERT INTO override VALUES ('a', 'b', 'c')",
        "INSERT INTO audit VALUES (9, 'a', 'b', 'c')",
    ] {
        let error = db.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("the store is sealed"), "{sql}: {error}");
    }

    assert!(seal::unseal(folder.path(), draft("store.unseal")).unwrap());
    assert!(!seal::unseal(folder.path(), draft("store.unseal")).unwrap(), "there is none any more");
    create(&store, 2).await.unwrap();
    assert!(store.trouble().borrow().is_none());
    let actions: Vec<String> = store.audit(9, 9).await.unwrap().into_iter().map(|entry| entry.draft.action).collect();
    assert_eq!(actions, ["override.create", "store.unseal", "store.seal", "override.create"]);
    assert_eq!(wrong(&copied(folder.path())), []);
}

#[tokio::test]
async fn what_has_moved_is_neither_unsealed_nor_brought_up_to_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path(), AT).unwrap();
    create(&store, 1).await.unwrap();
    let durable = store.load().await.unwrap();
    let memory = |epoch: String, store_generation| Memory {
        epoch,
        store_generation,
        overrides: durable.overrides.to_vec(),
        ..Memory::default()
    };
    seal::seal(folder.path(), "there", draft("store.seal")).unwrap();
    seal::moved(folder.path(), "E.1").unwrap();
    assert!(matches!(seal::unseal(folder.path(), draft("x")), Err(StoreError::Sealed { moved: true, .. })));
    drop(store);
    let store = Embedded::open(folder.path(), AT).unwrap();
    let said = store.trouble().borrow().as_deref().unwrap().to_owned();
    assert!(said.contains("was moved to there"), "known before anybody writes: {said}");
    // As far as it knows itself it serves; what is later is elsewhere.
    assert!(store.adopt(&memory(durable.epoch.clone(), 1), AT).await.is_ok());
    let later = store.adopt(&memory(format!("{}.1", durable.epoch), 9), AT).await;
    assert!(matches!(later, Err(StoreError::Sealed { moved: true, .. })), "{later:?}");
    assert_eq!(store.load().await.unwrap(), durable);
}

#[tokio::test]
async fn a_copy_is_one_moment_and_comes_back_as_it_was() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(matches!(copy::copy(folder.path(), AT), Err(StoreError::Refused { .. })), "there is none");
    assert!(!folder.path().join(DATABASE_FILE).exists(), "and looking makes none");
    let store = Embedded::open(folder.path(), AT).unwrap();
    create(&store, 1).await.unwrap();
    store.note(draft("endpoint.probe")).await.unwrap();
    create(&store, 2).await.unwrap();
    let whole = copied(folder.path());
    assert_eq!((wrong(&whole), whole.overrides.len(), whole.answers.len(), whole.generation), (vec![], 2, 2, 2));
    assert_eq!(whole.audit.iter().map(|entry| entry.generation).collect::<Vec<_>>(), [1, 1, 2]);

    assert!(matches!(restore(folder.path(), &whole, draft("store.restore")), Err(StoreError::InUse { .. })));
    restore(other.path(), &whole, draft("store.restore")).unwrap();
    let mut back = copied(other.path());
    assert_eq!(wrong(&back), []);
    let last = back.audit.pop().unwrap();
    assert_eq!((last.previous.as_str(), last.sequence), (whole.head.1.as_str(), 4));
    back.head = whole.head.clone();
    assert_eq!(back, whole);
    let again = restore(other.path(), &whole, draft("store.restore")).unwrap_err();
    assert!(again.to_string().contains("there already"), "{again}");
    // It is the store from then on, and the request of before finds its answer.
    let store = Embedded::open(other.path(), AT).unwrap();
    create(&store, 3).await.unwrap();
    let kept = store.kept("token:web-oncall".into(), "1".into()).await.unwrap().unwrap();
    assert_eq!((kept.status, store.verify_audit().await.unwrap()), (201, None));
    assert_eq!(store.load().await.unwrap().epoch, whole.epoch);
}

#[tokio::test]
async fn copies_beside_a_busy_writer_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(Embedded::open(folder.path(), AT).unwrap());
    let writer = std::sync::Arc::clone(&store);
    let path = folder.path().to_owned();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let copying = std::thread::spawn(move || {
        let (mut copies, mut last) = (0, 0);
        while matches!(end.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) || copies == 0 {
            let copy = copied(&path);
            assert_eq!(wrong(&copy), []);
            assert!(last <= copy.generation, "a later copy is not of before");
            (copies, last) = (copies + 1, copy.generation);
        }
    });
    for number in 1..60 {
        create(&writer, number).await.unwrap();
    }
    drop(ended);
    copying.join().unwrap();
    let newest = copied(folder.path());
    assert_eq!(newest.generation, 59);
    assert!(newest.orders().unwrap().iter().all(|order| order.created == AT && Wall(0) < order.expires));
}
