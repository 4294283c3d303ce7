//! What a configuration says to the rooms that run: node, listeners, store, tokens, telemetry. The fleet is beside it.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use ipnet::IpNet;

use crate::model::{NodeId, PeerUrl, PrivateKey, ProviderId, RegionId, Replication, Secret, Selector, Wall, words};

/// Everything that is not the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This machine.
    pub node: NodeSettings,
    /// The DNS doors.
    pub dns: DnsSettings,
    /// Who else may have the zones.
    pub replication: Replication,
    /// Where clients are.
    pub geo: GeoSettings,
    /// The store.
    pub store: StoreSettings,
    /// The admin API.
    pub admin: AdminSettings,
    /// Log and metrics.
    pub telemetry: TelemetrySettings,
}

impl Settings {
    /// What differs in another configuration and takes effect at the next start only.
    #[must_use]
    pub fn needs_restart(&self, after: &Self) -> Vec<&'static str> {
        let settings = [
            ("[node]", self.node == after.node),
            ("[dns]", self.dns == after.dns),
            ("[store] path", self.store.path == after.store.path),
            ("[store] etcd", self.store.etcd == after.store.etcd),
            ("[admin] listen", self.admin.listen == after.admin.listen),
            ("[admin] peers", self.admin.peers == after.admin.peers),
            ("[telemetry]", self.telemetry == after.telemetry),
        ];
        settings.into_iter().filter_map(|(name, same)| (!same).then_some(name)).collect()
    }
}

/// The only part that differs from machine to machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// The node's id.
    pub name: NodeId,
    /// Where it stands; its vote counts for this region.
    pub region: Option<RegionId>,
    /// Who runs the machine.
    pub provider: Option<ProviderId>,
    /// What it does.
    pub roles: Roles,
}

/// What a node does; all by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Answers DNS.
    pub answer: bool,
    /// Probes and votes.
    pub probe: bool,
    /// Serves the admin API.
    pub admin: bool,
}

/// The DNS doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// UDP and TCP on each.
    pub listen: Vec<SocketAddr>,
    /// UDP threads per listen address.
    pub threads: Threads,
    /// Largest UDP answer, in octets.
    pub udp_size: u16,
    /// What a client that asks for NSID gets (RFC 5001); nothing by default.
    pub nsid: Option<String>,
    /// What CH TXT version.bind and id.server get.
    pub chaos: Chaos,
    /// Limits of TCP.
    pub tcp: TcpSettings,
    /// Whether the client's network that a resolver sends is used (RFC 7871).
    pub ecs: Ecs,
    /// Who may ask for TXT of `_why.<name>`; nobody by default.
    pub debug_names: Vec<IpNet>,
    /// Share of the fast door's answers that are compared with the general path's, in hundredths of a percent.
    pub shadow: u16,
}

/// What becomes of the client's network that a resolver sends (RFC 7871).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecs {
    /// It says where the client is.
    Use,
    /// The resolver's own address does.
    Ignore,
}

/// Files that say where clients are; without any, nothing is known of any client. A configuration from a request names
/// none, whatever it says: it reads nothing of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GeoSettings {
    /// A City or Country database (mmdb).
    pub database: Option<PathBuf>,
    /// An ASN database (mmdb).
    pub asn: Option<PathBuf>,
    /// Own rows of network and region (CSV), which win over the databases.
    pub nets: Option<PathBuf>,
}

/// How many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One for each processor.
    Auto,
    /// So many; at least 1.
    Count(u16),
}

/// Answers in class CH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chaos {
    /// Refused.
    Hide,
    /// The program's name and version.
    Version,
}

/// Limits of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSettings {
    /// Most connections at once.
    pub connections: u32,
    /// Most connections of one client address.
    pub per_client: u32,
    /// A connection without a query is closed after this long.
    pub idle: Duration,
    /// A query must be complete, and its answer taken, within this long.
    pub query: Duration,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The folder of what each node keeps for itself.
    pub path: PathBuf,
    /// How long history is kept.
    pub keep: Keep,
    /// Where overrides and audit are shared; embedded in the folder by default.
    pub etcd: Option<EtcdSettings>,
}

/// Where etcd is and who this node is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// Members in the order they are asked; at least one.
    pub endpoints: Vec<String>,
    /// What all keys begin with.
    pub prefix: String,
    /// User and password.
    pub user: Option<(String, Secret)>,
    /// For `https`.
    pub tls: EtcdTls,
}

