//! The machine's own resolvers, as `/etc/resolv.conf` names them.
//!
//! Names of targets are whole: no search list is tried, and `/etc/hosts` is not looked at, because clients who follow the
//! CNAME do not see it either. Nothing is said of any client: no query carries a client's network (RFC 7871).

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType},
};
use tokio::time::Instant;

use super::{Lookup, Part};
use crate::model::{DnsName, Family};

/// Where resolvers are named (resolv.conf(5)).
const FILE: &str = "/etc/resolv.conf";
/// Name servers beyond these are not asked (resolv.conf(5), MAXNS).
const SERVERS_MAX: usize = 3;
/// The file is looked at again after this long: a machine may be given other resolvers while it runs.
const REREAD: Duration = Duration::from_secs(30);
/// One question to one server waits so long ...
const TIMEOUT: Duration = Duration::from_secs(2);
/// ... and is repeated so often.
const REPEATS: usize = 1;

/// Asks the machine's resolvers.
#[derive(Debug)]
pub struct System {
    file: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    read: Option<Instant>,
    servers: Vec<IpAddr>,
    resolver: Option<TokioResolver>,
}

impl System {
    /// Reads `/etc/resolv.conf` when it is first asked, and again now and then.
    #[must_use]
    pub fn new() -> Self {
        Self::of(FILE)
    }

    fn of(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), held: Mutex::default() }
    }

    async fn resolver(&self) -> Option<TokioResolver> {
        let now = Instant::now();
        let is_fresh = |held: &Held| held.read.is_some_and(|read| now < read + REREAD);
        {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if is_fresh(&held) {
                return held.resolver.clone();
            }
        }
        let text = tokio::fs::read_to_string(&self.file).await;
        let servers = match &text {
            Ok(text) => servers(text),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "the machine's resolvers are not known; its own is asked");
                servers("")
            }
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.resolver.is_none() || held.servers != servers {
            held.resolver = built(&servers);
            held.servers = servers;
        }
        held.read = Some(now);
        held.resolver.clone()
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Lookup for System {
    fn lookup<'l>(&'l self, name: &'l DnsName, family: Family) -> Pin<Box<dyn Future<Output = Part> + Send + 'l>> {
        Box::pin(async move {
            match self.resolver().await {
                Some(resolver) => ask(&resolver, name, family).await,
                None => Part::Silent,
            }
        })
    }
}

async fn ask(resolver: &TokioResolver, name: &DnsName, family: Family) -> Part {
    let Ok(name) = Name::from_labels(name.labels()) else { return Part::Nothing };
    let kind = match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    };
    match resolver.lookup(name, kind).await {
        Ok(found) => {
            // The TTL of an alias on the way counts like that of an address.
            let ttl = found.answers().iter().map(|record| record.ttl).min().unwrap_or_default();
            let addresses: Vec<IpAddr> = found.answers().iter().filter_map(|record| address(&record.data)).collect();
            if addresses.is_empty() { Part::Nothing } else { Part::Found(addresses, ttl) }
        }
        Err(error) => meaning(&error),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's types of records")]
fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors; whatever is no answer is silence")]
fn meaning(error: &NetError) -> Part {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => Part::Nothing,
        NetError::Dns(_) => Part::Broken,
        _ => Part::Silent,
    }
}

fn built(servers: &[IpAddr]) -> Option<TokioResolver> {
    let servers = servers.iter().map(|server| NameServerConfig::udp_and_tcp(*server)).collect();
    resolver(servers)
}

