//! Opinions by rows of results: `.` a pass, `x` a failure, `c` a complaint, `o` a fault of our own. One result a second.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    judge::sample,
    model::{CheckId, Complaint, Family, Phases, SubjectId, Target, Window},
};

fn check_of(rise: u8, fall: u8, cooldown: u64) -> Check {
    Check {
        thresholds: Thresholds { rise, fall, window: None },
        cooldown: Duration::from_secs(cooldown),
        ..sample::check("web".parse::<CheckId>().unwrap())
    }
}

fn seen(at: u64, outcome: Outcome) -> Observation {
    Observation {
        target: Target {
            subject: SubjectId { endpoint: "e".parse().unwrap(), check: "web".parse().unwrap() },
            family: Family::V4,
        },
        revision: 1,
        address: ([192, 0, 2, 1], 80).into(),
        at: crate::model::Now { mono: Mono(at), ..Default::default() },
        outcome,
        phases: Phases::default(),
        status: None,
        cert_left: None,
    }
}

fn outcome(letter: char) -> Outcome {
    match letter {
        '.' => Outcome::Pass,
        'c' => Outcome::Complaint(Complaint::Latency),
        'x' => Outcome::Fail(Failure::Timeout),
        'r' => Outcome::Fail(Failure::TooMany),
        _ => Outcome::Abstain(OwnFault::NoResources),
    }
}

/// The opinion after each result: u up, d degraded, ? unknown, x down.
fn fed(standing: &mut Standing, check: &Check, row: &str, urgent: bool) -> String {
    let mut said = String::new();
    for (at, letter) in row.chars().enumerate() {
        standing.observe(check, &seen(at as u64 * 1000, outcome(letter)), urgent);
        said.push(match standing.health() {
            Health::Up => 'u',
            Health::Degraded => 'd',
            Health::Unknown => '?',
            Health::Down => 'x',
        });
    }
    said
}

#[test]
fn opinions_turn_where_the_thresholds_say() {
    let table = |rise, fall, cooldown, row: &str, expected: &str| {
        let said = fed(&mut Standing::default(), &check_of(rise, fall, cooldown), row, false);
        assert_eq!(said, expected, "rise {rise} fall {fall} cooldown {cooldown}: {row}");
    };
    table(2, 3, 0, ".", "u");
    table(2, 3, 0, "xx.", "??u");
    table(2, 3, 0, "xxx", "??x");
    table(2, 3, 0, ".xx.xxx", "uuuuuux");
    table(2, 3, 0, ".xxx.x..", "uuuxxxxu");
    table(1, 1, 0, ".x.", "uxu");
    // A fault of our own neither passes nor fails.
    table(2, 3, 0, ".xoxox", "uuuuux");
    // The cooldown counts from the last failure.
    table(2, 3, 4, ".xxx....", "uuuxxxxu");
    table(2, 3, 4, ".xxx.x....", "uuuxxxxxxu");
    // A complaint takes `fall`, and its end `rise`, but the first result counts at once.
    table(2, 3, 0, "c..", "ddu");
    table(2, 3, 0, ".cc.ccc.c..", "uuuuuuddddu");
    table(2, 2, 0, "xxc.", "?xxu");
    table(2, 2, 0, "xx.c", "?xxd");
}

#[test]
fn a_window_needs_no_row() {
    let windowed = |failures, of, row: &str| {
        let mut check = check_of(1, 9, 0);
        check.thresholds.window = Some(Window { failures, of });
        fed(&mut Standing::default(), &check, row, false)
    };
    assert_eq!(windowed(3, 5, ".x.x.x"), "uuuuux");
    assert_eq!(windowed(3, 5, ".x..x..x"), "uuuuuuuu");
    assert_eq!(windowed(3, 5, ".x.x.x.x"), "uuuuuxuu", "a turn empties the window");
    assert_eq!(windowed(2, 64, &format!("x{}x", ".".repeat(80))).chars().last(), Some('u'));
    assert_eq!(windowed(1, 1, "xx"), "??", "from unknown, down takes `fall`");
}

#[test]
fn nothing_delays_a_recovery_that_is_urgent() {
    assert_eq!(fed(&mut Standing::default(), &check_of(5, 2, 600), "xx.", true), "?xu");
    let mut waiting = Standing::default();
    let check = check_of(2, 2, 600);
    assert_eq!(fed(&mut waiting, &check, "xx.", false), "?xx");
    assert!(waiting.recovers() && !waiting.ripen(&check, Mono(3000), false));
    assert!(waiting.ripen(&check, Mono(3000), true));
    assert!(!Standing::remembered(Health::Down).ripen(&check, Mono(0), true), "nothing has passed yet");
}

#[test]
fn an_inverted_check_is_inverted_once() {
    let check = Check { inverted: true, ..check_of(2, 3, 0) };
    let mut standing = Standing::default();
    assert_eq!(fed(&mut standing, &check, "x...", false), "uuux");
    assert_eq!(standing.last_failure(), Some(&Failure::Inverted));
}

