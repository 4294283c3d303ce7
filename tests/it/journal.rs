//! History: numbers that only rise, streams that come back, and a disk that may fail without hurting anyone.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use wayshift::{
    model::{EndpointId, Event, Family, Happening, Health, Tally, Wall},
    store::journal::{EventFilter, Journal, Keep, Recorded, TransitionFilter},
};

const AT: Wall = Wall(1_700_000_000_000);

fn went(at: u64, to: Health) -> Event {
    let endpoint: EndpointId = "aws-use".parse().unwrap();
    let what = Happening::Verdict {
        endpoint,
        subject: None,
        family: Family::V4,
        from: Health::Up,
        to,
        cause: "voted".into(),
        tally: Tally { up: 0, down: 3, abstained: 0 },
        reason: Some("timeout".into()),
        took_ms: Some(900),
        services: vec!["www".parse().unwrap()],
    };
    Event { at: Wall(at), generation: at, what }
}

fn reload(at: u64) -> Event {
    Event { at: Wall(at), generation: at, what: Happening::ReloadRefused { problems: 1 } }
}

fn seqs(events: &[Recorded]) -> Vec<u64> {
    events.iter().map(|recorded| recorded.seq).collect()
}

#[tokio::test]
async fn the_journal_goes_on_counting_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), AT);
    let mut live = journal.subscribe();
    assert_eq!(seqs(&journal.append(vec![went(1, Health::Down), reload(2)])), [1, 2]);
    assert_eq!((live.recv().await.unwrap().seq, live.recv().await.unwrap().seq), (1, 2));
    drop(journal);

    let journal = Journal::open(folder.path(), AT);
    let (since, mut live) = journal.follow(1);
    assert_eq!((seqs(&since.events), since.gap), (vec![2], false));
    assert_eq!(seqs(&journal.append(vec![went(3, Health::Down)])), [3]);
    assert_eq!(live.recv().await.unwrap().seq, 3);
    let only = |kind: &str| EventFilter { kinds: vec![kind.into()], limit: 10, ..EventFilter::default() };
    assert_eq!(seqs(&journal.events(only("verdict")).await.unwrap().events), [3, 1]);
    let some = EventFilter { limit: 2, ..EventFilter::default() };
    let page = journal.events(some.clone()).await.unwrap();
    assert_eq!((seqs(&page.events), page.next), (vec![3, 2], Some(2)));
    let page = journal.events(EventFilter { before: page.next, ..some }).await.unwrap();
    assert_eq!((seqs(&page.events), page.next), (vec![1], None));

    let filter = TransitionFilter { since: Some(Wall(2)), limit: 10, ..TransitionFilter::default() };
    let turned = journal.transitions(filter).await.unwrap();
    let told: Vec<_> = turned.iter().map(|t| (t.seq, t.at, t.from, t.to, t.cause.as_str())).collect();
    assert_eq!(told, [(3, Wall(3), Health::Up, Health::Down, "voted")]);
}

#[tokio::test]
async fn a_kill_leads_to_no_number_that_was_given_before() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), AT);
    journal.append(vec![reload(1), reload(2)]);
    journal.transitions(TransitionFilter::default()).await.unwrap();
    // Shown to streams, and never written as far as the next process can tell.
    let shown = journal.append((0..5_000).map(reload).collect()).last().unwrap().seq;
    std::mem::forget(journal);
    let journal = Journal::open(folder.path(), AT);
    assert!(shown < journal.append(vec![reload(3)])[0].seq);
    assert!(journal.since(shown + 1).gap, "a number that never was is a gap");
}

#[tokio::test]
async fn more_than_memory_holds_is_read_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), AT);
    for block in 0..15 {
        journal.append((0..1000).map(|n| reload(block * 1000 + n)).collect());
        // Asking waits until what was appended is written, so nothing is dropped here.
        journal.transitions(TransitionFilter { limit: 1, ..TransitionFilter::default() }).await.unwrap();
    }
    assert_eq!(journal.health().dropped, 0);
    assert!(journal.since(4_000).gap && !journal.since(5_000).gap);
    let check = |before: u64, until: Option<u64>, expected: Vec<u64>| {
        let filter = EventFilter { before: Some(before), until: until.map(Wall), limit: 3, ..EventFilter::default() };
        let journal = &journal;
        async move { assert_eq!(seqs(&journal.events(filter).await.unwrap().events), expected) }
    };
    check(5_003, None, vec![5_002, 5_001, 5_000]).await;
    check(3, None, vec![2, 1]).await;
    check(u64::MAX, Some(2), vec![2, 1]).await;
}

#[tokio::test]
async fn a_journal_without_a_disk_goes_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // A folder in the place of its file: not to be opened, whoever runs the test.
    std::fs::create_dir(folder.path().join("journal.db")).unwrap();
    let journal = Journal::open(folder.path(), AT);
    assert!(journal.health().trouble.is_some());
    for _ in 0..21 {
        journal.append((0..1000).map(reload).collect());
    }
    assert!(10_000 <= journal.health().dropped, "{:?}", journal.health());
    let page = journal.events(EventFilter { limit: 3, ..EventFilter::default() }).await.unwrap();
    assert_eq!(page.events.len(), 3);
    assert_eq!(journal.since(journal.newest() - 2).events.len(), 2);
    assert!(journal.transitions(TransitionFilter::default()).await.is_err());
    drop(journal);
}

#[tokio::test]
async fn a_damaged_journal_is_moved_aside_and_numbers_stay_above() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("journal.db"), "no database at all".repeat(100)).unwrap();
    let journal = Journal::open(folder.path(), AT);
    assert_eq!(journal.health().trouble, None);
    assert!(AT.0 < journal.append(vec![reload(1)])[0].seq);
    assert!(folder.path().join(format!("journal.db.damaged-{}", AT.0)).exists());
}

#[tokio::test]
async fn history_is_cut_by_age_and_then_by_size_events_first() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), AT);
    let day = 86_400_000;
    journal.append((0..100).map(|n| went(n * day, Health::Down)).collect());
    let keep = Keep { events: std::time::Duration::from_millis(9 * day), ..Keep::default() };
    let now = Wall(99 * day);
    let trimmed = journal.prune(now, keep).await.unwrap();
    assert_eq!((trimmed.events, trimmed.transitions, trimmed.more), (90, 0, false));
    let trimmed = journal.prune(now, Keep { max_size: 1, ..keep }).await.unwrap();
    assert_eq!((trimmed.events, trimmed.transitions), (10, 0));
    let all = TransitionFilter { limit: 1000, ..TransitionFilter::default() };
    assert_eq!(journal.transitions(all).await.unwrap().len(), 100);
}