fn resolver(servers: Vec<NameServerConfig>) -> Option<TokioResolver> {
    let config = ResolverConfig::from_parts(None, vec![], servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = REPEATS;
    options.edns0 = true;
    // The book knows when to ask again; a cache beside it would only hide changes.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    options.num_concurrent_reqs = 1;
    match builder.build() {
        Ok(resolver) => Some(resolver),
        Err(error) => {
            tracing::error!(%error, "no resolver can be made; targets are not resolved");
            None
        }
    }
}

/// The name servers of a resolv.conf; the machine's own address where it names none, as the C library has it. One with
/// a scope (`fe80::1%eth0`) is passed over.
fn servers(text: &str) -> Vec<IpAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse().ok()).flatten()
    });
    let mut servers: Vec<IpAddr> = named.take(SERVERS_MAX).collect();
    if servers.is_empty() {
        servers.push(Ipv4Addr::LOCALHOST.into());
    }
    servers
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hickory_resolver::proto::{
        op::{Message, MessageType, ResponseCode},
        rr::{Record, rdata},
    };
    use tokio::{net::UdpSocket, task::JoinSet};

    use super::*;

    #[test]
    fn a_resolv_conf_names_servers() {
        let check = |text: &str, expected: &[&str]| {
            let expected: Vec<IpAddr> = expected.iter().map(|server| server.parse().unwrap()).collect();
            assert_eq!(servers(text), expected, "{text}");
        };
        check("", &["127.0.0.1"]);
        check("# nameserver 192.0.2.9\nsearch example.com\n", &["127.0.0.1"]);
        check(
            "nameserver 192.0.2.1\n  nameserver\t2001:db8::1 # here\nnameserver fe80::1%eth0\n",
            &["192.0.2.1", "2001:db8::1"],
        );
        check(&"nameserver 192.0.2.1\n".repeat(9), &["192.0.2.1"; 3]);
    }

    /// A name server on loopback that says what it is told to say, and keeps what it was asked.
    async fn server(answer: impl Fn(&Message) -> Option<Message> + Send + 'static) -> (SocketAddr, JoinSet<()>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let query = Message::from_vec(&buffer[..length]).unwrap();
                if let Some(reply) = answer(&query) {
                    socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        (at, task)
    }

    fn reply(query: &Message, code: ResponseCode, records: Vec<Record>) -> Message {
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.response_code = code;
        reply.metadata.recursion_available = true;
        reply.add_queries(query.queries.iter().cloned());
        reply.add_answers(records);
        reply
    }

    async fn asked(answer: impl Fn(&Message) -> Option<Message> + Send + 'static, family: Family) -> Part {
        let (at, _server) = server(answer).await;
        let mut config = NameServerConfig::udp(at.ip());
        config.connections[0].port = at.port();
        ask(&resolver(vec![config]).unwrap(), &"www.cdn.example.net".parse().unwrap(), family).await
    }

    #[tokio::test]
    async fn aliases_are_followed_and_no_clients_network_is_sent() {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        let found = asked(
            move |query| {
                assert!(query.edns.as_ref().is_none_or(|edns| edns.options().as_ref().is_empty()), "{query:?}");
                let alias = RData::CNAME(rdata::CNAME(name("edge.cdn.example.net.")));
                let address = RData::A(Ipv4Addr::new(192, 0, 2, 7).into());
                let chain = vec![
                    Record::from_rdata(name("www.cdn.example.net."), 20, alias),
                    Record::from_rdata(name("edge.cdn.example.net."), 300, address),
                ];
                Some(reply(query, ResponseCode::NoError, chain))
            },
            Family::V4,
        );
        assert_eq!(found.await, Part::Found(vec![[192, 0, 2, 7].into()], 20));
    }

    #[tokio::test]
    async fn what_a_server_does_not_know_and_what_it_does_not_say_are_told_apart() {
        let code = |code| asked(move |query: &Message| Some(reply(query, code, vec![])), Family::V6);
        assert_eq!(code(ResponseCode::NXDomain).await, Part::Nothing);
        assert_eq!(code(ResponseCode::NoError).await, Part::Nothing);
        assert_eq!(code(ResponseCode::ServFail).await, Part::Broken);
        tokio::time::pause();
        assert_eq!(asked(|_| None, Family::V4).await, Part::Silent);
    }
}
