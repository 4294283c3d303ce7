//! What every store must keep to, whatever is behind it.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use std::{collections::BTreeSet, path::Path, sync::Arc};

use wayshift::{
    model::{Action, Override, OverrideId, Selector, Wall},
    store::{AuditDraft, AuditEntry, Change, ControlStore, KeepKey, Seen, StoreError, sqlite::Embedded},
};

pub(crate) const AT: Wall = Wall(1_700_000_000_000);

pub(crate) fn order(number: u64) -> Override {
    Override {
        id: OverrideId::new(ulid::Ulid::from_parts(AT.0 + number, u128::from(number))),
        action: Action::Drain,
        target: Selector::Provider("aws".into()),
        reason: "INC-123".into(),
        author: "token:web-oncall".into(),
        created: AT,
        from: AT,
        expires: Wall(AT.0 + 7_200_000),
        forced: false,
        over: None,
        local: false,
        generation: 0,
    }
}

pub(crate) fn draft(action: &str) -> AuditDraft {
    AuditDraft {
        at: AT,
        actor: "token:web-oncall".into(),
        from: "127.0.0.1".into(),
        action: action.into(),
        target: "override:ov".into(),
        before: None,
        after: Some("{}".into()),
        reason: Some("INC-123".into()),
        request_id: "r1".into(),
    }
}

pub(crate) fn key(name: &str, fingerprint: &str) -> KeepKey {
    KeepKey {
        principal: "token:web-oncall".into(),
        key: name.into(),
        fingerprint: fingerprint.into(),
        reply: Box::new(|order| (201, format!("{{\"id\":\"{}\"}}", order.id))),
    }
}

pub(crate) fn open(folder: &Path) -> Arc<dyn ControlStore> {
    Arc::new(Embedded::open(folder, AT).expect("a store of our own"))
}

pub(crate) async fn create(store: &dyn ControlStore, number: u64) -> Result<(), StoreError> {
    let seen = store.load().await?.generation;
    store.commit(Change::Create(order(number)), Seen(seen), draft("override.create"), None).await.map(drop)
}

/// The contract. `fresh` makes an empty store each time.
pub(crate) async fn contract(fresh: impl Fn() -> Arc<dyn ControlStore>) {
    a_commit_is_seen_by_whoever_looks(&*fresh()).await;
    a_commit_on_an_older_state_is_refused_and_changes_nothing(&*fresh()).await;
    an_override_lives_by_create_extend_end(&*fresh()).await;
    a_repeated_request_finds_its_answer(&*fresh()).await;
    a_panic_in_a_reply_ends_nothing_else(&*fresh()).await;
    of_many_who_saw_the_same_one_wins(fresh()).await;
    one_key_has_one_effect_however_often_it_comes(fresh()).await;
    what_is_watched_never_goes_back(fresh()).await;
    texts_are_kept_as_they_are(&*fresh()).await;
    the_audit_is_a_chain(&*fresh()).await;
    pages_of_the_audit_are_bounded(&*fresh()).await;
}

async fn a_commit_is_seen_by_whoever_looks(store: &dyn ControlStore) {
    let mut watch = store.watch();
    let empty = store.load().await.unwrap();
    assert_eq!((empty.generation, empty.overrides.len(), empty.epoch.is_empty()), (0, 0, false));
    let made = store.commit(Change::Create(order(1)), Seen(0), draft("override.create"), None).await.unwrap();
    let expected = Override { generation: 1, ..order(1) };
    assert_eq!((made.durable.generation, &made.entity), (1, &expected));
    let seen = watch.wait_for(|durable| 1 <= durable.generation).await.unwrap().clone();
    assert_eq!((seen.overrides.as_ref(), &seen), ([expected].as_slice(), &store.load().await.unwrap()));
}

async fn a_commit_on_an_older_state_is_refused_and_changes_nothing(store: &dyn ControlStore) {
    create(store, 1).await.unwrap();
    for stale in [0, 2, u64::MAX] {
        let result = store.commit(Change::Create(order(2)), Seen(stale), draft("x"), Some(key("k", "f"))).await;
        assert!(matches!(result, Err(StoreError::Conflict { current: 1 })), "{stale}: {result:?}");
    }
    let durable = store.load().await.unwrap();
    assert_eq!((durable.generation, durable.overrides.len()), (1, 1));
    assert_eq!(store.audit(u64::MAX, 10).await.unwrap().len(), 1, "what did not happen is not in the audit");
    assert!(store.kept("token:web-oncall".into(), "k".into()).await.unwrap().is_none());
}

