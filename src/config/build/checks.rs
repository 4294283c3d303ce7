//! `[check]`, and checks written as a bare URL where they are used.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use sha2::{Digest as _, Sha256};

use crate::model::{
    CertLimit, Check, CheckId, CheckIx, CheckKind, Expect, HttpCheck, LatencyLimit, Secret, Thresholds, TlsCheck,
    Window,
};

use super::{Build, asked, span};
use crate::config::{
    document::{Node, Table},
    files::{From, open_regular},
    report::{Place, Raw},
    secret,
    values::{Above, Asked, Below, StatusRange},
};

/// Timeout by default, unless 80 % of the interval is less.
const TIMEOUT: Duration = Duration::from_secs(3);

impl Build<'_, '_> {
    pub(super) fn checks(&mut self) {
        for entry in &self.root.section("check").entries {
            let id = entry.key.parse().unwrap_or_else(|_| stand_in());
            let table = entry.node.table().cloned().unwrap_or_default();
            let check = self.check(id, table.text("url").unwrap_or(""), &table);
            self.parts.checks.push(check);
            self.check_places.push(entry.place);
        }
    }

    /// The check a `check = ` names: an id, or a URL that becomes a check with default timing.
    pub(super) fn check_of(&mut self, node: &Node) -> Option<CheckIx> {
        let text = node.text()?;
        if !text.contains("://") {
            return Self::refer(&self.checks, text, node.place, &mut self.reader.report);
        }
        asked(text)?;
        if let Some(known) = self.check_urls.get(text) {
            return Some(*known);
        }
        let id = self.id_of_url(text);
        let check = self.check(id, text, &Table::default());
        let ix = CheckIx::new(self.parts.checks.len());
        self.checks.by_id.insert(check.id.to_string(), ix);
        self.check_urls.insert(text.into(), ix);
        self.parts.checks.push(check);
        self.check_places.push(node.place);
        Some(ix)
    }