/// Trust and own certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EtcdTls {
    /// Who signed the members' certificates; the machine's trust anchors by default.
    pub ca: Option<PathBuf>,
    /// The certificate's file and the key.
    pub identity: Option<(PathBuf, PrivateKey)>,
}

/// How long history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Audit entries; never dropped without an export.
    pub audit: Duration,
    /// Events; dropped first when space ends.
    pub events: Duration,
    /// Changes of verdicts.
    pub transitions: Duration,
    /// Largest database, in octets.
    pub max_size: u64,
}

/// The admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: Vec<AdminListen>,
    /// Whether `listen` was written: an unusable default is a warning, an unusable choice an error.
    pub listen_explicit: bool,
    /// Who may come in.
    pub tokens: Vec<AdminToken>,
    /// Web pages of other origins that may call it.
    pub origins: Vec<String>,
    /// How nodes ask each other directly.
    pub peers: Option<PeerSettings>,
}

/// How nodes of a fleet ask each other while the store is out of reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSettings {
    /// Where the others reach this node's admin API; at least one.
    pub at: Vec<PeerUrl>,
    /// What this node asks others with, and lets them in by: one for all nodes.
    pub token: Secret,
    /// A private trust anchor (PEM), beside the machine's own.
    pub ca: Option<PathBuf>,
}

/// One admin listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AdminListen {
    /// A loopback address and port.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl FromStr for AdminListen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') && path.len() <= UNIX_PATH_MAX && !path.contains('\0') {
                true => Ok(Self::Unix(path.into())),
                false => Err(format!("a Unix socket's path is absolute and at most {UNIX_PATH_MAX} octets long")),
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| format!("`{text}` is neither an address with port nor unix:/path"))
    }
}

/// Longest path of a Unix socket on Linux, in octets, without its final zero (unix(7)).
const UNIX_PATH_MAX: usize = 107;

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(socket) => write!(f, "{socket}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A token of the configuration; only its hash is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    /// Who it is in the audit.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where an operator may act; empty means everywhere.
    pub scope: Vec<Selector>,
    /// SHA-256 of the whole token.
    pub hash: [u8; 32],
    /// From then on it is no longer taken.
    pub expires: Option<Wall>,
}

/// What a principal may do; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Read this node's ballot: what other nodes are.
    Peer,
    /// Look.
    Viewer,
    /// Move traffic within its scope.
    Operator,
    /// Everything.
    Admin,
}

/// Log and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// The log.
    pub log: LogSettings,
    /// Whether endpoints have metrics of their own.
    pub per_endpoint: bool,
    /// Most time series; further ones are left out and counted.
    pub max_series: u32,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// From which level on.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// Levels of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// A person is needed.
    Error,
    /// Coped with; look tomorrow.
    Warn,
    /// Changes.
    Info,
    /// Steps.
    Debug,
    /// Everything, queries too.
    Trace,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `pretty` on a terminal, else `json`.
    Auto,
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

words!(Ecs { Use = "use", Ignore = "ignore" });
words!(Chaos { Hide = "hide", Version = "version" });
words!(Role { Peer = "peer", Viewer = "viewer", Operator = "operator", Admin = "admin" });
words!(LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" });
words!(LogFormat { Auto = "auto", Pretty = "pretty", Json = "json" });

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            name: "node-1".parse().expect("`node-1` is an id"),
            region: None,
            provider: None,
            roles: Roles { answer: true, probe: true, admin: true },
        }
    }
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            listen: vec![(std::net::Ipv4Addr::UNSPECIFIED, 53).into(), (std::net::Ipv6Addr::UNSPECIFIED, 53).into()],
            threads: Threads::Auto,
            udp_size: 1232,
            nsid: None,
            chaos: Chaos::Hide,
            tcp: TcpSettings {
                connections: 10_000,
                per_client: 100,
                idle: Duration::from_secs(10),
                query: Duration::from_secs(5),
            },
            ecs: Ecs::Use,
            debug_names: Vec::new(),
            shadow: 10,
        }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Self {
            path: "/var/lib/wayshift".into(),
            keep: Keep { audit: days(400), events: days(90), transitions: days(400), max_size: 2 << 30 },
            etcd: None,
        }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            listen: vec![
                AdminListen::Tcp((std::net::Ipv4Addr::LOCALHOST, 8653).into()),
                AdminListen::Unix("/run/wayshift/admin.sock".into()),
            ],
            listen_explicit: false,
            tokens: Vec::new(),
            origins: Vec::new(),
            peers: None,
        }
    }
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log: LogSettings { level: LogLevel::Info, format: LogFormat::Auto },
            per_endpoint: true,
            max_series: 20_000,
        }
    }
}
