//! What a store on a disk must survive: kills, damage, tampering, other processes.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use proptest::prelude::*;
use wayshift::{
    model::{Memory, Override, OverrideId, Wall},
    store::{
        AuditDraft, Change, ControlStore, Seen, StoreError,
        detached::Detached,
        snapshot::{Loaded, SnapshotFile},
        sqlite::{DATABASE_FILE, Embedded},
    },
};

use super::store_contract::{AT, create, draft, key, open, order};

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    create(&*store, 1).await.unwrap();
    let with_key = Some(key("k", "f"));
    store.commit(Change::Create(order(2)), Seen(1), draft("override.create"), with_key).await.unwrap();
    let before = store.load().await.unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!((&store.load().await.unwrap(), store.verify_audit().await.unwrap()), (&before, None));
    assert!(store.kept("token:web-oncall".into(), "k".into()).await.unwrap().is_some());
    create(&*store, 3).await.unwrap();
}

#[tokio::test]
async fn one_process_has_a_store_and_its_files_are_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/wayshift");
    let store = open(&path);
    create(&*store, 1).await.unwrap();
    let error = Embedded::open(&path, AT).unwrap_err();
    let told = format!("the store in {} is in use by process {}", path.display(), std::process::id());
    assert_eq!(error.to_string(), told);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(store);
    Embedded::open(&path, AT).unwrap();
}

#[tokio::test]
async fn a_full_list_takes_no_more_until_something_has_run_out() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), wayshift::model::OVERRIDES_MAX as u64).await;
    let store = open(folder.path());
    let seen = store.load().await.unwrap().generation;
    let another = |at: Wall| {
        let audit = AuditDraft { at, ..draft("override.create") };
        let fresh = Override { expires: at.plus(std::time::Duration::from_secs(60)), ..order(999_999) };
        store.commit(Change::Create(fresh), Seen(seen), audit, None)
    };
    assert!(matches!(another(AT).await, Err(StoreError::Full { .. })));
    assert_eq!(store.load().await.unwrap().generation, seen);
    let made = another(order(0).expires).await.unwrap();
    assert_eq!(made.durable.overrides.len(), wayshift::model::OVERRIDES_MAX);
}

/// So many overrides by SQL: by commits it would take as many fsyncs.
async fn fill(folder: &Path, many: u64) {
    create(&*open(folder), 0).await.unwrap();
    let db = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    let record: String = db.query_row("SELECT record FROM override", [], |row| row.get(0)).unwrap();
    db.execute_batch("BEGIN").unwrap();
    for number in 1..many {
        let (first, id) = (order(0).id.to_string(), order(number).id.to_string());
        let record = record.replace(&first, &id);
        db.execute("INSERT INTO override VALUES (?1, ?2, ?3)", (id, &record, sha256(&record))).unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text.as_bytes()))
}

#[tokio::test]
async fn a_flipped_byte_in_the_audit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 1..=20 {
        store.note(AuditDraft { request_id: format!("request-{number:04}"), ..draft("config.reload") }).await.unwrap();
    }
    drop(store);
    let file = folder.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(12).position(|window| window == b"request-0007").expect("the entry is in the file");
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(open(folder.path()).verify_audit().await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_cut_or_rewritten_audit_is_found() {
    let check = |sql: &'static str, broken: u64| async move {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for _ in 0..5 {
            store.note(draft("config.reload")).await.unwrap();
        }
        drop(store);
        let db = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
        let refused = db.execute_batch("DELETE FROM audit").unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
        db.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted;").unwrap();
        db.execute_batch(sql).unwrap();
        drop(db);
        assert_eq!(open(folder.path()).verify_audit().await.unwrap(), Some(broken), "{sql}");
    };
    check("DELETE FROM audit WHERE sequence = 5", 5).await;
    check("DELETE FROM audit", 1).await;
    check("DELETE FROM audit WHERE sequence = 2", 2).await;
    check("UPDATE audit SET record = replace(record, 'r1', 'r2') WHERE sequence = 3", 3).await;
    check("UPDATE audit SET previous = hash WHERE sequence = 3", 3).await;
    check("INSERT INTO audit SELECT 6, record, hash, hash FROM audit WHERE sequence = 5", 6).await;
}

#[tokio::test]
async fn a_moved_expiry_is_damage_and_the_node_goes_on_from_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    create(&*store, 1).await.unwrap();
    let durable = store.load().await.unwrap();
    let memory = Memory {
        epoch: durable.epoch.clone(),
        store_generation: durable.generation,
        overrides: durable.overrides.to_vec(),
        ..Memory::default()
    };
    SnapshotFile::new(folder.path()).save(&memory).unwrap();
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    db.execute_batch("UPDATE override SET record = replace(record, 'T0', 'T1')").unwrap();
    drop(db);
    let error = Embedded::open(folder.path(), AT).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let Loaded::Found { memory, .. } = SnapshotFile::new(folder.path()).load() else { panic!("no snapshot") };
    let detached = Detached::new(Some(&memory), &error).hold(folder.path()).unwrap();
    assert!(matches!(Embedded::open(folder.path(), AT), Err(StoreError::InUse { .. })), "it holds the folder");
    assert_eq!(detached.load().await.unwrap(), durable);
    assert_eq!(detached.watch().borrow().overrides, durable.overrides);
    assert!(matches!(create(&detached, 2).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(detached.note(draft("x")).await, Err(StoreError::Damaged { .. })));
}

