//! The keys of what exists: zones, groups, checks and endpoints.

use super::super::{
    forms::*,
    kind::{Key, Kind, Section},
};

use Kind::{Bool, Coordinates, Either, List, Many, Map, Secret, Table, Text, Whole, Word};

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
        Key::new("transfer", Table(&TRANSFER), "", "Which secondaries may fetch the zone (AXFR, IXFR)."),
        Key::new(
            "notify",
            Many(&Text(&NOTIFY_AT)),
            "[]",
            "Secondaries that are told of changes, on port 53 or another.",
        ),
    ],
    later: &["dnssec", "acme"],
};

static TRANSFER: Section = Section {
    keys: &[
        Key::new(
            "allow",
            Many(&Text(&NET)),
            "[]",
            "From which networks. Of `allow` and `tsig` all that is set must hold.",
        ),
        Key::new("tsig", Text(&KEY), "", "With which key the query must be signed."),
    ],
    later: &[],
};

pub(super) static TSIG: Section = Section {
    keys: &[
        Key::new(
            "algorithm",
            Word(&["hmac-sha256", "hmac-sha384", "hmac-sha512"], &[]),
            r#""hmac-sha256""#,
            "How messages are signed.",
        ),
        Key::needed("secret", Secret, "The secret in base64, as both sides have it."),
    ],
    later: &[],
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

pub(super) static PROVIDER: Section = Section {
    keys: &[
        Key::new("title", Text(&TEXT), "", "For people."),
        Key::new(
            "outage_at",
            Text(&SHARE),
            r#""60%""#,
            "This share of its endpoints down, at least 3 of them, is one outage of the provider.",
        ),
    ],
    later: &[],
};

pub(super) static REGION: Section = Section {
    keys: &[
        Key::new("title", Text(&TEXT), "", "For people."),
        Key::new("at", Coordinates, "", "Latitude and longitude in degrees."),
    ],
    later: &[],
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
        Key::new("headers", Map(&HEADER, &Text(&HEADER_VALUE)), "", "Further header fields."),
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
    later: &["command", "push", "file", "promql", "advisory"],
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
        Key::new("header", Map(&HEADER, &Text(&HEADER_VALUE)), "", "Header fields with the value they must have."),
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

static AUTH: Section = Section { keys: &[Key::needed("bearer", Secret, "Sent as Authorization: Bearer.")], later: &[] };

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
        Key::new(
            "address",
            Many(&Text(&ADDRESS)),
            "",
            "What is answered: one IPv4 address, one IPv6 address, or one of each.",
        ),
        Key::new(
            "target",
            Text(&TARGET),
            "",
            "Instead of addresses a name: answered as CNAME, or by its addresses where a CNAME may not stand.",
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
        Key::new("load", Table(&LOAD), "", "Where its load is read, for least-connections."),
        Key::new(
            "resume",
            Word(&["auto", "manual"], &[]),
            r#""auto""#,
            "manual: once down it stays out until a person restores it.",
        ),
    ],
    later: &[],
};

static LOAD: Section = Section {
    keys: &[
        Key::new(
            "url",
            Text(&LOAD_URL),
            "",
            "Polled with the probe; `{address}` in it stands for the endpoint's address.",
        ),
        Key::new(
            "field",
            Text(&TEXT),
            "",
            "The field of a JSON object, with dots for inner ones, or the name of a Prometheus metric.",
        ),
        Key::new("push", Bool, "false", "The load is pushed through the API instead."),
        Key::new("stale_after", Text(&POSITIVE), r#""30s""#, "A pushed load that is older does not count."),
    ],
    later: &[],
};
