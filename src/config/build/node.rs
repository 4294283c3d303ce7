//! `[node]`, `[dns]`, `[geo]`, `[store]`, `[admin]` and `[telemetry]`.

use std::{collections::HashMap, path::PathBuf};

use crate::model::{NodeId, PeerUrl, RegionId, is_token};

use super::{Build, span, word_of};
use crate::config::{
    document::{Node, Table, Value},
    files::{From, open_regular},
    report::{Place, Raw},
    secret,
    settings::*,
    values::{Hundredths, Size, TokenHash},
};

impl Build<'_, '_> {
    pub(super) fn settings(&mut self) -> Settings {
        Settings {
            node: self.node(),
            dns: dns(self.root.section("dns")),
            replication: self.replication(),
            geo: self.geo(),
            store: self.store(),
            admin: self.admin(),
            telemetry: telemetry(self.root.section("telemetry")),
        }
    }

    fn node(&mut self) -> NodeSettings {
        let table = self.root.section("node");
        let default = NodeSettings::default();
        let name = self.var_id("WAYSHIFT_NODE", "a node's name");
        let name = name.or_else(|| table.parse("name")).or_else(|| (self.var("HOSTNAME")).and_then(|n| node_id(&n)));
        let region: Option<RegionId> = self.var_id("WAYSHIFT_REGION", "a region");
        let region = match region {
            Some(region) => {
                if !self.regions.by_id.contains_key(region.as_str()) {
                    let message = format!("no region is named `{region}`, as WAYSHIFT_REGION says");
                    self.report().add(Raw::error("E012", message));
                }
                Some(region)
            }
            None => table.get("region").and_then(|node| self.region(node)),
        };
        let provider = table.get("provider").and_then(|node| self.provider(node));
        let has = |role: &str, items: &[Node]| items.iter().any(|item| item.text() == Some(role));
        let roles = table.get("roles").map_or(default.roles, |node| Roles {
            answer: has("answer", node.items()),
            probe: has("probe", node.items()),
            admin: has("admin", node.items()),
        });
        NodeSettings { name: name.unwrap_or(default.name), region, provider, roles }
    }

    /// The files are read by the room that uses them; here they must be readable.
    fn geo(&mut self) -> GeoSettings {
        let table = self.root.section("geo");
        let mut path = |key: &str| table.get(key).and_then(|node| self.located_by(node));
        GeoSettings { database: path("database"), asn: path("asn"), nets: path("nets") }
    }

    /// Missing files refuse a new configuration, but do not keep a node from starting with an accepted one: without
    /// them clients are not located, and answers are as in the order written.
    fn located_by(&mut self, node: &Node) -> Option<PathBuf> {
        if matches!(self.reader.from, From::Sealed) {
            // Whoever judges a request's configuration locates clients with what the node has.
            return None;
        }
        let path = self.reader.beside(node.place, node.text()?);
        if let Err(error) = open_regular(&path) {
            let message = format!("cannot read {}: {error}", path.display());
            let raw = match self.reader.from {
                From::Copies(_) => Raw::warning("W219", message),
                From::Disk | From::Sealed => Raw::error("E001", message),
            };
            self.report().add(raw.at(node.place, "put the file there first, or leave the key out"));
        }
        Some(path)
    }

    fn var(&self, name: &str) -> Option<String> {
        match self.reader.from {
            From::Sealed => None,
            From::Disk | From::Copies(_) => (self.reader.env)(name).filter(|value| !value.is_empty()),
        }
    }

