//! The agenda against a model of its promises.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::{
    model::Check,
    probe::{
        Settings, job,
        testing::{fleet, target, tcp_check},
    },
};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn jobs_of(check: Check, ids: &[&str]) -> Vec<Job> {
    let at: SocketAddr = ([127, 0, 0, 1], 9).into();
    let endpoints: Vec<(&str, SocketAddr)> = ids.iter().map(|id| (*id, at)).collect();
    job::jobs(&fleet(check, &endpoints), &Settings::new("node-a".parse().unwrap()))
}

fn jobs(ids: &[&str]) -> Vec<Job> {
    jobs_of(tcp_check("web", 9), ids)
}

fn agenda(ids: &[&str]) -> Agenda {
    let mut agenda = Agenda::default();
    let _ = agenda.adopt(jobs(ids), Duration::ZERO);
    agenda
}

/// One probe that took 1 ms, begun when due; gives when it ended.
fn probe(agenda: &mut Agenda, overasked: bool) -> Duration {
    let due = agenda.next_due().unwrap();
    let start = agenda.start(due).unwrap();
    agenda.finish(start.place, overasked, due + ms(1));
    due + ms(1)
}

fn tempi(id: &str, tempo: Tempo) -> Arc<Tempi> {
    Arc::new(Tempi::from([(target(id, "web"), tempo)]))
}

#[test]
fn a_wavering_target_is_asked_again_after_recheck_and_a_calm_one_on_its_beat() {
    let mut agenda = agenda(&["a"]);
    let end = probe(&mut agenda, false);
    let beat = agenda.next_due().unwrap();
    agenda.set_tempi(tempi("a", Tempo::Recheck), end);
    assert_eq!(agenda.next_due().unwrap(), end + ms(3_000));
    agenda.set_tempi(tempi("a", Tempo::Undecided), end);
    assert_eq!(agenda.next_due().unwrap(), end + ms(1_000));
    agenda.set_tempi(Arc::new(Tempi::new()), end);
    assert_eq!(agenda.next_due().unwrap(), beat);
    agenda.set_tempi(tempi("a", Tempo::Rested), end);
    assert!(end + ms(25_000) < agenda.next_due().unwrap());
}

#[test]
fn a_tempo_that_comes_late_makes_due_now_and_never_before() {
    let mut agenda = agenda(&["a"]);
    let end = probe(&mut agenda, false);
    let late = end + ms(2_000);
    agenda.set_tempi(tempi("a", Tempo::Undecided), late);
    assert_eq!(agenda.next_due(), Some(late));
}

#[test]
fn an_endpoint_that_asks_for_fewer_requests_keeps_its_interval() {
    let mut agenda = agenda(&["a"]);
    let end = probe(&mut agenda, true);
    let beat = agenda.next_due().unwrap();
    for tempo in [Tempo::Recheck, Tempo::Undecided] {
        agenda.set_tempi(tempi("a", tempo), end);
        assert_eq!(agenda.next_due(), Some(beat));
    }
    let end = probe(&mut agenda, false);
    assert_eq!(agenda.next_due(), Some(end + ms(1_000)), "the next answer lifts it");
}

#[test]
fn a_removed_target_is_gone_at_once_and_its_late_result_is_nobodys() {
    let mut agenda = agenda(&["a", "b"]);
    let due = agenda.next_due().unwrap();
    let running = agenda.start(due).unwrap();
    let other = if running.job.target == target("a", "web") { "b" } else { "a" };
    let gone = agenda.adopt(jobs(&[other]), due);
    assert_eq!(gone.places, vec![running.place]);
    assert_eq!(gone.subjects, BTreeSet::from([running.job.target.subject.clone()]));
    assert_eq!(agenda.finish(running.place, false, due + ms(1)), None);
    assert_eq!(agenda.due.len(), 1);
    let gone = agenda.adopt(vec![], due);
    assert_eq!((gone.places.len(), agenda.due.len(), agenda.entries.len()), (1, 0, 0));
}

#[test]
fn a_changed_check_begins_anew_and_an_unchanged_one_keeps_its_times() {
    let mut agenda = agenda(&["a"]);
    let end = probe(&mut agenda, false);
    let due = agenda.next_due();
    let gone = agenda.adopt(jobs(&["a"]), end);
    assert!(gone.places.is_empty() && agenda.next_due() == due);
    let gone = agenda.adopt(jobs_of(Check { revision: 2, ..tcp_check("web", 9) }, &["a"]), end);
    assert_eq!((gone.places.len(), gone.subjects.len()), (1, 0), "the series of a changed check stay");
    assert!(agenda.next_due().unwrap() < end + ms(1), "at once");
}