#[test]
fn memories_do_not_vote_before_the_first_result() {
    let check = check_of(2, 3, 0);
    for (health, first, expected) in [
        (Health::Up, 'x', Some(Vote::Up { degraded: false, wavers: true })),
        (Health::Degraded, '.', Some(Vote::Up { degraded: true, wavers: false })),
        (Health::Down, '.', Some(Vote::Down)),
        (Health::Unknown, '.', Some(Vote::Up { degraded: false, wavers: false })),
        (Health::Up, 'o', Some(Vote::Abstain(OwnFault::NoResources))),
    ] {
        let mut standing = Standing::remembered(health);
        assert_eq!((standing.vote(), standing.health()), (None, health));
        fed(&mut standing, &check, &first.to_string(), false);
        assert_eq!(standing.vote(), expected, "{health} {first}");
    }
}

#[test]
fn a_changed_check_keeps_the_opinion_until_its_first_full_rise_or_fall() {
    let check = check_of(2, 3, 30);
    let after = |before: &str, row: &str| {
        let mut standing = Standing::default();
        fed(&mut standing, &check, before, false);
        standing.check_changed();
        let said = fed(&mut standing, &check, row, false);
        (said, standing.awaits_new_check())
    };
    assert_eq!(after(".", "x.x"), ("uuu".into(), true));
    assert_eq!(after(".", "x.."), ("uuu".into(), false));
    assert_eq!(after(".", ".xxx"), ("uuux".into(), false));
    assert_eq!(after("xxx", ".x"), ("xx".into(), true));
    assert_eq!(after("xxx", ".."), ("xu".into(), false), "the cooldown was the old check's");
    assert_eq!(after("xxx", "xxx"), ("xxx".into(), false));
    assert_eq!(after("", "."), ("u".into(), false));
}

#[test]
fn tempo_follows_the_standing() {
    let check = check_of(2, 3, 0);
    let after = |row: &str| {
        let mut standing = Standing::default();
        fed(&mut standing, &check, row, false);
        standing
    };
    let tempo = |row: &str| after(row).tempo(Mono(row.len() as u64 * 1000));
    assert_eq!(tempo(""), Tempo::Undecided);
    assert_eq!(tempo("xx"), Tempo::Undecided);
    assert_eq!(tempo("."), Tempo::Steady);
    assert_eq!(tempo(".x"), Tempo::Recheck);
    assert_eq!(tempo(".r"), Tempo::Steady, "429 asks for fewer requests");
    assert_eq!(tempo("r"), Tempo::Steady);
    assert_eq!(tempo(".xxx"), Tempo::Steady);
    let down = after(".xxx");
    assert_eq!(down.tempo(Mono(RESTED_AFTER_MS + 3000)), Tempo::Steady);
    assert_eq!(down.tempo(Mono(RESTED_AFTER_MS + 3001)), Tempo::Rested);
    let mut changed = after(".");
    changed.check_changed();
    assert_eq!(changed.tempo(Mono(1)), Tempo::Undecided);
}

/// The definition, over the whole history.
fn by_definition(rise: usize, fall: usize, history: &[bool]) -> Option<bool> {
    let mut opinion = None;
    for end in 1..=history.len() {
        let row = |pass: bool| history[..end].iter().rev().take_while(|result| **result == pass).count();
        match opinion {
            None if history[end - 1] => opinion = Some(true),
            None | Some(true) if row(false) >= fall => opinion = Some(false),
            Some(false) if row(true) >= rise => opinion = Some(true),
            _ => {}
        }
    }
    opinion
}

proptest! {
    #[test]
    fn a_standing_is_what_its_history_defines(rise in 1_u8..5, fall in 1_u8..5, history in prop::collection::vec(any::<bool>(), 0..40)) {
        let mut standing = Standing::default();
        let row: String = history.iter().map(|pass| if *pass { '.' } else { 'x' }).collect();
        fed(&mut standing, &check_of(rise, fall, 0), &row, false);
        let health = match by_definition(rise.into(), fall.into(), &history) {
            None => Health::Unknown,
            Some(true) => Health::Up,
            Some(false) => Health::Down,
        };
        prop_assert_eq!(standing.health(), health);
    }

    /// A cooldown never makes a down earlier or later, and never lets an up come earlier.
    #[test]
    fn a_cooldown_delays_recovery_only(row in "[.x]{0,30}", cooldown in 0_u64..10) {
        let (plain, cooled) = (fed(&mut Standing::default(), &check_of(2, 2, 0), &row, false), fed(&mut Standing::default(), &check_of(2, 2, cooldown), &row, false));
        for (at, (plain, cooled)) in plain.chars().zip(cooled.chars()).enumerate() {
            prop_assert!(plain == cooled || cooled == 'x', "{} at {}", row, at);
            if cooled == 'u' && at > 0 && row[..at].ends_with('x') {
                prop_assert!(!row[..=at].ends_with("xx"));
            }
        }
    }

    /// Any history, with faults of our own and changes of the check in between, is survived.
    #[test]
    fn standings_are_total(row in "[.xcor]{0,80}", rise in 0_u8..=255, fall in 0_u8..=255, of in 0_u8..=255, failures in 0_u8..=255) {
        let mut check = check_of(rise, fall, 1);
        check.thresholds.window = Some(Window { failures, of });
        let mut standing = Standing::default();
        for part in row.split('o') {
            fed(&mut standing, &check, part, false);
            standing.check_changed();
            let _ = (standing.tempo(Mono(u64::MAX)), standing.vote(), standing.ripe_at(&check));
        }
    }
}