#[test]
fn files_that_are_no_store_of_this_program_are_left_alone() {
    let check = |make: &dyn Fn(&Path), damaged: bool| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(DATABASE_FILE);
        make(&file);
        let before = std::fs::read(&file).unwrap();
        let error = Embedded::open(folder.path(), AT).unwrap_err();
        assert_eq!(matches!(error, StoreError::Damaged { .. }), damaged, "{error}");
        assert_eq!(matches!(error, StoreError::Refused { .. }), !damaged, "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    };
    let sql =
        |text: &'static str| move |file: &Path| rusqlite::Connection::open(file).unwrap().execute_batch(text).unwrap();
    check(&|file| std::fs::write(file, "not a database, but longer than its header would be".repeat(9)).unwrap(), true);
    check(&sql("CREATE TABLE other (x)"), false);
    check(&sql("CREATE TABLE other (x); PRAGMA user_version = 99"), false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_anywhere_is_survived(
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let run = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let original = run.block_on(async {
            let store = open(folder.path());
            for number in 0..4 {
                create(&*store, number).await.unwrap();
            }
            store.load().await.unwrap()
        });
        let memory = Memory { epoch: original.epoch.clone(), overrides: original.overrides.to_vec(), ..Memory::default() };
        SnapshotFile::new(folder.path()).save(&memory).unwrap();
        let file = folder.path().join(DATABASE_FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(1 + cut.index(bytes.len()));
        }
        std::fs::write(&file, bytes).unwrap();
        match Embedded::open(folder.path(), AT) {
            // What it then gives is what was written: nothing is made up.
            Ok(store) => run.block_on(async {
                let durable = store.load().await.unwrap();
                let known = durable.overrides.iter().all(|order| original.overrides.contains(order));
                assert!(known, "{durable:?}");
                let _ = (store.verify_audit().await, create(&store, 9).await, store.audit(u64::MAX, 9).await);
            }),
            Err(StoreError::Damaged { .. } | StoreError::Refused { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        let loaded = SnapshotFile::new(folder.path()).load();
        assert!(matches!(loaded, Loaded::Found { .. }), "{loaded:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_damaged_log_gives_an_earlier_state_whole_or_nothing(
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
    ) {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut states = Vec::new();
        run.block_on(async {
            let store = open(folder.path());
            states.push(store.load().await.unwrap());
            for number in 0..4 {
                create(&*store, number).await.unwrap();
                states.push(store.load().await.unwrap());
            }
            // What a kill would leave: the file, and the log that was not folded into it.
            for name in [DATABASE_FILE, "wayshift.db-wal"] {
                std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
            }
        });
        let log = copy.path().join("wayshift.db-wal");
        let mut bytes = std::fs::read(&log).unwrap();
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&log, bytes).unwrap();
        match Embedded::open(copy.path(), AT) {
            Ok(store) => run.block_on(async {
                let durable = store.load().await.unwrap();
                assert!(states.contains(&durable), "{durable:?}");
                assert_eq!(store.verify_audit().await.unwrap(), None);
            }),
            Err(StoreError::Damaged { .. } | StoreError::Refused { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Set for the child of the kill test: the folder it works in.
const CHILD: &str = "WAYSHIFT_TEST_STORE_CHILD";

/// The child: commits until it is killed and prints each id once the commit was answered.
#[test]
fn child_that_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let run = tokio::runtime::Builder::new_current_thread().build().unwrap();
    run.block_on(async {
        let store = open(Path::new(&folder));
        let mut number = store.load().await.unwrap().generation * 1000;
        loop {
            create(&*store, number).await.unwrap();
            // The line begins a new one: the test harness has written its own before it.
            println!("\nkept {} {}", order(number).id, store.load().await.unwrap().generation);
            number += 1;
        }
    });
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_accepted() {
    const ROUNDS: u32 = 20;
    let folder = tempfile::tempdir().unwrap();
    let run = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let (mut acknowledged, mut highest) = (BTreeSet::new(), 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_files::child_that_commits_until_it_is_killed", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let wanted = chance.usize(1..20);
        let mut told = lines.by_ref().filter_map(kept).take(wanted).collect::<Vec<_>>();
        // Somewhere inside a commit, not right behind an answer.
        (0..chance.u32(0..200_000)).for_each(|turn| assert!(std::hint::black_box(turn) < 200_000));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said between the last line read and the kill counts too; the last line may be cut off.
        told.extend(lines.filter_map(kept));
        assert!(wanted <= told.len(), "round {round}: the child ended by itself");
        for (id, generation) in told {
            assert!(highest < generation, "round {round}: generation {generation} after {highest}");
            highest = generation;
            acknowledged.insert(id);
        }
        run.block_on(async {
            let store = open(folder.path());
            let durable = store.load().await.unwrap();
            let there: BTreeSet<_> = durable.overrides.iter().map(|order| order.id.clone()).collect();
            let lost: Vec<_> = acknowledged.difference(&there).collect();
            assert!(lost.is_empty(), "round {round}, seed {seed}: lost {lost:?}");
            assert!(highest <= durable.generation, "round {round}, seed {seed}: went back");
            assert_eq!(durable.generation, durable.overrides.len() as u64, "one generation for each override");
            assert_eq!(store.verify_audit().await.unwrap(), None, "round {round}, seed {seed}");
            highest = durable.generation;
        });
    }
}

fn kept(line: String) -> Option<(OverrideId, u64)> {
    let (id, generation) = line.strip_prefix("kept ")?.split_once(' ')?;
    Some((id.parse().ok()?, generation.parse().ok()?))
}