#[test]
fn a_shorter_interval_holds_from_the_next_probe_on() {
    let mut agenda = agenda(&["a"]);
    let end = probe(&mut agenda, false);
    let faster = Check { interval: ms(500), ..tcp_check("web", 9) };
    assert!(agenda.adopt(jobs_of(faster, &["a"]), end).places.is_empty());
    assert!(agenda.next_due().unwrap() <= end + ms(525));
}

#[test]
fn a_wish_makes_due_now_and_runs_once_more_after_a_running_probe() {
    let mut agenda = agenda(&["a", "b"]);
    let end = probe(&mut agenda, false).max(probe(&mut agenda, false));
    let endpoint: EndpointId = "a".parse().unwrap();
    let places = agenda.hurry(&endpoint, end);
    let start = agenda.start(end).unwrap();
    assert_eq!((places, start.lag), (vec![start.place], Duration::ZERO));
    assert!(agenda.start(end).is_none(), "b is not meant");
    let _ = agenda.hurry(&endpoint, end + ms(1));
    assert!(agenda.start(end + ms(1)).is_none(), "probes of a target never overlap");
    agenda.finish(start.place, false, end + ms(2));
    assert_eq!(agenda.next_due(), Some(end + ms(2)));
    assert!(agenda.hurry(&"nobody".parse().unwrap(), end).is_empty());
}

#[test]
fn a_probe_that_outlasts_its_interval_skips_beats_and_says_so() {
    let mut agenda = agenda(&["a"]);
    let due = agenda.next_due().unwrap();
    let start = agenda.start(due).unwrap();
    let late = agenda.finish(start.place, false, due + ms(35_000)).unwrap();
    assert!(ms(24_000) < late && late < ms(35_000), "{late:?}");
    assert!(due + ms(35_000) < agenda.next_due().unwrap());
}

#[derive(Debug, Clone)]
enum Op {
    Adopt(u8, u64),
    Tempo(u8, u8),
    Start,
    Finish(usize, bool),
    Hurry(u8),
}

fn op() -> impl Strategy<Value = (u64, Op)> {
    let op = prop_oneof![
        1 => (any::<u8>(), 1_u64..3).prop_map(|(mask, revision)| Op::Adopt(mask, revision)),
        2 => (any::<u8>(), 0_u8..4).prop_map(|(mask, tempo)| Op::Tempo(mask, tempo)),
        8 => Just(Op::Start),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(which, over)| Op::Finish(which, over)),
        1 => (0_u8..8).prop_map(Op::Hurry),
    ];
    (0_u64..4_000, op)
}

const NAMES: [&str; 8] = ["e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7"];

fn some(mask: u8) -> Vec<&'static str> {
    (0..8).filter(|bit| mask >> bit & 1 == 1).map(|bit| NAMES[bit]).collect()
}

proptest! {
    #[test]
    fn whatever_happens_each_target_waits_once_or_runs_once(ops in prop::collection::vec(op(), 1..120)) {
        let mut agenda = Agenda::default();
        let mut running: Vec<(Place, Target)> = Vec::new();
        let mut now = Duration::ZERO;
        for (passed, op) in ops {
            now += ms(passed);
            match op {
                Op::Adopt(mask, revision) => {
                    let check = Check { revision, ..tcp_check("web", 9) };
                    let gone = agenda.adopt(jobs_of(check, &some(mask)), now);
                    running.retain(|(place, _)| !gone.places.contains(place));
                    prop_assert_eq!(agenda.entries.len(), some(mask).len());
                }
                Op::Tempo(mask, tempo) => {
                    let tempo = [Tempo::Steady, Tempo::Recheck, Tempo::Undecided, Tempo::Rested][usize::from(tempo)];
                    agenda.set_tempi(Arc::new(some(mask).iter().map(|id| (target(id, "web"), tempo)).collect()), now);
                }
                Op::Start => {
                    if let Some(start) = agenda.start(now) {
                        prop_assert!(running.iter().all(|(_, other)| *other != start.job.target), "overlap");
                        running.push((start.place, start.job.target.clone()));
                    } else {
                        prop_assert!(agenda.next_due().is_none_or(|due| now < due));
                    }
                }
                Op::Finish(which, overasked) => {
                    if !running.is_empty() {
                        let (place, _) = running.swap_remove(which % running.len());
                        agenda.finish(place, overasked, now);
                    }
                }
                Op::Hurry(which) => {
                    let _ = agenda.hurry(&NAMES[usize::from(which)].parse().unwrap(), now);
                }
            }
            prop_assert_eq!(agenda.due.len() + running.len(), agenda.entries.len());
            prop_assert_eq!(agenda.places.len(), agenda.entries.len());
        }
    }
}
