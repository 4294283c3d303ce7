//! Every key of the configuration, once: name, kind, default and what it does. The loader, did-you-mean, the JSON Schema
//! and the test of `config/reference.toml` read this table; `later` lists the names that are fixed already but whose
//! feature is not in this version.

mod fleet;
mod steering;
mod verdict;

use super::{
    forms::*,
    kind::{Key, Kind, Section},
};

use Kind::{Bool, Either, List, Many, Map, Table, Text, Time, Whole, Word};
use fleet::{CHECK_KEYS, ENDPOINT, PROVIDER, REGION, TSIG, ZONE_KEYS};
use steering::{DEGRADED, POOL, SERVICE, STICKY, TESTS, WHEN_NONE};
use verdict::VERDICT;

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
        Key::new("defaults", Table(&DEFAULTS), "", "What services, pools and checks use where they say nothing."),
        Key::new("geo", Table(&GEO_KEYS), "", "Where clients are, by their addresses."),
        Key::new("tsig", Map(&KEY, &Table(&TSIG)), "", "Keys shared with other name servers (RFC 8945), by name."),
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
        Key::new("test", TESTS, "", "What must come out: `wayshift test` runs these."),
    ],
    later: &["dnssec", "discovery", "acme", "notify"],
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
        Key::new(
            "ecs",
            Word(&["use", "ignore"], &[]),
            r#""use""#,
            "Whether the client's network that a resolver sends is used (RFC 7871).",
        ),
        Key::new("debug_names", Many(&Text(&NET)), "[]", "Who may ask for TXT of _why.<name>: the decision in words."),
        Key::new(
            "shadow",
            Text(&SHADOW),
            r#""0.1%""#,
            "Share of the fast door's answers that are compared with the general path's.",
        ),
    ],
    later: &["tls", "https", "quic", "cookies", "rrl", "proxy", "drop"],
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
        Key::new("ttl_min", Text(&SECONDS), r#""5s""#, "The least TTL, while an answer may soon change."),
        Key::new("trickle", Text(&TRICKLE), r#""0%""#, "This share always goes to the next pool."),
        Key::new("failback", Text(&DURATION), r#""0s""#, "A recovered pool must stay up this long first."),
        Key::new("ramp", Text(&DURATION), r#""0s""#, "Then its share grows from 10% to all of it."),
        Key::new("sticky", STICKY, "false", "The same client network is answered the same."),
        Key::new("degraded", DEGRADED, r#""same""#, "Where endpoints stand that work with a complaint."),
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
    later: &[],
};

static GEO_KEYS: Section = Section {
    keys: &[
        Key::new("database", Text(&PATH), "", "A City or Country database in MaxMind's format (mmdb)."),
        Key::new("asn", Text(&PATH), "", "An ASN database in MaxMind's format (mmdb)."),
        Key::new("nets", Text(&PATH), "", "Your own rows of network,region (CSV); they win over the databases."),
    ],
    later: &[],
};

static SAFETY: Section = Section {
    keys: &[
        Key::new(
            "panic_below",
            Text(&PERCENT_OR_AUTO),
            r#""auto""#,
            "Of a pool's weight: below it, with no other pool open, health is ignored; auto: 0%, from 5 endpoints on 34%.",
        ),
        Key::new("removal_budget", Table(&BUDGET), "", "How much of the fleet automation takes out at once."),
        Key::new("max_drained", Text(&PERCENT), r#""100%""#, "How much of the fleet overrides may take out."),
        Key::new(
            "reload_guard",
            Table(&GUARD),
            "",
            "A reload that changes more than this is refused until its plan was accepted.",
        ),
        Key::new("override_for", Table(&LIVES), "", "How long an override lasts that does not say."),
        Key::new("override_max", Text(&POSITIVE), r#""72h""#, "The longest an override lasts, at each extension."),
        Key::new("require_reason", Bool, "true", "An override without a reason is refused."),
        Key::new("rules", List(&Table(&RULE), 0, 100), "[]", "What overrides must leave in service."),
    ],
    later: &[],
};

static BUDGET: Section = Section {
    keys: &[
        Key::new("share", Text(&SHARE), r#""34%""#, "Of the fleet's endpoints, by automation ..."),
        Key::new("per", Text(&POSITIVE), r#""60s""#, "... within this time; the excess waits."),
        Key::new("at_least", Whole(1, 1_000_000), "10", "So many may always leave: small fleets are never slowed."),
        Key::new(
            "confirm",
            Text(&DURATION),
            r#""30s""#,
            "The excess leaves when two thirds of the votes agree for this long.",
        ),
    ],
    later: &[],
};

static GUARD: Section = Section {
    keys: &[
        Key::new("removed", Text(&PERCENT), r#""30%""#, "Removed endpoints or names."),
        Key::new("answers", Text(&PERCENT), r#""50%""#, "Names whose current answer changes."),
        Key::new("at_least", Whole(1, 1_000_000), "3", "Fewer of either never hold a reload up."),
    ],
    later: &[],
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
        Key::new(
            "etcd",
            Table(&ETCD),
            "",
            "Overrides, audit and ballots are shared in etcd instead of kept here alone.",
        ),
    ],
    later: &[],
};

static ETCD: Section = Section {
    keys: &[
        Key::needed(
            "endpoints",
            List(&Text(&ENGINE), 1, 16),
            "Members in the order they are asked, the nearest first.",
        ),
        Key::new("prefix", Text(&KEY_PREFIX), r#""/wayshift/""#, "What all keys begin with: one for each fleet."),
        Key::new("user", Text(&TEXT), "", "Who this node is in etcd; a certificate may say it instead."),
        Key::new("password", Kind::Secret, "", "The user's password."),
        Key::new("tls", Table(&ETCD_TLS), "", "Trust and own certificate, for https."),
    ],
    later: &[],
};

static ETCD_TLS: Section = Section {
    keys: &[
        Key::new(
            "ca",
            Text(&PATH),
            "",
            "Who signed the members' certificates; the machine's trust anchors by default.",
        ),
        Key::new("cert", Text(&PATH), "", "This node's certificate, in PEM."),
        Key::new("key", Kind::Secret, "", "Its key, in PEM."),
    ],
    later: &[],
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
        Key::new("peers", Table(&PEERS), "", "How nodes ask each other for ballots while the store is out of reach."),
        Key::new(
            "token",
            List(&Table(&TOKEN), 0, 1000),
            "[]",
            "Who may come in. Without any, the first start makes one.",
        ),
    ],
    later: &["tls", "pages"],
};

static PEERS: Section = Section {
    keys: &[
        Key::needed(
            "at",
            List(&Text(&ORIGIN), 1, 8),
            "Where the others reach this node's admin API: through a proxy that speaks TLS, or a tunnel's loopback.",
        ),
        Key::needed("token", Kind::Secret, "What nodes ask each other with: one token for all of them."),
        Key::new("ca", Text(&PATH), "", "A private trust anchor (PEM), beside the machine's own."),
    ],
    later: &[],
};

static TOKEN: Section = Section {
    keys: &[
        Key::needed("name", Text(&TEXT), "Who it is in the audit."),
        Key::needed(
            "role",
            Word(&["peer", "viewer", "operator", "admin"], &["push", "acme", "externaldns"]),
            "What it may do.",
        ),
        Key::new("scope", List(&Text(&SELECTOR), 0, 100), "[]", "Where an operator may act; everywhere by default."),
        Key::needed("hash", Text(&HASH), "SHA-256 of the whole token; `wayshift token hash` makes it."),
        Key::new("expires", Time, "", "From then on it is no longer taken."),
    ],
    later: &[],
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
