//! The keys of what exists: zones, groups, checks, endpoints, pools and services.

use super::{
    super::{
        forms::*,
        kind::{Key, Kind, Section},
    },
    MANY,
};

use Kind::{Bool, Coordinates, Either, List, Many, Map, Secret, Table, Text, Whole, Word};

pub(super) const WHEN_NONE: Kind = Word(&["serve-all", "last-good", "last-resort", "nodata", "servfail"], &[]);

pub(super) static ZONE_KEYS: Section = Section {
    keys: &[
        Key::new(
            "ns",
            Map(&NAME, &Many(&Text(&ADDRESS))),
            "",
            "Name servers with their addresses: NS and glue (TTL 1h) are made of it. A name with a final dot is absolute; one outside the zone takes [].",
        ),
        Key::new("soa", Table(&SOA), "", "Fields of the generated SOA."),
        Key::new("records", Text(&BLOCK), "", "Further records, as in a master file."),
        Key::new("file", Text(&PATH), "", "A plain master file (RFC 1035) with its own SOA and NS."),
    ],
    later: &["dnssec", "transfer", "notify", "acme", "tsig"],
};

static SOA: Section = Section {
    keys: &[
        Key::new("contact", Text(&CONTACT), "", "Who is asked about the zone; hostmaster@<zone> by default."),
        Key::new("ttl", Text(&SECONDS), r#""1h""#, "TTL of the SOA record."),
        Key::new(
            "negative_ttl",
            Text(&SECONDS),
            r#""30s""#,
            "How long resolvers remember that something does not exist (RFC 2308).",
        ),
        Key::new("refresh", Text(&SECONDS), r#""2h""#, "For secondaries: how often they ask."),
        Key::new("retry", Text(&SECONDS), r#""15m""#, "For secondaries: how soon they ask again."),
        Key::new("expire", Text(&SECONDS), r#""2w""#, "For secondaries: how long they go on without us."),
    ],
    later: &[],
};

pub(super) static PROVIDER: Section =
    Section { keys: &[Key::new("title", Text(&TEXT), "", "For people.")], later: &["outage_at"] };

pub(super) static REGION: Section = Section {
    keys: &[
        Key::new("title", Text(&TEXT), "", "For people."),
        Key::new("at", Coordinates, "", "Latitude and longitude in degrees."),
    ],
    later: &["outage_at"],
};

pub(super) static CHECK_KEYS: Section = Section {
    keys: &[
        Key::needed(
            "url",
            Text(&CHECK_URL),
            "http, https or tcp. Host and SNI come from it; the connection goes to each endpoint's address.",
        ),
        Key::new("method", Word(&["GET", "HEAD", "OPTIONS", "POST"], &[]), r#""GET""#, "The HTTP method."),
        Key::new("expect", Table(&EXPECT), "", "What an answer must look like."),
        Key::new("headers", Map(&HEADER, &Text(&TEXT)), "", "Further header fields."),
        Key::new("auth", Table(&AUTH), "", "How the probe proves who it is."),
        Key::new("tls", Table(&TLS), "", "How TLS is spoken."),
        Key::new("interval", Text(&INTERVAL), r#""10s""#, "Time between two probes of one address."),
        Key::new(
            "timeout",
            Text(&POSITIVE),
            "",
            "After this long a probe has failed; by default min(3s, 80 % of the interval).",
        ),
        Key::new("fall", Whole(1, 64), "3", "Failures in a row until down."),
        Key::new("rise", Whole(1, 64), "2", "Passes in a row until up."),
        Key::new("window", Table(&WINDOW), "", "Failures that need not follow each other."),
        Key::new(
            "cooldown",
            Text(&DURATION),
            r#""30s""#,
            "How long after its last failure a recovery waits; never delays a failover.",
        ),
        Key::new(
            "recheck",
            Text(&POSITIVE),
            r#""3s""#,
            "The wait between probes while a standing wavers, if shorter than the interval.",
        ),
        Key::new("inverted", Bool, "false", "A failure counts as a pass and the other way round."),
    ],
    later: &["command", "push", "file", "promql", "advisory", "load"],
};

static EXPECT: Section = Section {
    keys: &[
        Key::new(
            "status",
            Either(&[Whole(100, 599), Text(&STATUS), List(&Either(&[Whole(100, 599), Text(&STATUS)]), 1, 32)]),
            r#"["200-299"]"#,
            "Accepted status codes and ranges.",
        ),
        Key::new("body", Text(&TEXT), "", "A text that the first 64 KiB of the body contain."),
        Key::new("header", Map(&HEADER, &Text(&TEXT)), "", "Header fields with the value they must have."),
        Key::new(
            "latency",
            Either(&[Text(&LATENCY), Table(&LATENCY_TABLE)]),
            "",
            "Slower is a complaint (degraded); { max, fail = true } makes it a failure.",
        ),
        Key::new(
            "cert",
            Either(&[Text(&CERT), Table(&CERT_TABLE)]),
            "",
            "A certificate nearer to its end is a complaint (degraded); { min, fail = true } makes it a failure.",
        ),
    ],
    later: &[],
};

static LATENCY_TABLE: Section = Section {
    keys: &[
        Key::needed("max", Text(&POSITIVE), "Slower than this breaks the expectation."),
        Key::new("fail", Bool, "false", "Breaking it is a failure."),
    ],
    later: &[],
};

static CERT_TABLE: Section = Section {
    keys: &[
        Key::needed("min", Text(&POSITIVE), "Less remaining life than this breaks the expectation."),
        Key::new("fail", Bool, "false", "Breaking it is a failure."),
    ],
    later: &[],
};

static AUTH: Section =
    Section { keys: &[Key::needed("bearer", Secret, "Sent as Authorization: Bearer.")], later: &["basic"] };

static TLS: Section = Section {
    keys: &[
        Key::new("verify", Bool, "true", "Whether the certificate is verified."),
        Key::new("ca", Text(&PATH), "", "A private trust anchor (PEM) beside the machine's own."),
        Key::new("sni", Text(&NAME), "", "Another name than the URL's."),
    ],
    later: &["client"],
};

static WINDOW: Section = Section {
    keys: &[
        Key::needed("failures", Whole(1, 64), "So many failures ..."),
        Key::needed("of", Whole(1, 64), "... of the last so many results make down as well."),
    ],
    later: &[],
};

pub(super) static ENDPOINT: Section = Section {
    keys: &[
        Key::new("provider", Text(&ID), r#""default""#, "Who runs it."),
        Key::new("region", Text(&ID), r#""default""#, "Where it is."),
        Key::needed(
            "address",
            Many(&Text(&ADDRESS)),
            "What is answered: one IPv4 address, one IPv6 address, or one of each.",
        ),
        Key::new("weight", Whole(0, 65_535), "1", "Its share where a pool gives none; 0: no new traffic."),
        Key::new("capacity", Whole(1, 4_294_967_295), "", "What it can carry, in your own unit."),
        Key::new("labels", Map(&LABEL, &Text(&TEXT)), "", "For selectors: label:key=value."),
        Key::new("check_at", Text(&CHECK_AT), "", "Where it is probed instead; without a port the check's port holds."),
        Key::new(
            "check",
            Text(&CHECK),
            "",
            "Its own check, an id or a URL; stands before the pool's and the service's.",
        ),
    ],
    later: &["target", "load", "resume"],
};

pub(super) static POOL: Section = Section {
    keys: &[
        Key::needed(
            "endpoints",
            Either(&[List(&Text(&ID), 1, 4096), Map(&ID, &Whole(0, 65_535))]),
            "Endpoints in order of preference, or a table of weights.",
        ),
        Key::new(
            "answer",
            Word(&["all", "first", "weighted", "round-robin", "random"], &["least-connections", "hash"]),
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
        Key::new("check", Text(&CHECK), "", "Its check, an id or a URL; an endpoint's own stands before it."),
    ],
    later: &["degraded", "checks", "ramp", "outage_at"],
};

pub(super) static SERVICE: Section = Section {
    keys: &[
        Key::needed("names", List(&Text(&NAME), 1, MANY), "Names that are answered; the first label may be `*`."),
        Key::new(
            "pools",
            Either(&[List(&Text(&ID), 1, 1024), Map(&ID, &Whole(0, 65_535))]),
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
            Word(
                &["failover", "weighted", "round-robin", "random", "all"],
                &["nearest", "fastest", "least-connections"],
            ),
            r#""failover""#,
            "How one of the open pools is chosen; weighted for a table of pools.",
        ),
        Key::new("check", Text(&CHECK), "", "The check of endpoints that have none nearer: an id or a URL."),
        Key::new("ttl", Text(&SECONDS), r#""30s""#, "TTL of the answers."),
        Key::new(
            "when_none_healthy",
            WHEN_NONE,
            r#""serve-all""#,
            "What is answered when nothing is healthy; last-resort once `last_resort` is set.",
        ),
        Key::new("last_resort", Text(&ID), "", "The pool behind all others."),
        Key::new("owner", Text(&TEXT), "", "Who is asked about it."),
        Key::new("runbook", Text(&TEXT), "", "What to read when it breaks."),
    ],
    later: &["ttl_min", "sticky", "trickle", "failback", "ramp", "spread", "https", "rule"],
};