    /// An id from a variable, which stands before the file.
    fn var_id<T: std::str::FromStr<Err = crate::model::IdError>>(&mut self, name: &str, what: &str) -> Option<T> {
        let text = self.var(name)?;
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.report().add(Raw::error("E010", format!("the variable {name} is not {what}: {error}")));
                None
            }
        }
    }

    fn store(&mut self) -> StoreSettings {
        let table = self.root.section("store");
        let default = StoreSettings::default();
        let keep = table.section("keep");
        let path = table.get("path").and_then(|node| Some(self.reader.beside(node.place, node.text()?)));
        StoreSettings {
            path: path.unwrap_or(default.path),
            keep: Keep {
                audit: span(keep, "audit").unwrap_or(default.keep.audit),
                events: span(keep, "events").unwrap_or(default.keep.events),
                transitions: span(keep, "transitions").unwrap_or(default.keep.transitions),
                max_size: keep.parse::<Size>("max_size").map_or(default.keep.max_size, |size| size.0),
            },
            etcd: table.entry("etcd").and_then(|entry| self.etcd(entry.place, entry.node.table()?)),
        }
    }

    fn etcd(&mut self, place: Place, table: &Table) -> Option<EtcdSettings> {
        if !cfg!(feature = "etcd") {
            self.report().add(
                Raw::error("E037", "this program was built without etcd")
                    .at(place, "build it with `--features etcd`, or take the image or the package"),
            );
        }
        let endpoints = table.get("endpoints").map_or(&[][..], Node::items);
        let endpoints: Vec<String> = endpoints.iter().filter_map(|item| item.text().map(Into::into)).collect();
        let user = match (table.get("user"), table.get("password")) {
            (Some(user), Some(password)) => {
                secret::read(password, self.reader).and_then(|password| Some((user.text()?.to_owned(), password)))
            }
            (None, None) => None,
            (Some(node), None) | (None, Some(node)) => {
                let message = "`user` and `password` belong together";
                self.report().add(Raw::error("E029", message).at(node.place, "write the other one too"));
                None
            }
        };
        let tls = self.etcd_tls(table.section("tls"));
        if let Some(entry) = table.entry("tls")
            && endpoints.iter().any(|endpoint| endpoint.starts_with("http:"))
        {
            let message = "`tls` has no use with endpoints of http://";
            self.report().add(Raw::error("E029", message).at(entry.place, "leave it out, or write https://"));
        }
        let prefix = table.text("prefix").unwrap_or("/wayshift/").into();
        (!endpoints.is_empty()).then_some(EtcdSettings { endpoints, prefix, user, tls })
    }

    fn etcd_tls(&mut self, table: &Table) -> EtcdTls {
        let ca = table.get("ca").and_then(|node| self.existing(node.place, node.text()?));
        let identity = match (table.get("cert"), table.get("key")) {
            (Some(cert), Some(key)) => {
                let cert = cert.text().and_then(|text| self.existing(cert.place, text));
                let key = secret::read_key(key, self.reader);
                cert.zip(key)
            }
            (None, None) => None,
            (Some(node), None) | (None, Some(node)) => {
                let message = "`cert` and `key` belong together";
                self.report().add(Raw::error("E029", message).at(node.place, "write the other one too"));
                None
            }
        };
        EtcdTls { ca, identity }
    }

    fn admin(&mut self) -> AdminSettings {
        let table = self.root.section("admin");
        let default = AdminSettings::default();
        let listen = table.get("listen");
        let mut written = Vec::new();
        for item in listen.map_or(&[][..], Node::items) {
            let Some(listen) = item.text().and_then(|text| text.parse::<AdminListen>().ok()) else { continue };
            if matches!(&listen, AdminListen::Tcp(socket) if !socket.ip().to_canonical().is_loopback()) {
                self.report().add(
                    Raw::error("E031", "the admin API listens on loopback and Unix sockets alone in this version")
                        .at(item.place, "write 127.0.0.1, [::1] or unix:/path")
                        .note("anything else needs TLS, which comes later"),
                );
            }
            written.push(listen);
        }
        let tokens = self.tokens(table);
        let origins = table.get("origins").map_or(&[][..], Node::items);
        let peers = table.entry("peers").and_then(|entry| self.peers(entry.node.table()?));
        AdminSettings {
            peers,
            listen: if written.is_empty() { default.listen } else { written },
            listen_explicit: listen.is_some(),
            tokens,
            origins: origins.iter().filter_map(|item| item.text().map(Into::into)).collect(),
        }
    }

    fn peers(&mut self, table: &Table) -> Option<PeerSettings> {
        let mut at = Vec::new();
        for item in table.get("at").map_or(&[][..], Node::items) {
            let Some(text) = item.text() else { continue };
            match text.parse::<PeerUrl>() {
                Ok(url) => at.push(url),
                Err(why) => self.report().add(
                    Raw::error("E031", format!("other nodes cannot be told to come to `{text}`: {why}")).at(
                        item.place,
                        "write https://host:port of a proxy that speaks TLS, or http://127.0.0.1:port of a tunnel's end",
                    ),
                ),
            }
        }
        let ca = table.get("ca").and_then(|node| self.existing(node.place, node.text()?));
        let written = table.get("token")?;
        let token = secret::read(written, self.reader)?;
        if !is_token(token.reveal()) {
            self.report().add(
                Raw::error("E014", "this is no token: a token is ws_<name>_<43 characters>")
                    .at(written.place, "`wayshift token hash --new --name peers` makes one"),
            );
        }
        Some(PeerSettings { at, token, ca })
    }

    fn tokens(&mut self, table: &Table) -> Vec<AdminToken> {
        let mut places = HashMap::new();
        let mut tokens = Vec::new();
        for item in table.get("token").map_or(&[][..], Node::items) {
            let Some((token, name)) = item.table().and_then(|table| Some((token(table)?, table.get("name")?))) else {
                continue;
            };
            if let Some(first) = places.insert(token.name.clone(), name.place) {
                let message = format!("there are two tokens called `{}`", token.name);
                let raw = Raw::error("E011", message).at(name.place, "again here").at(first, "first here");
                self.report().add(raw);
            }
            if let (false, true, Some(node)) =
                (token.scope.is_empty(), token.role <= Role::Viewer, item.table().and_then(|table| table.get("scope")))
            {
                let message = "a scope is an operator's: viewers and peers change nothing";
                self.report().add(Raw::error("E029", message).at(node.place, "leave it out"));
            }
            tokens.push(token);
        }
        tokens
    }
}

