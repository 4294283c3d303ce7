//! Votes by rows: each word is a region's nodes at a provider, `A:+` one node for up, `A:-` for down, `A:o` abstaining,
//! `A:d` degraded; capital letters are proven by their self-test, small ones are not.

use proptest::prelude::*;

use super::*;
use crate::model::OwnFault;

fn voices(row: &str) -> Vec<Voice> {
    let regions = row.split_whitespace().enumerate();
    let voice = |(region, word): (usize, &str)| -> Vec<Voice> {
        let (provider, votes) = word.split_once(':').unwrap();
        let letter = provider.chars().next().unwrap();
        let vote = |sign| match sign {
            '+' => Some(Vote::Up { degraded: false, wavers: false }),
            'd' => Some(Vote::Up { degraded: true, wavers: false }),
            '-' => Some(Vote::Down),
            'o' => Some(Vote::Abstain(OwnFault::Lag)),
            _ => None,
        };
        let voice = |sign| Voice {
            region: RegionKey(region as u16),
            provider: ProviderKey(letter.to_ascii_lowercase() as u16),
            proven: letter.is_uppercase(),
            vote: vote(sign),
        };
        votes.chars().map(voice).collect()
    };
    regions.flat_map(voice).collect()
}

fn policy(quorum: Quorum, min_vantages: u16) -> VerdictPolicy {
    VerdictPolicy { quorum, min_vantages, ..VerdictPolicy::default() }
}

#[test]
fn votes_decide_by_region() {
    use Health::{Degraded, Down, Unknown, Up};
    let table = |quorum, least, row: &str, known: usize, before: Health, expected: Health, cause: Cause| {
        let measured = measure(&policy(quorum, least), &voices(row), known, before, &Cause::Voted);
        assert_eq!((measured.health, measured.cause), (expected, cause), "{quorum:?} {least} {row}");
    };
    let majority =
        |row, known, before, expected, cause| table(Quorum::Majority, 2, row, known, before, expected, cause);
    // One node.
    majority("a:-", 1, Up, Down, Cause::Voted);
    majority("a:+", 1, Down, Up, Cause::Voted);
    majority("a:.", 1, Up, Up, Cause::NoVotes);
    majority("a:o", 1, Down, Down, Cause::NoVotes);
    // Three regions.
    majority("A:- B:- C:+", 3, Up, Down, Cause::Voted);
    majority("A:- B:+ C:+", 3, Down, Up, Cause::Voted);
    majority("A:d B:d C:+", 3, Up, Degraded, Cause::Voted);
    majority("A:d B:+ C:+", 3, Up, Up, Cause::Voted);
    // A region's nodes share its vote; a tie abstains.
    majority("A:--- B:+ C:+", 3, Down, Up, Cause::Voted);
    majority("A:+- B:- C:-", 3, Up, Down, Cause::Voted);
    majority("A:+- B:+ C:-", 3, Down, Up, Cause::Voted);
    // Half is enough for up and not for down.
    majority("A:+ B:-", 2, Down, Up, Cause::Voted);
    // Alone although more are known: only with a passed self-test.
    majority("a:-", 3, Up, Up, Cause::Disputed);
    majority("A:-", 3, Up, Down, Cause::Voted);
    majority("a:- B:o", 2, Unknown, Unknown, Cause::Disputed);
    majority("a:- b:-", 3, Up, Down, Cause::Voted);
    // Other quorums.
    table(Quorum::Any, 1, "A:- B:+ C:+", 3, Up, Down, Cause::Voted);
    table(Quorum::Any, 1, "a:- B:+ C:+", 3, Down, Up, Cause::Voted);
    table(Quorum::Any, 2, "A:- B:+ C:+", 3, Up, Up, Cause::Voted);
    table(Quorum::All, 2, "A:- B:- C:+", 3, Up, Up, Cause::Disputed);
    table(Quorum::All, 2, "A:- B:- C:-", 3, Up, Down, Cause::Voted);
    table(Quorum::Count(3), 2, "A:- B:- C:+", 3, Up, Up, Cause::Disputed);
    table(Quorum::Count(2), 2, "A:- B:- C:+ D:+", 4, Up, Down, Cause::Voted);
    // With three providers none weighs more than half: A's three regions weigh as much as B and C.
    majority("A:- A:- A:- B:+ C:+", 5, Up, Up, Cause::Voted);
    majority("A:- A:- A:- B:- C:+", 5, Up, Down, Cause::Voted);
    // With two providers there is no cap.
    majority("A:- A:- A:- B:+ B:+", 5, Up, Down, Cause::Voted);
}

