//! Who else may have our zones: keys, networks, and who is told of changes.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{DnsName, Secret, service::words};

/// A key for transaction signatures (RFC 8945).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsigKey {
    /// Both sides call it so.
    pub name: DnsName,
    /// With what messages are signed.
    pub algorithm: TsigAlgorithm,
    /// Base64, as every name server's configuration has it.
    pub secret: Secret,
}

/// Algorithms of signatures (RFC 8945 section 6): those that are recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TsigAlgorithm {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-384.
    Sha384,
    /// HMAC-SHA-512.
    Sha512,
}

words!(TsigAlgorithm { Sha256 = "hmac-sha256", Sha384 = "hmac-sha384", Sha512 = "hmac-sha512" });

/// Which secondaries a zone has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secondaries {
    /// The zone.
    pub apex: DnsName,
    /// From where it may be transferred; from anywhere if there is none.
    pub allow: Vec<IpNet>,
    /// With which key it must be asked for; without one if there is none. One of both is set.
    pub key: Option<TsigKey>,
    /// Who is told of changes (RFC 1996).
    pub notify: Vec<SocketAddr>,
    /// The zone's file has a serial of its own, which ours starts from.
    pub has_serial: bool,
}

impl Secondaries {
    /// Whether someone may have the zone: both conditions hold, as far as they are set.
    #[must_use]
    pub fn allows(&self, from: IpAddr, key: Option<&DnsName>) -> bool {
        let from = from.to_canonical();
        let is_near = self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&from));
        let is_known = self.key.as_ref().is_none_or(|needed| key == Some(&needed.name));
        let is_open = self.allow.is_empty() && self.key.is_none();
        is_near && is_known && !is_open
    }
}

/// All keys, and the zones that have secondaries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replication {
    /// Whoever signs with one of these is answered signed.
    pub keys: Vec<TsigKey>,
    /// No apex twice.
    pub zones: Vec<Secondaries>,
}

impl Replication {
    /// The secondaries of a zone, if it has any.
    #[must_use]
    pub fn of(&self, apex: &DnsName) -> Option<&Secondaries> {
        self.zones.iter().find(|zone| zone.apex == *apex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_must_hold() {
        let key = TsigKey {
            name: "xfr".parse().unwrap(),
            algorithm: TsigAlgorithm::Sha256,
            secret: Secret::new("QUJD".into()),
        };
        let zone = |allow: &[&str], key: Option<&TsigKey>| Secondaries {
            apex: "example".parse().unwrap(),
            allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
            key: key.cloned(),
            notify: Vec::new(),
            has_serial: false,
        };
        let (other, near) = ("other".parse().unwrap(), ["192.0.2.0/24"]);
        let allows = |zone: &Secondaries, from: &str, key| zone.allows(from.parse().unwrap(), key);
        let both = zone(&near, Some(&key));
        assert!(allows(&both, "192.0.2.9", Some(&key.name)) && allows(&both, "::ffff:192.0.2.9", Some(&key.name)));
        assert!(!allows(&both, "192.0.2.9", None) && !allows(&both, "192.0.2.9", Some(&other)));
        assert!(!allows(&both, "198.51.100.1", Some(&key.name)));
        assert!(allows(&zone(&near, None), "192.0.2.9", None) && !allows(&zone(&near, None), "::1", None));
        assert!(allows(&zone(&[], Some(&key)), "::1", Some(&key.name)));
        assert!(!allows(&zone(&[], None), "::1", Some(&key.name)), "nothing is set, so nobody may");
    }
}
