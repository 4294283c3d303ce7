//! Cases: what a configuration's own tests (`[[test]]`) ask and expect.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{DnsName, GeoCode, RegionId, Selector};

/// Most cases of a configuration.
pub const CASES_MAX: usize = 10_000;

/// One `[[test]]`: a situation, a question, and what must come out.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Measured down in this situation.
    pub down: Vec<Selector>,
    /// Drained in this situation.
    pub drain: Vec<Selector>,
    /// Who asks for what.
    pub question: CaseQuestion,
    /// What may be answered: each as an endpoint or pool id, an address, or `NODATA`, `SERVFAIL`, `NXDOMAIN`. An
    /// endpoint of the answer set that is not named fails the case, and so does one named that may not be answered.
    pub expect: Vec<String>,
    /// Where it stands: `wayshift.toml:41`.
    pub place: String,
}

/// `www.example.com A from EU-DE`.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseQuestion {
    /// The name.
    pub name: DnsName,
    /// The type's number.
    pub kind: u16,
    /// Who asks; without it, a client of whom nothing is known.
    pub from: Option<Whence>,
}

/// Who asks, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whence {
    /// A client at a place: `EU-DE`. Its point is the middle of the country.
    Geo(GeoCode),
    /// A client next to one of our regions: `region:eu-west`.
    Region(RegionId),
    /// A client in a network: `198.51.100.0/24`.
    Net(IpNet),
    /// A client at an address.
    Address(IpAddr),
    /// A client of an autonomous system: `AS64500`.
    Asn(u32),
}

/// A text that names no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a client is a geo code, a region, a network, an address or an AS: EU-DE, region:eu-west, 198.51.100.0/24, AS64500; not `{0}`"
)]
pub struct WhenceError(pub String);

impl std::str::FromStr for Whence {
    type Err = WhenceError;
    fn from_str(text: &str) -> Result<Self, WhenceError> {
        let wrong = || WhenceError(text.chars().take(64).collect());
        if let Some(id) = text.strip_prefix("region:") {
            return id.parse().map(Self::Region).map_err(|_| wrong());
        }
        // `AS` is Asia, and `AS64500` a network.
        if let Some(number) = text.strip_prefix("AS").and_then(|rest| rest.parse().ok()) {
            return Ok(Self::Asn(number));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        text.parse().map(Self::Geo).map_err(|_| wrong())
    }
}

impl std::fmt::Display for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Geo(code) => write!(f, "{code}"),
            Self::Region(id) => write!(f, "region:{id}"),
            Self::Net(net) => write!(f, "{net}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Asn(number) => write!(f, "AS{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_read_as_they_are_written() {
        for text in ["EU-DE", "AS", "AS64500", "region:eu-west", "198.51.100.0/24", "2001:db8::1", "AS-JP"] {
            assert_eq!(text.parse::<Whence>().unwrap().to_string(), text);
        }
        assert!("nowhere".parse::<Whence>().is_err());
    }
}