    /// `https://www.example.com/healthz` becomes `https-www-example-com-healthz`; a hash tells two apart that would
    /// look the same.
    fn id_of_url(&self, url: &str) -> CheckId {
        let mut slug = String::new();
        for c in url.chars() {
            match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9') => slug.push(c),
                _ if slug.ends_with('-') => {}
                _ => slug.push('-'),
            }
        }
        let slug = slug.trim_matches('-');
        if slug.len() <= crate::model::ID_LENGTH_MAX && !self.checks.by_id.contains_key(slug) {
            return slug.parse().unwrap_or_else(|_| stand_in());
        }
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(url.as_bytes())[..4]);
        let head = &slug[..slug.len().min(54)];
        format!("{head}-{hash}").parse().unwrap_or_else(|_| stand_in())
    }

    fn check(&mut self, id: CheckId, url: &str, table: &Table) -> Check {
        let defaults = &self.defaults.timing;
        let time = |key: &str, default: Duration| span(table, key).or_else(|| span(defaults, key)).unwrap_or(default);
        let count = |key: &str, default| table.number(key).or_else(|| defaults.number(key)).unwrap_or(default);
        let interval = time("interval", Duration::from_secs(10));
        let timeout = time("timeout", TIMEOUT.min(interval * 4 / 5));
        let recheck = time("recheck", Duration::from_secs(3));
        let cooldown = time("cooldown", Duration::from_secs(30));
        let (rise, fall) = (count("rise", 2), count("fall", 3));
        let window = self.window(table);
        let kind = match asked(url) {
            Some(Asked::Http { secure, host, port }) => self.http(url, secure, host, port, table),
            Some(Asked::Tcp { port }) => {
                self.only_http(table);
                CheckKind::Tcp { port }
            }
            None => CheckKind::Tcp { port: 1 },
        };
        let check = Check {
            id,
            kind,
            interval,
            timeout,
            recheck,
            thresholds: Thresholds { rise, fall, window },
            cooldown,
            inverted: table.bool("inverted").unwrap_or(false),
            revision: 0,
        };
        Check { revision: revision(&check), ..check }
    }

    fn window(&mut self, table: &Table) -> Option<Window> {
        let node = table.get("window")?;
        let window = node.table()?;
        let (failures, of) = (window.number("failures")?, window.number("of")?);
        if failures > of {
            let message = format!("{failures} failures cannot lie among {of} results");
            self.report().add(Raw::error("E029", message).at(node.place, "`failures` is at most `of`"));
        }
        Some(Window { failures, of })
    }

    fn http(&mut self, url: &str, secure: bool, host: String, port: u16, table: &Table) -> CheckKind {
        let tls = table.get("tls").map(|node| (node.place, node.table().cloned().unwrap_or_default()));
        if let (false, Some((place, _))) = (secure, &tls) {
            self.report().add(Raw::error("E029", "`tls` needs a URL with https://").at(*place, ""));
        }
        let tls = secure.then(|| self.tls(&tls.map(|(_, table)| table).unwrap_or_default()));
        let method = table.text("method").unwrap_or("GET").to_owned();
        let bearer = self.bearer(table);
        let expect = expect(table.section("expect"));
        if let (Some(node), false) = (table.section("expect").get("cert"), secure) {
            self.report().add(Raw::error("E029", "`cert` needs a URL with https://").at(node.place, ""));
        }
        if let (Some(node), "HEAD") = (table.section("expect").get("body"), method.as_str()) {
            self.report().add(Raw::error("E029", "an answer to HEAD has no body").at(node.place, "use method GET"));
        }
        let headers = texts(table.section("headers"));
        CheckKind::Http(Box::new(HttpCheck { url: url.into(), tls, host, port, method, headers, bearer, expect }))
    }

    fn tls(&mut self, table: &Table) -> TlsCheck {
        let insecure = !table.bool("verify").unwrap_or(true);
        if let (true, Some(node)) = (insecure, table.get("ca")) {
            self.report().add(Raw::error("E029", "`ca` has no use without verification").at(node.place, ""));
        }
        let ca = table.get("ca").and_then(|node| self.existing(node.place, node.text()?));
        TlsCheck { insecure, ca, sni: table.text("sni").map(|name| name.trim_end_matches('.').into()) }
    }

    /// A file that is read later, by the room that uses it; here it must at least be readable.
    pub(super) fn existing(&mut self, place: Place, written: &str) -> Option<PathBuf> {
        if matches!(self.reader.from, From::Sealed) {
            self.report().add(Raw::error("E028", "a file is not available here").at(place, ""));
            return None;
        }
        let path = self.reader.beside(place, written);
        if let Err(error) = open_regular(&path) {
            let message = format!("cannot read {}: {error}", path.display());
            self.report().add(Raw::error("E001", message).at(place, ""));
        }
        Some(path)
    }

    fn bearer(&mut self, table: &Table) -> Option<Secret> {
        let node = table.section("auth").get("bearer")?;
        secret::read(node, self.reader)
    }

    fn only_http(&mut self, table: &Table) {
        for key in ["method", "expect", "headers", "auth", "tls"] {
            if let Some(entry) = table.entry(key) {
                let place = entry.place;
                let message = format!("`{key}` has no use in a check of tcp://");
                self.report().add(Raw::error("E029", message).at(place, "leave it out, or use http:// or https://"));
            }
        }
    }
}

fn expect(table: &Table) -> Expect {
    let statuses = table.get("status").map_or(&[][..], Node::items);
    let ranges = statuses.iter().filter_map(|item| match item.whole() {
        Some(code) => u16::try_from(code).ok().map(|code| code..=code),
        None => item.text()?.parse::<StatusRange>().ok().map(|range| range.0),
    });
    let mut status: Vec<_> = ranges.collect();
    if status.is_empty() {
        status.push(200..=299);
    }
    let latency = table.get("latency").and_then(|node| match node.table() {
        Some(inner) => Some(LatencyLimit { max: span(inner, "max")?, fail: inner.bool("fail").unwrap_or(false) }),
        None => Some(LatencyLimit { max: node.text()?.parse::<Below>().ok()?.0, fail: false }),
    });
    let cert = table.get("cert").and_then(|node| match node.table() {
        Some(inner) => Some(CertLimit { min: span(inner, "min")?, fail: inner.bool("fail").unwrap_or(false) }),
        None => Some(CertLimit { min: node.text()?.parse::<Above>().ok()?.0, fail: false }),
    });
    Expect { status, body: table.text("body").map(Into::into), header: texts(table.section("header")), latency, cert }
}

fn texts(table: &Table) -> BTreeMap<String, String> {
    table.entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.node.text()?.to_owned()))).collect()
}

/// Over everything that changes what a result means; a secret counts by its value, which the digest of the fleet
/// never sees.
fn revision(check: &Check) -> u64 {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}{:?}", check.kind, check.inverted));
    if let CheckKind::Http(http) = &check.kind
        && let Some(secret) = &http.bearer
    {
        hash.update(secret.reveal());
    }
    let hash = hash.finalize();
    u64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 has more than 8 octets"))
}

fn stand_in() -> CheckId {
    "x".parse().expect("`x` is an id")
}
