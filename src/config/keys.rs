//! Every key of the configuration, once: name, kind, default and what it does. The loader, did-you-mean, the JSON Schema
//! and the test of `config/reference.toml` read this table; `later` lists the names that are fixed already but whose
//! feature is not in this version.

use super::{
    forms::*,
    kind::{Key, Kind, Section},
};

use Kind::{Bool, Coordinates, Either, List, Many, Map, Secret, Table, Text, Time, Whole, Word};

/// Most items of a list that has no narrower limit.
const MANY: usize = 100_000;

/// The file.
pub(super) static ROOT: Section = Section {
    keys: &[
        Key::new(
            "include",
            List(&Text(&PATH), 0, 1000),
            "[]",
            "Further files, relative to this one; `*` and `?` stand for any characters.",
        ),
        Key::new("node", Table(&NODE), "", "This machine: the only part that differs from node to node."),
        Key::new("dns", Table(&DNS), "", "The DNS listeners."),
        Key::new("defaults", Table(&DEFAULTS), "", "What services and checks use where they say nothing."),
        Key::new("zone", Map(&ZONE, &Table(&ZONE_KEYS)), "", "A zone this server is authoritative for."),
        Key::new("provider", Map(&ID, &Table(&PROVIDER)), "", "Who runs endpoints; a group that shares a fate."),
        Key::new("region", Map(&ID, &Table(&REGION)), "", "Where endpoints are; a group that shares a fate."),
        Key::new("check", Map(&ID, &Table(&CHECK_KEYS)), "", "How an endpoint is judged."),
        Key::new("endpoint", Map(&ID, &Table(&ENDPOINT)), "", "One place that can serve."),
        Key::new("pool", Map(&ID, &Table(&POOL)), "", "Endpoints that stand for one site or tier."),
        Key::new("service", Map(&ID, &Table(&SERVICE)), "", "Names, their pools in order, and how one is chosen."),
        Key::new("verdict", Table(&VERDICT), "", "How votes become a verdict."),
        Key::new("safety", Table(&SAFETY), "", "The brakes."),
        Key::new("store", Table(&STORE), "", "Where overrides, audit and history are kept."),
        Key::new("admin", Table(&ADMIN), "", "The admin API."),
        Key::new("telemetry", Table(&TELEMETRY), "", "Log and metrics."),
    ],
    later: &["version", "dnssec", "geo", "tsig", "discovery", "acme", "notify", "test", "cluster"],
};

static NODE: Section = Section {
    keys: &[
        Key::new(
            "name",
            Text(&ID),
            "",
            "The node's id. WAYSHIFT_NODE overrides it; by default it is made of the host name.",
        ),
        Key::new(
            "region",
            Text(&ID),
            "",
            "Where it stands; its vote counts for this region. WAYSHIFT_REGION overrides it.",
        ),
        Key::new("provider", Text(&ID), "", "Who runs the machine."),
        Key::new(
            "roles",
            List(&Word(&["answer", "probe", "admin"], &[]), 1, 3),
            r#"["answer", "probe", "admin"]"#,
            "What it does.",
        ),
    ],
    later: &[],
};

