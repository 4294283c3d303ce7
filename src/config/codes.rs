//! What each code means: the text of `wayshift check --explain`.

/// The explanation of a code, if it is one.
#[must_use]
pub fn explain_code(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, text)| *text)
}

/// Every code, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CODES.iter().map(|(code, _)| *code)
}

const CODES: &[(&str, &str)] = &[
    (
        "E001",
        "A file cannot be read. The path is taken relative to the file that names it; the reason is the operating system's.",
    ),
    (
        "E002",
        "The text is not TOML 1.0. The caret stands where reading stopped. Values that follow are still looked at; references are not, until the syntax holds.",
    ),
    (
        "E003",
        "A key that this program does not know. Nothing is ever ignored: a misspelt key would silently keep its default.",
    ),
    (
        "E004",
        "A key or word whose name is fixed but whose feature is not in this version. It is refused instead of ignored, so that nobody relies on it.",
    ),
    ("E005", "A value of another TOML type than the key takes: a string where a table belongs, and the like."),
    ("E006", "Something that must be there is missing. Everything but zones and services has a default; these do not."),
    (
        "E007",
        "A duration that cannot be read. Durations are strings with a unit: \"250ms\", \"10s\", \"1m30s\", \"2h\", \"400d\".",
    ),
    ("E008", "A number, or the length of a list, outside its bounds."),
    ("E009", "A word that is not one of the values this key takes."),
    (
        "E010",
        "An id consists of 1 to 63 of a-z, 0-9 and `-`, and starts with a letter or digit, because it is also a label, a path segment and a metric label.",
    ),
    (
        "E011",
        "The same thing stands in two places. Files are joined, but nothing is ever overridden: there is no order to remember. Both places are shown.",
    ),
    ("E012", "A reference to something that is not defined. The note lists what is; the likeliest is suggested."),
    (
        "E013",
        "A variable in `${NAME}` is not set, or the form is not ${NAME} or ${NAME:-default}. `$${` stands for `${` itself.",
    ),
    (
        "E014",
        "A secret cannot be read, is empty, or contains what no header field may hold. Write { file = }, { credential = } (systemd LoadCredential=) or { env = }.",
    ),
    ("E015", "An include that names no readable folder or file, names a file twice, or nests too deep."),
    (
        "E016",
        "A text that does not have the form its key needs: a name, a path, a status, a header field, a mail address.",
    ),
    (
        "E017",
        "An address that cannot be read, or that is not one machine's. Endpoints have addresses without ports: the port is the check's, or `check_at` says another one.",
    ),
    (
        "E018",
        "Two addresses of one family in one endpoint. They would fail apart, so each is an endpoint of its own; one endpoint has at most one IPv4 and one IPv6 address.",
    ),
    ("E019", "A steered name that lies in none of the zones: no query for it would ever be answered here."),
    ("E020", "A name that two services, or one service twice, answer for."),
    (
        "E021",
        "A zone breaks a rule of the DNS: one SOA at the apex, NS at the apex, a CNAME alone at its name, nothing outside the zone, nothing below a DNAME.",
    ),
    (
        "E022",
        "A line of a master file or of `records` that cannot be read (RFC 1035 section 5). Types without a form of their own are written as TYPEn with \\# length hex (RFC 3597).",
    ),
    ("E023", "A fixed A, AAAA or CNAME record at a name whose answers are steered. One of the two must go."),
    ("E024", "A steered name at or below a delegation, or below a DNAME: resolvers never ask this server for it."),
    (
        "E025",
        "A URL that cannot be probed: the scheme is http, https or tcp, without credentials and fragment; tcp needs a port.",
    ),
    (
        "E026",
        "A selector that cannot be read. It is kind:name with `*` and `?`, as in provider:aws, region:eu-*, label:tier=gold, or all.",
    ),
    (
        "E027",
        "More of something than this program takes: files, records, entities, octets. The bounds are far above real fleets.",
    ),
    (
        "E028",
        "A configuration in a request is sealed: include, files, credentials, variables and `${}` are not resolved, so that a request reads nothing of this machine.",
    ),
    (
        "E029",
        "Values that do not fit together: each is fine alone, but together one of them would do nothing or could never hold.",
    ),
    (
        "E031",
        "An admin listener that is reachable from other machines, or an address for other nodes that is neither https nor loopback. It would carry tokens in the clear; TLS for listeners is not in this version.",
    ),
    (
        "E032",
        "A token's hash is `sha256:` and 64 hexadecimal digits. `wayshift token hash` makes it; the token itself never stands in the configuration.",
    ),
    ("E033", "A ratio or size that cannot be read. Ratios are \"34%\", sizes \"10MiB\"."),
    (
        "E034",
        "A place is written continent first, as in EU, EU-DE or NA-US-CA: AF, AN, AS, EU, NA, OC or SA, behind it the country (ISO 3166-1) and its part (ISO 3166-2). Bare country codes would collide with continents.",
    ),
    (
        "E035",
        "The target of an endpoint is a name that is steered here, or leads to one by CNAME records of this server. The answer would send resolvers round in a circle.",
    ),
    (
        "E036",
        "A file of [geo] that locates nobody: a row of `nets` that is not `subnet,place`, or a database of another format or kind. A running node would go on with the file it read before.",
    ),
    (
        "E037",
        "This program was built without etcd. The image and the package have it; to build it, install protobuf-compiler and libprotobuf-dev and say `--features etcd`.",
    ),
    (
        "W201",
        "A secret stands in the configuration itself. Configurations are copied, committed and shown; a reference is not worth stealing.",
    ),
    ("W202", "A pool with one endpoint: nothing takes over inside it, and the next pool takes the whole load."),
    (
        "W203",
        "All endpoints of a service are at one provider: its outage takes the service along, which is what failover is for.",
    ),
    (
        "W204",
        "A TTL under 5 s is ignored by many resolvers and multiplies queries; over 300 s clients keep a dead endpoint for long.",
    ),
    (
        "W205",
        "A timeout that is not shorter than the interval: a slow endpoint is asked again before the last answer is due.",
    ),
    ("W206", "Weights in a pool that answers all its endpoints do nothing, because every answer holds all of them."),
    ("W207", "Endpoints without a check count as up whatever happens to them, and are shown as unchecked."),
    ("W208", "Records of one name and type have one TTL (RFC 2181 section 5.2); the lowest is taken."),
    ("W209", "A name server within the zone has no address in it: resolvers cannot find it."),
    ("W210", "No service is configured. Zones are served, but nothing is probed or steered."),
    (
        "W211",
        "The worst case from an endpoint's death until resolvers have asked again is over 60 s: interval + fall x timeout + (fall - 1) x recheck + 1 s + TTL.",
    ),
    ("W212", "Records below a delegation are never answered, except as glue: the zone they belong to is another one."),
    (
        "W213",
        "A rule that can never match: the first rule that fits a client wins, and all clients of this one fit an earlier one.",
    ),
    (
        "W214",
        "What depends on where clients are does nothing while nothing tells it: [geo] names a database (City or Country), an ASN database, or your own `nets`.",
    ),
    (
        "W215",
        "Steering by distance among regions of which some have no `at`: endpoints there are never the nearest, and serve when nothing else is open.",
    ),
    ("W216", "A trickle without a next pool, or a ramp without a share that could grow, does nothing."),
    (
        "W217",
        "A spread over more providers than a pool has, or than its answers have endpoints: such an answer spans what there is.",
    ),
    ("W218", "Choosing by load where no endpoint has a `load`: the weights alone decide."),
    (
        "W219",
        "A file that locates clients is missing beside an accepted configuration. The node starts, and answers as if it knew nothing of where clients are.",
    ),
    (
        "W220",
        "A target is answered as CNAME, and a CNAME stands alone at its name (RFC 1034 section 3.6.2). A pool that answers several endpoints at once leaves the others out, or the target.",
    ),
    (
        "W221",
        "One anchor alone: while it is away, this node's own network looks broken, and the node does not vote. Name three or more, of different providers; one in three answers is enough.",
    ),
    (
        "W222",
        "A quorum that is a number above `vantages_per_endpoint`: so many votes are never cast on an endpoint once more nodes are known than probe it, and nothing goes down any more.",
    ),
    (
        "W223",
        "A file of own `nets` in [geo] without a row: it locates nobody. A running node would go on with the rows it read before, because a file that was cut off looks the same; leave the key out to have none.",
    ),
    (
        "W224",
        "Fewer than three vantages an endpoint: no majority contradicts one whose own network breaks, so what it sees down may go down until its self-test finds the fault in itself. Three or more take nothing out for one.",
    ),
];