async fn an_override_lives_by_create_extend_end(store: &dyn ControlStore) {
    create(store, 1).await.unwrap();
    create(store, 2).await.unwrap();
    let (first, later) = (order(1).id, Wall(AT.0 + 9_000_000));
    let extend = |id: OverrideId| Change::Extend { id, expires: later };
    let made = store.commit(extend(first.clone()), Seen(2), draft("override.extend"), None).await.unwrap();
    assert_eq!((made.entity.expires, made.entity.generation, made.durable.overrides.len()), (later, 3, 2));
    let made = store.commit(Change::End { id: first.clone() }, Seen(3), draft("override.end"), None).await.unwrap();
    assert_eq!((made.entity.id, made.durable.generation), (first.clone(), 4));
    assert_eq!(made.durable.overrides.iter().map(|o| o.id.clone()).collect::<Vec<_>>(), [order(2).id]);
    for change in [extend(first.clone()), Change::End { id: first.clone() }] {
        let result = store.commit(change, Seen(4), draft("x"), None).await;
        assert!(matches!(&result, Err(StoreError::NoOverride(id)) if *id == first), "{result:?}");
    }
    // One that has run out stays ended: nodes remember it as over.
    let late = AuditDraft { at: Wall(order(2).expires.0), ..draft("override.extend") };
    let result = store.commit(extend(order(2).id), Seen(4), late, None).await;
    assert!(matches!(result, Err(StoreError::NoOverride(_))), "{result:?}");
    assert_eq!(store.load().await.unwrap().generation, 4);
}

async fn a_repeated_request_finds_its_answer(store: &dyn ControlStore) {
    let again = |key| store.commit(Change::Create(order(1)), Seen(0), draft("override.create"), Some(key));
    again(key("k", "body-1")).await.unwrap();
    let answered = format!("{{\"id\":\"{}\"}}", order(1).id);
    // The same request, and another body under the same key: both get what was kept; the caller tells them apart.
    for fingerprint in ["body-1", "body-2"] {
        let Err(StoreError::KeyUsed(kept)) = again(key("k", fingerprint)).await else { panic!("{fingerprint}") };
        assert_eq!((kept.status, &kept.body, kept.fingerprint.as_str()), (201, &answered, "body-1"));
    }
    let kept = store.kept("token:web-oncall".into(), "k".into()).await.unwrap().unwrap();
    assert_eq!((kept.at, kept.body), (AT, answered));
    assert!(store.kept("token:other".into(), "k".into()).await.unwrap().is_none(), "keys are not shared");
    let durable = store.load().await.unwrap();
    assert_eq!((durable.generation, durable.overrides.len()), (1, 1), "exactly one effect");
    // A day later the key is free again.
    let tomorrow = AuditDraft { at: Wall(AT.0 + 86_400_000), ..draft("override.create") };
    store.commit(Change::Create(order(2)), Seen(1), tomorrow, Some(key("k", "body-3"))).await.unwrap();
}

async fn a_panic_in_a_reply_ends_nothing_else(store: &dyn ControlStore) {
    let bad = KeepKey { reply: Box::new(|_| panic!("a reply of the test")), ..key("k", "f") };
    let result = store.commit(Change::Create(order(1)), Seen(0), draft("x"), Some(bad)).await;
    assert!(matches!(result, Err(StoreError::Refused { .. })), "{result:?}");
    assert_eq!(store.load().await.unwrap().generation, 0);
    create(store, 2).await.unwrap();
}

async fn of_many_who_saw_the_same_one_wins(store: Arc<dyn ControlStore>) {
    const WRITERS: u64 = 8;
    const EACH: u64 = 10;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for turn in 0..EACH {
                let number = writer * 1000 + turn;
                let mut seen = store.load().await.unwrap().generation;
                loop {
                    let change = Change::Create(order(number));
                    match store.commit(change, Seen(seen), draft("override.create"), None).await {
                        Ok(made) => break assert_eq!(made.entity.generation, seen + 1),
                        Err(StoreError::Conflict { current }) => seen = current,
                        Err(other) => panic!("{other}"),
                    }
                }
                store.note(draft("endpoint.probe")).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let durable = store.load().await.unwrap();
    let generations: BTreeSet<u64> = durable.overrides.iter().map(|order| order.generation).collect();
    assert_eq!((durable.generation, generations.len() as u64), (WRITERS * EACH, WRITERS * EACH));
    assert_eq!(store.audit(u64::MAX, 1000).await.unwrap().len() as u64, 2 * WRITERS * EACH);
    assert_eq!(store.verify_audit().await.unwrap(), None);
}

async fn one_key_has_one_effect_however_often_it_comes(store: Arc<dyn ControlStore>) {
    let mut tasks = tokio::task::JoinSet::new();
    for turn in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut seen = store.load().await.unwrap().generation;
            loop {
                let change = Change::Create(order(turn));
                let again = store.commit(change, Seen(seen), draft("override.create"), Some(key("k", "body")));
                match again.await {
                    Ok(made) => return made.entity.id,
                    Err(StoreError::KeyUsed(kept)) => {
                        let body: serde_json::Value = serde_json::from_str(&kept.body).unwrap();
                        return body["id"].as_str().unwrap().parse().unwrap();
                    }
                    Err(StoreError::Conflict { current }) => seen = current,
                    Err(other) => panic!("{other}"),
                }
            }
        });
    }
    let answers: BTreeSet<OverrideId> = tasks.join_all().await.into_iter().collect();
    let durable = store.load().await.unwrap();
    let held: Vec<OverrideId> = durable.overrides.iter().map(|order| order.id.clone()).collect();
    assert_eq!((durable.generation, answers.into_iter().collect::<Vec<_>>()), (1, held), "one effect, one answer");
    assert_eq!(store.audit(u64::MAX, 10).await.unwrap().len(), 1);
}

