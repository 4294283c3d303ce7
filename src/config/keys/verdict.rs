//! `[verdict]`: how votes become a verdict.

use super::super::{
    forms::*,
    kind::{Key, Kind, Section},
};
use crate::model::ANCHORS_MAX;

use Kind::{Bool, Either, List, Table, Text, Whole, Word};

pub(super) static VERDICT: Section = Section {
    keys: &[
        Key::new(
            "quorum",
            Either(&[Word(&["any", "majority", "all"], &[]), Whole(1, 1000)]),
            r#""majority""#,
            "What `down` needs of the votes cast.",
        ),
        Key::new(
            "min_vantages",
            Whole(1, 1000),
            "2",
            "`down` needs so many voting regions, once more than one is known.",
        ),
        Key::new("stale_after", Text(&POSITIVE), r#""10s""#, "Votes that were not renewed for this long do not count."),
        Key::new(
            "startup",
            Word(&["last-known", "unknown"], &[]),
            r#""last-known""#,
            "What holds before the first results.",
        ),
        Key::new(
            "flap",
            Either(&[Bool, Table(&FLAP)]),
            r#"{ changes = 6, within = "10m", hold = "5m", max = "30m" }"#,
            "What changes too often is held down for a while; false: never.",
        ),
        Key::new(
            "alone",
            Word(&["self-test", "hold", "judge"], &[]),
            r#""self-test""#,
            "What a node does that hears no peers: judge if its own network proves well, hold what was agreed, or judge.",
        ),
        Key::new(
            "anchors",
            List(&Text(&ANCHOR), 0, ANCHORS_MAX),
            "[]",
            "Unrelated targets; a third of them must answer, or this node's own network is at fault.",
        ),
        Key::new(
            "own_view",
            Word(&["ignore", "rank-last"], &[]),
            r#""ignore""#,
            "What a node makes of an endpoint that it alone sees down; rank-last holds for clients nearest to its region.",
        ),
        Key::new(
            "vantages_per_endpoint",
            Whole(1, 1000),
            "7",
            "So many nodes probe an endpoint at most, spread over regions and providers.",
        ),
    ],
    later: &[],
};

static FLAP: Section = Section {
    keys: &[
        Key::new("changes", Whole(2, 1000), "6", "So many changes of the measured value ..."),
        Key::new("within", Text(&POSITIVE), r#""10m""#, "... within this time ..."),
        Key::new("hold", Text(&POSITIVE), r#""5m""#, "... hold it down for this long, doubled each time ..."),
        Key::new("max", Text(&POSITIVE), r#""30m""#, "... up to this."),
    ],
    later: &[],
};