static DNS: Section = Section {
    keys: &[
        Key::new("listen", List(&Text(&SOCKET), 1, 64), r#"["0.0.0.0:53", "[::]:53"]"#, "UDP and TCP on each."),
        Key::new(
            "threads",
            Either(&[Word(&["auto"], &[]), Whole(1, 1024)]),
            r#""auto""#,
            "UDP threads per listen address; auto: one for each processor.",
        ),
        Key::new(
            "udp_size",
            Whole(512, 4096),
            "1232",
            "Largest UDP answer in octets; 1232 passes every path unfragmented.",
        ),
        Key::new("nsid", Text(&TEXT), "", "What a client that asks for the server's name gets (RFC 5001)."),
        Key::new("chaos", Word(&["hide", "version"], &[]), r#""hide""#, "What version.bind gets."),
        Key::new("tcp", Table(&TCP), "", "Limits of TCP."),
    ],
    later: &["tls", "https", "quic", "cookies", "ecs", "rrl", "shadow", "proxy", "drop", "debug_names"],
};

static TCP: Section = Section {
    keys: &[
        Key::new(
            "connections",
            Whole(1, 1_000_000),
            "10000",
            "Most connections at once; the longest idle one makes room.",
        ),
        Key::new("per_client", Whole(1, 1_000_000), "100", "Most connections of one client address."),
        Key::new("idle", Text(&POSITIVE), r#""10s""#, "A connection without a query is closed after this long."),
        Key::new(
            "query",
            Text(&POSITIVE),
            r#""5s""#,
            "A query must be complete, and its answer taken, within this long.",
        ),
    ],
    later: &[],
};

static DEFAULTS: Section = Section {
    keys: &[
        Key::new("check", Text(&CHECK), "", "The check of whatever names none: an id or a URL."),
        Key::new("ttl", Text(&SECONDS), r#""30s""#, "TTL of steered answers."),
        Key::new("when_none_healthy", WHEN_NONE, r#""serve-all""#, "What is answered when nothing is healthy."),
        Key::new("interval", Text(&INTERVAL), r#""10s""#, "Time between two probes of one address."),
        Key::new(
            "timeout",
            Text(&POSITIVE),
            "",
            "After this long a probe has failed; by default min(3s, 80 % of the interval).",
        ),
        Key::new(
            "recheck",
            Text(&POSITIVE),
            r#""3s""#,
            "The wait between probes while a standing wavers, if shorter than the interval.",
        ),
        Key::new("fall", Whole(1, 64), "3", "Failures in a row until down."),
        Key::new("rise", Whole(1, 64), "2", "Passes in a row until up."),
        Key::new(
            "cooldown",
            Text(&DURATION),
            r#""30s""#,
            "How long after its last failure a recovery waits; never delays a failover.",
        ),
    ],
    later: &["ttl_min", "trickle", "failback", "ramp", "sticky", "degraded"],
};

const WHEN_NONE: Kind = Word(&["serve-all", "last-good", "last-resort", "nodata", "servfail"], &[]);

static ZONE_KEYS: Section = Section {
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

static PROVIDER: Section =
    Section { keys: &[Key::new("title", Text(&TEXT), "", "For people.")], later: &["outage_at"] };

static REGION: Section = Section {
    keys: &[
        Key::new("title", Text(&TEXT), "", "For people."),
        Key::new("at", Coordinates, "", "Latitude and longitude in degrees."),
    ],
    later: &["outage_at"],
};

static CHECK_KEYS: Section = Section {
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

static ENDPOINT: Section = Section {
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

static POOL: Section = Section {
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

static SERVICE: Section = Section {
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

static VERDICT: Section = Section {
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
    ],
    later: &["own_view", "alone", "anchors", "flap", "vantages_per_endpoint"],
};

static SAFETY: Section = Section {
    keys: &[
        Key::new(
            "panic_below",
            Text(&PERCENT_OR_AUTO),
            r#""auto""#,
            "Of a pool's weight: below it, with no other pool open, health is ignored; auto: 0%, from 5 endpoints on 34%.",
        ),
        Key::new("override_for", Table(&LIVES), "", "How long an override lasts that does not say."),
        Key::new("override_max", Text(&POSITIVE), r#""72h""#, "The longest an override lasts, at each extension."),
        Key::new("require_reason", Bool, "true", "An override without a reason is refused."),
        Key::new("rules", List(&Table(&RULE), 0, 100), "[]", "What overrides must leave in service."),
    ],
    later: &["removal_budget", "max_drained", "reload_guard"],
};

static LIVES: Section = Section {
    keys: &[
        Key::new("drain", Text(&POSITIVE), r#""24h""#, "Life of a drain."),
        Key::new("down", Text(&POSITIVE), r#""24h""#, "Life of a down."),
        Key::new("weight", Text(&POSITIVE), r#""4h""#, "Life of a weight."),
        Key::new("pin", Text(&POSITIVE), r#""4h""#, "Life of a pin."),
        Key::new("up", Text(&POSITIVE), r#""1h""#, "Life of an up."),
        Key::new("freeze", Text(&POSITIVE), r#""1h""#, "Life of a freeze."),
    ],
    later: &[],
};

static RULE: Section = Section {
    keys: &[
        Key::needed("name", Text(&TEXT), "Its name, in refusals."),
        Key::needed("keep", Whole(1, 1000), "How many of the groups must keep an endpoint."),
        Key::needed("of", List(&Text(&SELECTOR), 1, 1000), "The groups."),
    ],
    later: &[],
};

static STORE: Section = Section {
    keys: &[
        Key::new(
            "path",
            Text(&PATH),
            r#""/var/lib/wayshift""#,
            "The folder of the embedded database, the snapshot and the accepted configurations.",
        ),
        Key::new("keep", Table(&KEEP), "", "How long history is kept."),
    ],
    later: &["etcd"],
};

static KEEP: Section = Section {
    keys: &[
        Key::new("audit", Text(&POSITIVE), r#""400d""#, "Audit entries."),
        Key::new("events", Text(&POSITIVE), r#""90d""#, "Events; they go first when space ends."),
        Key::new("transitions", Text(&POSITIVE), r#""400d""#, "Changes of verdicts."),
        Key::new("max_size", Text(&SIZE), r#""2GiB""#, "Largest database."),
    ],
    later: &[],
};

static ADMIN: Section = Section {
    keys: &[
        Key::new(
            "listen",
            List(&Text(&ADMIN_LISTEN), 1, 16),
            r#"["127.0.0.1:8653", "unix:/run/wayshift/admin.sock"]"#,
            "Loopback addresses and Unix sockets.",
        ),
        Key::new("origins", List(&Text(&ORIGIN), 0, 64), "[]", "Web pages of other origins that may call it."),
        Key::new(
            "token",
            List(&Table(&TOKEN), 0, 1000),
            "[]",
            "Who may come in. Without any, the first start makes one.",
        ),
    ],
    later: &["tls", "pages"],
};

static TOKEN: Section = Section {
    keys: &[
        Key::needed("name", Text(&TEXT), "Who it is in the audit."),
        Key::needed(
            "role",
            Word(&["viewer", "operator", "admin"], &["push", "acme", "externaldns"]),
            "What it may do.",
        ),
        Key::new("scope", List(&Text(&SELECTOR), 0, 100), "[]", "Where an operator may act; everywhere by default."),
        Key::needed("hash", Text(&HASH), "SHA-256 of the whole token; `wayshift token hash` makes it."),
        Key::new("expires", Time, "", "From then on it is no longer taken."),
    ],
    later: &["networks"],
};

static TELEMETRY: Section = Section {
    keys: &[
        Key::new("log", Table(&LOG), "", "The log, on standard error."),
        Key::new("metrics", Table(&METRICS), "", "Prometheus metrics on the admin listener."),
    ],
    later: &["otlp", "query_log", "dnstap"],
};

static LOG: Section = Section {
    keys: &[
        Key::new("level", Word(&["error", "warn", "info", "debug", "trace"], &[]), r#""info""#, "From which level on."),
        Key::new(
            "format",
            Word(&["auto", "pretty", "json"], &[]),
            r#""auto""#,
            "auto: pretty on a terminal, else json.",
        ),
    ],
    later: &[],
};

static METRICS: Section = Section {
    keys: &[
        Key::new("per_endpoint", Bool, "true", "Whether endpoints have metrics of their own."),
        Key::new(
            "max_series",
            Whole(100, 10_000_000),
            "20000",
            "Most time series; further ones are left out and counted.",
        ),
    ],
    later: &[],
};
