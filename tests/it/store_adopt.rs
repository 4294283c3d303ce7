//! A database that somebody replaced: it takes what the snapshot file has newer, once, and never the reverse.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use std::{fs, path::Path};

use wayshift::{
    model::{Memory, Override, OverrideId, Wall},
    store::{
        Change, ControlStore as _, Durable, Seen,
        sqlite::{Adopted, DATABASE_FILE, Embedded},
    },
};

use super::store_contract::{AT, create, draft, order};

/// What the snapshot file would hold of this state.
fn memory(durable: &Durable) -> Memory {
    Memory {
        epoch: durable.epoch.clone(),
        store_generation: durable.generation,
        overrides: durable.overrides.to_vec(),
        ..Memory::default()
    }
}

fn ids(durable: &Durable) -> Vec<OverrideId> {
    durable.overrides.iter().map(|order| order.id.clone()).collect()
}

async fn load(store: &Embedded) -> Durable {
    Durable::clone(&*store.load().await.unwrap())
}

async fn end(store: &Embedded, number: u64) {
    let seen = Seen(load(store).await.generation);
    store.commit(Change::End { id: order(number).id }, seen, draft("override.end"), None).await.unwrap();
}

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, AT).unwrap()
}

#[tokio::test]
async fn a_snapshot_that_is_not_newer_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    create(&store, 1).await.unwrap();
    let before = load(&store).await;
    create(&store, 2).await.unwrap();
    let after = load(&store).await;
    for memory in [Memory::default(), memory(&before), memory(&after)] {
        assert_eq!(store.adopt(&memory, AT).await.unwrap(), Adopted::Nothing);
    }
    assert_eq!((load(&store).await, store.audit(u64::MAX, 9).await.unwrap().len()), (after, 2));
}

#[tokio::test]
async fn an_older_copy_becomes_what_the_snapshot_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(DATABASE_FILE);
    let store = open(folder.path());
    create(&store, 1).await.unwrap();
    create(&store, 2).await.unwrap();
    drop(store);
    let copy = fs::read(&file).unwrap();
    let store = open(folder.path());
    end(&store, 1).await;
    let extend = Change::Extend { id: order(2).id, expires: Wall(AT.0 + 9_000_000) };
    store.commit(extend, Seen(3), draft("override.extend"), None).await.unwrap();
    create(&store, 3).await.unwrap();
    let newest = load(&store).await;
    drop(store);
    fs::write(&file, copy).unwrap();

    let store = open(folder.path());
    let adopted = store.adopt(&memory(&newest), AT).await.unwrap();
    assert_eq!(adopted, Adopted::Rewound { from: 2, taken: 2, dropped: 1 });
    let now = load(&store).await;
    assert_eq!((&now.epoch, &now.overrides), (&newest.epoch, &newest.overrides));
    assert!(newest.generation < now.generation, "nodes that saw the newest see this as newer");
    let audit = store.audit(u64::MAX, 1).await.unwrap();
    assert_eq!((audit[0].draft.action.as_str(), store.verify_audit().await.unwrap()), ("store.rewound", None));
    create(&store, 4).await.unwrap();
    assert_eq!(store.adopt(&memory(&newest), AT).await.unwrap(), Adopted::Nothing);
    drop(store);
    assert_eq!(load(&open(folder.path())).await.overrides.len(), 3, "it is on the disk");
}

#[tokio::test]
async fn another_database_takes_what_it_lacks_and_only_once() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    create(&store, 1).await.unwrap();
    create(&store, 2).await.unwrap();
    let before = load(&store).await;
    let store = open(other.path());
    create(&store, 3).await.unwrap();

    assert_eq!(store.adopt(&memory(&before), AT).await.unwrap(), Adopted::Replaced { taken: 2 });
    let now = load(&store).await;
    assert_eq!(ids(&now), [1, 2, 3].map(|number| order(number).id));
    let lacked: Vec<Override> = now.overrides.iter().filter(|one| before.overrides.contains(one)).cloned().collect();
    assert_eq!(lacked, before.overrides.to_vec(), "as they were, generation and all");
    assert_ne!(now.epoch, before.epoch);
    assert_eq!(store.audit(u64::MAX, 1).await.unwrap()[0].draft.action, "store.replaced");

    // The snapshot file could not be written since, and a person ended one.
    end(&store, 1).await;
    drop(store);
    let store = open(other.path());
    assert_eq!(store.adopt(&memory(&before), AT).await.unwrap(), Adopted::Nothing);
    assert_eq!(ids(&load(&store).await), [2, 3].map(|number| order(number).id), "it does not come back");
}