fn token(table: &Table) -> Option<AdminToken> {
    let expires = table.get("expires").and_then(|node| match &node.value {
        Value::Text(text) | Value::Time(text) => text.parse().ok(),
        Value::Whole(_) | Value::Float(_) | Value::Bool(_) | Value::List(_) | Value::Table(_) => None,
    });
    let scope = table.get("scope").map_or(&[][..], Node::items);
    Some(AdminToken {
        name: table.text("name")?.into(),
        role: word_of(Role::WORDS, table.text("role")?)?,
        scope: scope.iter().filter_map(|item| item.text()?.parse().ok()).collect(),
        hash: table.parse::<TokenHash>("hash")?.0,
        expires,
    })
}

fn dns(table: &Table) -> DnsSettings {
    let default = DnsSettings::default();
    let listen = table.get("listen").map_or(&[][..], Node::items);
    let listen: Vec<_> = listen.iter().filter_map(|item| item.text()?.parse().ok()).collect();
    let debug_names = table.get("debug_names").map_or(&[][..], Node::items);
    let tcp = table.section("tcp");
    DnsSettings {
        listen: if listen.is_empty() { default.listen } else { listen },
        threads: table.number("threads").map_or(default.threads, Threads::Count),
        udp_size: table.number("udp_size").unwrap_or(default.udp_size),
        nsid: table.text("nsid").map(Into::into),
        ecs: table.text("ecs").and_then(|word| word_of(Ecs::WORDS, word)).unwrap_or(default.ecs),
        debug_names: debug_names.iter().filter_map(|item| item.text()?.parse().ok()).collect(),
        shadow: table.parse::<Hundredths>("shadow").map_or(default.shadow, |share| share.0),
        chaos: table.text("chaos").and_then(|word| word_of(Chaos::WORDS, word)).unwrap_or(default.chaos),
        tcp: TcpSettings {
            connections: tcp.number("connections").unwrap_or(default.tcp.connections),
            per_client: tcp.number("per_client").unwrap_or(default.tcp.per_client),
            idle: span(tcp, "idle").unwrap_or(default.tcp.idle),
            query: span(tcp, "query").unwrap_or(default.tcp.query),
        },
    }
}

fn telemetry(table: &Table) -> TelemetrySettings {
    let default = TelemetrySettings::default();
    let (log, metrics) = (table.section("log"), table.section("metrics"));
    TelemetrySettings {
        log: LogSettings {
            level: log.text("level").and_then(|word| word_of(LogLevel::WORDS, word)).unwrap_or(default.log.level),
            format: log.text("format").and_then(|word| word_of(LogFormat::WORDS, word)).unwrap_or(default.log.format),
        },
        per_endpoint: metrics.bool("per_endpoint").unwrap_or(default.per_endpoint),
        max_series: metrics.number("max_series").unwrap_or(default.max_series),
    }
}

/// An id made of a host name: its first label, with a dash for what no id may hold.
fn node_id(host: &str) -> Option<NodeId> {
    let label = host.split('.').next().unwrap_or("").to_ascii_lowercase();
    let fitting = label.chars().map(|c| if matches!(c, 'a'..='z' | '0'..='9') { c } else { '-' });
    let text: String = fitting.take(crate::model::ID_LENGTH_MAX).collect();
    text.trim_start_matches('-').parse().ok()
}
