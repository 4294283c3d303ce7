//! What a node has audited by itself stands in the cluster's audit once and in order: over kill -9 in the middle of
//! carrying it, and after etcd went back to an older state.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::runtime::Runtime;
use wayshift::{
    model::{Digest, Rollout, Stage},
    store::{
        AuditDraft, ControlStore as _,
        etcd::{Contact, Etcd, Settings},
        records::rollout::RolloutRecord,
        slips::ROLLOUT_SLIP,
        sqlite::Embedded,
    },
};

use crate::{
    glass::{answers, away, config, mode},
    store_contract::{AT, draft},
    support::{Endpoint, Node, PATIENCE, etcd::Server, eventually},
};

/// So many that carrying them takes longer than noticing that it has begun.
const ENTRIES: usize = 150;

/// Entries that the node has made alone, before it is started.
fn alone(runtime: &Runtime, folder: &Path, numbers: std::ops::Range<usize>) {
    runtime.block_on(async {
        let own = Embedded::open(&folder.join("store/local"), AT).unwrap();
        for number in numbers {
            own.note(AuditDraft { request_id: number.to_string(), ..draft("config.reload") }).await.unwrap();
        }
    });
}

/// Somebody who reads etcd beside the nodes.
struct Reader {
    store: Arc<Etcd>,
    _folder: tempfile::TempDir,
}

impl Reader {
    fn of(runtime: &Runtime, server: &Server) -> Self {
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings { endpoints: vec![server.url()], prefix: "/prod/".into(), tls: None, user: None };
            let store = Arc::new(Etcd::open(settings, folder.path(), None, AT).unwrap());
            let mut contact = store.contact();
            let made = contact.wait_for(|contact| *contact == Contact::Made);
            tokio::time::timeout(PATIENCE, made).await.expect("it reaches etcd").unwrap();
            Self { store, _folder: folder }
        })
    }

    /// How many were carried, without reading them: nothing else is audited meanwhile.
    fn count(&self, runtime: &Runtime) -> usize {
        let newest = runtime.block_on(self.store.audit(u64::MAX, 1)).unwrap();
        newest.first().map_or(0, |entry| usize::try_from(entry.sequence).unwrap())
    }

    /// The numbers of what was carried, in the order of the cluster's audit.
    fn carried(&self, runtime: &Runtime) -> Vec<usize> {
        let audit = runtime.block_on(self.store.audit(u64::MAX, 10_000)).unwrap();
        let carried = audit.iter().rev().filter(|entry| entry.draft.action == "local.config.reload");
        carried.map(|entry| entry.draft.request_id.parse().unwrap()).collect()
    }
}

#[test]
fn killed_in_the_middle_of_it_a_node_carries_each_entry_once() {
    let (server, runtime) = (Server::start(), Runtime::new().unwrap());
    let (first, second) = (Endpoint::start("127.0.2.11"), Endpoint::start("127.0.2.12"));
    let folder = tempfile::tempdir().unwrap();
    alone(&runtime, folder.path(), 0..ENTRIES);
    let reader = Reader::of(&runtime, &server);
    let mut node = Node::start_in(folder, &config(&server, "eu-1", [&first, &second], ""));
    let mut kills = Vec::new();
    for part in 1..=3 {
        eventually("some more are carried", || (part * ENTRIES / 5 <= reader.count(&runtime)).then_some(()));
        let folder = node.kill();
        kills.push(reader.carried(&runtime).len());
        node = Node::restart_in(folder);
    }
    println!("killed after {kills:?} of {ENTRIES}");
    assert!(kills.iter().all(|count| *count < ENTRIES), "it was killed too late: {kills:?}");
    let all: Vec<usize> = (0..ENTRIES).collect();
    eventually("all are carried", || (ENTRIES <= reader.count(&runtime)).then_some(()));
    assert_eq!(reader.carried(&runtime), all);
    assert_eq!(runtime.block_on(reader.store.verify_audit()).unwrap(), None);
    // And nothing comes after it.
    let node = Node::restart_in(node.kill());
    away(&node, false);
    node.ok(&["reload"]);
    assert_eq!(reader.carried(&runtime), all);
}

#[test]
fn after_etcd_went_back_what_is_missing_is_carried_again_and_no_staged_reload_goes_on() {
    let (mut server, runtime) = (Server::start(), Runtime::new().unwrap());
    let (first, second) = (Endpoint::start("127.0.2.13"), Endpoint::start("127.0.2.14"));
    let folder = tempfile::tempdir().unwrap();
    alone(&runtime, folder.path(), 0..3);
    let reader = Reader::of(&runtime, &server);
    let node = Node::start_in(folder, &config(&server, "eu-1", [&first, &second], ""));
    let carried = |reader: &Reader, count: usize| {
        eventually("they are carried", || (count <= reader.carried(&runtime).len()).then_some(()));
        assert_eq!(reader.carried(&runtime), (0..count).collect::<Vec<_>>());
    };
    carried(&reader, 3);
    let folder = node.kill();

    // While a staged reload spreads, etcd is copied; then it ends, and more is carried.
    let write = |stage: Stage| {
        let rollout = Rollout {
            id: "01JD8ZK3T0B6W9E1Q2R3S4T5V6".into(),
            canary: "eu-1".parse().unwrap(),
            fleet: Digest([7; 32]),
            before: Digest([1; 32]),
            watch: Duration::from_secs(60),
            boot: Some(1),
            began: AT,
            author: "uid:0".into(),
            stage,
            why: None,
        };
        runtime.block_on(async {
            let seen = reader.store.slip(ROLLOUT_SLIP.into()).await.unwrap().revision;
            let text = RolloutRecord::text(&rollout);
            reader.store.write_slip(ROLLOUT_SLIP.into(), seen, text, draft("config.rollout.x")).await.unwrap();
        });
    };
    write(Stage::Spreading);
    server.backup();
    let reader = Reader::of(&runtime, &server);
    runtime.block_on(async {
        let seen = reader.store.slip(ROLLOUT_SLIP.into()).await.unwrap();
        let over = RolloutRecord::parse(&seen.text).map(|was| Rollout { stage: Stage::Done, ..was }).unwrap();
        let text = RolloutRecord::text(&over);
        reader.store.write_slip(ROLLOUT_SLIP.into(), seen.revision, text, draft("config.rollout.done")).await.unwrap();
    });
    alone(&runtime, folder.path(), 3..5);
    let node = Node::restart_in(folder);
    carried(&reader, 5);

    server.restore();
    mode(&node, "held");
    answers(&node, &first);
    node.ok(&["store", "adopt", "--reason", "INC-3 etcd went back", "--yes"]);
    carried(&Reader::of(&runtime, &server), 5);
    let told = node.run(&["reload", "--abort"]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("rolled-back") && told.contains("adopted after it had gone back"), "{told}");
    answers(&node, &first);
}
