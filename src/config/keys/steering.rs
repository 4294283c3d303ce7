//! The keys of how names are answered: pools, services, their rules, and the tests of both.

use super::{
    super::{
        forms::*,
        kind::{Key, Kind, Section},
    },
    MANY,
};
use crate::model::CASES_MAX;

use Kind::{Bool, Either, List, Many, Map, Table, Text, Whole, Word};

/// Most rules of a service; each query walks them until one fits.
const RULES_MAX: usize = 1000;
/// Most pools of a service or rule.
const ARMS_MAX: usize = 1024;

pub(super) const WHEN_NONE: Kind = Word(&["serve-all", "last-good", "last-resort", "nodata", "servfail"], &[]);
pub(super) const DEGRADED: Kind = Word(&["same", "last"], &[]);
pub(super) const STICKY: Kind = Either(&[Bool, Table(&STICKY_KEYS)]);
const STEER: Kind =
    Word(&["failover", "nearest", "fastest", "weighted", "round-robin", "random", "least-connections", "all"], &[]);

pub(super) static POOL: Section = Section {
    keys: &[
        Key::needed(
            "endpoints",
            Either(&[List(&Text(&ID), 1, 4096), Map(&ID, &Whole(0, 65_535))]),
            "Endpoints in order of preference, or a table of weights.",
        ),
        Key::new(
            "answer",
            Word(&["all", "first", "weighted", "round-robin", "random", "least-connections", "hash"], &[]),
            "",
            "How an answer is drawn; by default all for a list and weighted for a table.",
        ),
        Key::new("count", Whole(1, 8), "", "How many endpoints one answer holds; 8 for all, else 1."),
        Key::new(
            "min_up",
            Either(&[Whole(1, 4096), Text(&PERCENT_OR_AUTO)]),
            r#""auto""#,
            "Below it the pool is closed: a count, a share of weight, or auto (1; from 5 endpoints on 34%).",
        ),
        Key::new(
            "degraded",
            DEGRADED,
            r#""same""#,
            "Where endpoints stand that work with a complaint: among the others, or behind them.",
        ),
        Key::new(
            "ramp",
            Text(&DURATION),
            "",
            "How long the share of a recovered endpoint grows from 10% to all of it; the service's by default.",
        ),
        Key::new("check", Text(&CHECK), "", "Its check, an id or a URL; an endpoint's own stands before it."),
    ],
    later: &["checks"],
};

pub(super) static SERVICE: Section = Section {
    keys: &[
        Key::needed("names", List(&Text(&NAME), 1, MANY), "Names that are answered; the first label may be `*`."),
        Key::new(
            "pools",
            Either(&[List(&Text(&ID), 1, ARMS_MAX), Map(&ID, &Whole(0, 65_535))]),
            "",
            "Pools in order of preference, or a table of weights.",
        ),
        Key::new(
            "endpoints",
            Either(&[List(&Text(&MEMBER), 1, 4096), Map(&MEMBER, &Whole(0, 65_535))]),
            "",
            "Instead of pools: addresses or endpoints, the first healthy one answers.",
        ),
        Key::new(
            "steer",
            STEER,
            r#""failover""#,
            "How one of the open pools is chosen; weighted for a table of pools.",
        ),
        Key::new("check", Text(&CHECK), "", "The check of endpoints that have none nearer: an id or a URL."),
        Key::new("ttl", Text(&SECONDS), r#""30s""#, "TTL of the answers."),
        Key::new(
            "ttl_min",
            Text(&SECONDS),
            r#""5s""#,
            "The least TTL, which it shrinks to while an answer may soon change; at most `ttl`.",
        ),
        Key::new(
            "sticky",
            STICKY,
            "false",
            "The same client network is answered the same: true, or the bits of its prefix.",
        ),
        Key::new(
            "trickle",
            Text(&TRICKLE),
            r#""0%""#,
            "This share always goes to the next pool, so that a failover never meets a cold site.",
        ),
        Key::new(
            "failback",
            Text(&DURATION),
            r#""0s""#,
            "A recovered pool must stay up this long before it is taken again.",
        ),
        Key::new("ramp", Text(&DURATION), r#""0s""#, "Then its share grows from 10% to all of it over this time."),
        Key::new("spread", Table(&SPREAD), "", "What an answer of several endpoints spans."),
        Key::new("https", Table(&HTTPS), "", "HTTPS records (RFC 9460) from the same decision."),
        Key::new(
            "when_none_healthy",
            WHEN_NONE,
            r#""serve-all""#,
            "What is answered when nothing is healthy; last-resort once `last_resort` is set.",
        ),
        Key::new("last_resort", Text(&ID), "", "The pool behind all others."),
        Key::new("owner", Text(&TEXT), "", "Who is asked about it."),
        Key::new("runbook", Text(&TEXT), "", "What to read when it breaks."),
        Key::new(
            "rule",
            List(&Table(&RULE), 0, RULES_MAX),
            "",
            "Other pools, or another order, for some clients; the first that fits wins.",
        ),
    ],
    later: &[],
};

static RULE: Section = Section {
    keys: &[
        Key::needed("when", Table(&WHEN), "For whom; of several kinds each must fit."),
        Key::needed(
            "pools",
            Either(&[List(&Text(&ID), 1, ARMS_MAX), Map(&ID, &Whole(0, 65_535))]),
            "Pools in order of preference, or a table of weights.",
        ),
        Key::new("steer", STEER, "", "How one of the open pools is chosen; as the service does by default."),
        Key::new("geofence", Bool, "false", "These pools are never left, even when all of them are down."),
    ],
    later: &[],
};

static WHEN: Section = Section {
    keys: &[
        Key::new("subnet", Many(&Text(&NET)), "", "Networks of clients."),
        Key::new("geo", Many(&Text(&GEO)), "", "Places, continent first: EU, EU-DE, NA-US-CA."),
        Key::new(
            "asn",
            Many(&Either(&[Whole(1, 4_294_967_295), Text(&ASN)])),
            "",
            "Autonomous systems by number: 64500, or AS64500 in quotes.",
        ),
    ],
    later: &[],
};

static STICKY_KEYS: Section = Section {
    keys: &[
        Key::new("v4", Whole(1, 32), "24", "Bits of an IPv4 client that count."),
        Key::new("v6", Whole(1, 128), "56", "Bits of an IPv6 client that count."),
    ],
    later: &[],
};

static SPREAD: Section = Section {
    keys: &[Key::new("providers", Whole(1, 8), "1", "At least so many providers, where so many serve.")],
    later: &[],
};

static HTTPS: Section = Section {
    keys: &[Key::needed("alpn", List(&Text(&ALPN), 1, 16), "Protocols in order of preference, as in h2 and h3.")],
    later: &[],
};

/// `[[test]]`.
pub(super) const TESTS: Kind = List(&Table(&TEST), 0, CASES_MAX);

static TEST: Section = Section {
    keys: &[
        Key::needed("name", Text(&TEXT), "What must hold, in words."),
        Key::new("down", Many(&Text(&SELECTOR)), "[]", "Measured down in this situation."),
        Key::new("drain", Many(&Text(&SELECTOR)), "[]", "Drained in this situation."),
        Key::needed("query", Text(&QUERY), "A name and a type, and with `from` who asks."),
        Key::needed(
            "expect",
            Many(&Text(&TEXT)),
            "All that may be answered: endpoints, pools, addresses, or NODATA, SERVFAIL, NXDOMAIN.",
        ),
    ],
    later: &[],
};
