//! `[tsig]`, and `transfer` and `notify` of zones: who else may have them.

use std::{collections::HashMap, net::SocketAddr};

use data_encoding::BASE64;

use super::{Build, unknown, word_of};
use crate::{
    config::{
        document::{Entry, Node, Table},
        forms::parse_check_at,
        report::{Place, Raw},
        secret,
    },
    model::{CheckAt, DnsName, Replication, Secondaries, TsigAlgorithm, TsigKey},
};

/// Most secondaries of one zone that are told of changes.
pub(crate) const NOTIFY_MAX: usize = 64;
/// Where a name server listens that does not say.
const DNS_PORT: u16 = 53;

impl Build<'_, '_> {
    pub(super) fn replication(&mut self) -> Replication {
        let keys = self.tsig();
        let zones = self.root.section("zone").entries.iter();
        let zones = zones.filter_map(|entry| self.secondaries(entry, &keys)).collect();
        Replication { keys, zones }
    }

    fn tsig(&mut self) -> Vec<TsigKey> {
        let mut places: HashMap<DnsName, Place> = HashMap::new();
        let mut keys = Vec::new();
        for entry in &self.root.section("tsig").entries {
            let Ok(name) = entry.key.parse::<DnsName>() else { continue };
            if let Some(first) = places.insert(name.clone(), entry.place) {
                let raw = Raw::error("E011", format!("the key {name} stands in two places"))
                    .at(entry.place, "again here")
                    .at(first, "first here");
                self.report().add(raw);
            }
            let Some(table) = entry.node.table() else { continue };
            let algorithm = table.text("algorithm").and_then(|word| word_of(TsigAlgorithm::WORDS, word));
            let algorithm = algorithm.unwrap_or(TsigAlgorithm::Sha256);
            let Some(node) = table.get("secret") else { continue };
            let Some(secret) = secret::read(node, self.reader) else { continue };
            if BASE64.decode(secret.reveal().as_bytes()).is_err() {
                let label = "as `tsig-keygen` and `keymgr -t` print it, the secret alone";
                self.report().add(Raw::error("E014", "the secret of a key is written in base64").at(node.place, label));
            }
            keys.push(TsigKey { name, algorithm, secret });
        }
        keys
    }

    fn secondaries(&mut self, entry: &Entry, keys: &[TsigKey]) -> Option<Secondaries> {
        let table = entry.node.table()?;
        let (transfer, notify) = (table.entry("transfer"), table.entry("notify"));
        let Some(transfer) = transfer else {
            if let Some(notify) = notify.filter(|notify| !notify.node.items().is_empty()) {
                let raw = Raw::error("E029", "who is told of a change may not fetch it: the zone has no `transfer`")
                    .at(notify.place, "write transfer = { tsig = \"...\" } beside it");
                self.report().add(raw);
            }
            return None;
        };
        let rights = transfer.node.table()?;
        let allow = rights.get("allow").map_or(&[][..], Node::items);
        if allow.is_empty() && rights.get("tsig").is_none() {
            let raw = Raw::error("E006", "`transfer` has neither `allow` nor `tsig`")
                .at(transfer.place, "anybody could take the zone: write tsig = \"...\", or allow = [...], or both");
            self.report().add(raw);
        }
        let key = rights.get("tsig").and_then(|node| self.key(node, keys));
        let apex = entry.key.parse().ok()?;
        let notify = notify.map_or_else(Vec::new, |entry| self.told(&entry.node));
        Some(Secondaries {
            apex,
            allow: allow.iter().filter_map(|item| item.text()?.parse().ok()).collect(),
            key,
            notify,
            has_serial: table.get("file").is_some(),
        })
    }

    fn key(&mut self, node: &Node, keys: &[TsigKey]) -> Option<TsigKey> {
        let name: DnsName = node.text()?.parse().ok()?;
        let found = keys.iter().find(|key| key.name == name).cloned();
        let written: &Table = self.root.section("tsig");
        let known = written.entries.iter().map(|entry| entry.key.as_str());
        // A key whose secret cannot be read was complained about there.
        let is_written = known.clone().any(|key| key.parse::<DnsName>().is_ok_and(|key| key == name));
        if !is_written {
            unknown("tsig", node.text()?, known, node.place, &mut self.reader.report);
        }
        found
    }

    fn told(&mut self, node: &Node) -> Vec<SocketAddr> {
        let items = node.items();
        if NOTIFY_MAX < items.len() {
            let message = format!("{} secondaries to tell are too many: at most {NOTIFY_MAX}", items.len());
            self.report().add(Raw::error("E027", message).at(node.place, ""));
        }
        let mut all: Vec<SocketAddr> = Vec::new();
        for item in items {
            let to = match item.text().and_then(parse_check_at) {
                Some(CheckAt::Address(address)) => SocketAddr::new(address, DNS_PORT),
                Some(CheckAt::Socket(socket)) => socket,
                None => continue,
            };
            if all.contains(&to) {
                self.report().add(Raw::error("E011", format!("{to} would be told twice")).at(item.place, "again here"));
            }
            all.push(to);
        }
        all
    }
}