async fn what_is_watched_never_goes_back(store: Arc<dyn ControlStore>) {
    const LAST: u64 = 30;
    let mut watch = store.watch();
    let mut writer = tokio::task::JoinSet::new();
    writer.spawn({
        let store = Arc::clone(&store);
        async move {
            for number in 1..=LAST {
                create(&*store, number).await.unwrap();
            }
        }
    });
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(generation, _)| *generation < LAST) {
        watch.changed().await.unwrap();
        let now = watch.borrow_and_update().clone();
        seen.push((now.generation, now.overrides.len() as u64));
    }
    writer.join_all().await;
    assert!(seen.is_sorted_by(|one, next| one.0 < next.0), "{seen:?}");
    assert!(seen.iter().all(|(generation, held)| generation == held), "each picture is whole: {seen:?}");
}

async fn texts_are_kept_as_they_are(store: &dyn ControlStore) {
    let odd = "\"\\/\u{0}\u{1f}\u{2028} \u{10ffff} <b>'; DROP TABLE audit; --\n";
    let long = "\u{e4}".repeat(20_000);
    let written = Override { reason: odd.into(), author: odd.into(), ..order(1) };
    let audit = AuditDraft { before: Some(long.clone()), reason: Some(odd.into()), ..draft("override.create") };
    let reply = KeepKey { reply: Box::new(move |_| (201, long)), ..key(odd, odd) };
    store.commit(Change::Create(written.clone()), Seen(0), audit.clone(), Some(reply)).await.unwrap();
    let durable = store.load().await.unwrap();
    assert_eq!(durable.overrides[0], Override { generation: 1, ..written });
    assert_eq!(store.audit(u64::MAX, 1).await.unwrap()[0].draft, audit);
    let kept = store.kept("token:web-oncall".into(), odd.into()).await.unwrap().unwrap();
    assert_eq!((kept.fingerprint.as_str(), kept.body.len()), (odd, 40_000));
    assert_eq!(store.verify_audit().await.unwrap(), None);
}

async fn pages_of_the_audit_are_bounded(store: &dyn ControlStore) {
    for _ in 0..12 {
        store.note(draft("endpoint.probe")).await.unwrap();
    }
    let told = |page: Vec<AuditEntry>| page.iter().map(|entry| entry.sequence).collect::<Vec<_>>();
    for (before, limit, expected) in [
        (u64::MAX, 3, vec![12, 11, 10]),
        (4, 9, vec![3, 2, 1]),
        (13, 1, vec![12]),
        (1, 9, vec![]),
        (0, 9, vec![]),
        (5, 0, vec![]),
        (9, usize::MAX, vec![8, 7, 6, 5, 4, 3, 2, 1]),
    ] {
        assert_eq!(told(store.audit(before, limit).await.unwrap()), expected, "{before} {limit}");
    }
}

async fn the_audit_is_a_chain(store: &dyn ControlStore) {
    assert_eq!(store.verify_audit().await.unwrap(), None, "an empty chain holds");
    for number in 1..=5 {
        store.note(AuditDraft { request_id: format!("r{number}"), ..draft("config.reload") }).await.unwrap();
    }
    let page = store.audit(5, 2).await.unwrap();
    let told: Vec<_> = page.iter().map(|entry| (entry.sequence, entry.draft.request_id.as_str())).collect();
    assert_eq!(told, [(4, "r4"), (3, "r3")]);
    assert_eq!((&page[0].previous, page[0].hash.len()), (&page[1].hash, 64));
    let all = store.audit(u64::MAX, 10).await.unwrap();
    assert_eq!(all.last().unwrap().previous, "0".repeat(64));
    assert_eq!(store.verify_audit().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_keeps_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    contract(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        folders.lock().unwrap().push(folder);
        store
    })
    .await;
}