#[test]
fn tallies_count_regions_and_silence_is_neither() {
    let tally = |row| {
        let Tally { up, down, abstained } =
            measure(&policy(Quorum::Majority, 2), &voices(row), 3, Health::Up, &Cause::Voted).tally;
        (up, down, abstained)
    };
    assert_eq!(tally("A:++ B:- C:o"), (1, 1, 1));
    assert_eq!(tally("A:+- B:. C:+o"), (1, 0, 2));
    assert_eq!(tally(""), (0, 0, 0));
}

#[test]
fn nobody_voting_keeps_the_cause_of_what_is_remembered() {
    for cause in [Cause::NoResult, Cause::Remembered] {
        assert_eq!(measure(&VerdictPolicy::default(), &[], 1, Health::Unknown, &cause).cause, cause);
    }
}

fn row() -> impl Strategy<Value = String> {
    prop::collection::vec(("[A-Da-d]", "[+d.o-]{1,3}"), 0..7).prop_map(|regions| {
        regions.iter().map(|(place, votes)| format!("{place}:{votes}")).collect::<Vec<_>>().join(" ")
    })
}

fn quorum() -> impl Strategy<Value = Quorum> {
    prop_oneof![Just(Quorum::Any), Just(Quorum::Majority), Just(Quorum::All), (0_u16..5).prop_map(Quorum::Count)]
}

fn health() -> impl Strategy<Value = Health> {
    prop::sample::select(vec![Health::Up, Health::Degraded, Health::Unknown, Health::Down])
}

proptest! {
    /// The rules of section 3, one by one.
    #[test]
    fn rules(row in row(), quorum in quorum(), least in 0_u16..4, before in health()) {
        let voices = voices(&row);
        let regions = row.split_whitespace().count();
        let policy = policy(quorum, least);
        let measured = measure(&policy, &voices, regions, before, &Cause::Voted);
        let Tally { up, down, abstained } = measured.tally;
        prop_assert_eq!(usize::from(up + down + abstained), regions, "every region is counted once");
        if up + down == 0 {
            prop_assert_eq!((measured.health, &measured.cause), (before, &Cause::NoVotes));
        }
        if measured.cause == Cause::Disputed {
            prop_assert_eq!(measured.health, before);
        }
        if measured.cause == Cause::Voted && measured.health == Health::Down {
            prop_assert!(down >= least.min(up + down) && down > 0);
            let proven = voices.iter().any(|voice| voice.proven && voice.vote == Some(Vote::Down));
            prop_assert!(down > 1 || regions == 1 || proven, "no region alone without a passed self-test");
        }
        if measured.cause == Cause::Voted && measured.health.works() {
            prop_assert!(up > 0);
        }
        // Agreement decides.
        if down == 0 && up > 0 {
            prop_assert!(measured.health.works());
        }
        if up == 0 && down > 1 && !matches!(quorum, Quorum::Count(_)) {
            prop_assert_eq!(measured.health, Health::Down);
        }
    }

    /// More nodes in a region give it no more voice, and the order within it does not matter.
    #[test]
    fn nodes_of_a_region_share_its_vote(row in row(), quorum in quorum(), before in health()) {
        let doubled: String = row.split_whitespace().map(|word| {
            let (place, votes) = word.split_once(':').unwrap();
            let mut votes: Vec<_> = votes.repeat(2).chars().collect();
            votes.sort_unstable();
            format!("{place}:{} ", votes.into_iter().collect::<String>())
        }).collect();
        let count = |row: &str| measure(&policy(quorum, 2), &voices(row), row.split_whitespace().count(), before, &Cause::Voted);
        prop_assert_eq!(count(&row), count(&doubled));
    }
}
