//! Databases in MaxMind's format: what is read of a record, and how many bits of an address found it.

use std::{fmt, marker::PhantomData, net::IpAddr};

use maxminddb::Reader;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use super::{DATABASE_SIZE_MAX, LocatorError};
use crate::model::{Continent, GeoCode, Locality, Point};

/// What a database is about.
pub(super) trait Kind {
    /// What a record says.
    type Found;
    /// As people call it.
    const WORD: &'static str;
    /// Words of which its type holds one.
    const TYPES: &'static [&'static str];
    /// The same in a sentence.
    const HINT: &'static str;
    fn read(record: &Record<'_>) -> Option<Self::Found>;
}

/// Places.
#[derive(Debug)]
pub(super) struct City;

/// Autonomous systems.
#[derive(Debug)]
pub(super) struct Asn;

impl Kind for City {
    type Found = Locality;
    const WORD: &'static str = "City";
    const TYPES: &'static [&'static str] = &["city", "country", "enterprise", "location"];
    const HINT: &'static str = "databases of cities, countries or enterprises say where a client is";

    fn read(record: &Record<'_>) -> Option<Locality> {
        let geo = record.code();
        let at = record.location.as_ref().and_then(Location::point).or_else(|| geo.map(|code| code.middle()));
        Some(Locality { geo, at, asn: None })
    }
}

impl Kind for Asn {
    type Found = u32;
    const WORD: &'static str = "ASN";
    const TYPES: &'static [&'static str] = &["asn", "isp"];
    const HINT: &'static str = "databases of ASNs or ISPs say whose a client's network is";

    fn read(record: &Record<'_>) -> Option<u32> {
        record.autonomous_system_number
    }
}

/// One database of a kind.
#[derive(Debug)]
pub(super) struct Database<K> {
    reader: Reader<Vec<u8>>,
    kind: PhantomData<K>,
}

impl<K: Kind> Database<K> {
    pub(super) fn new(octets: Vec<u8>) -> Result<Self, LocatorError> {
        let wanted = K::WORD;
        if DATABASE_SIZE_MAX < octets.len() {
            return Err(LocatorError::Size { wanted, size: octets.len() });
        }
        let reader =
            Reader::from_source(octets).map_err(|source| LocatorError::Format { wanted, source: Box::new(source) })?;
        let found = &reader.metadata().database_type;
        let lower = found.to_lowercase();
        if !K::TYPES.iter().any(|word| lower.contains(word)) {
            let found = found.chars().take(64).collect();
            return Err(LocatorError::Kind { wanted, found, hint: K::HINT });
        }
        Ok(Self { reader, kind: PhantomData })
    }

    /// What it says of an address, and how many bits of the address that depended on. A record that cannot be read says
    /// nothing.
    pub(super) fn find(&self, address: IpAddr) -> (Option<K::Found>, u8) {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return (None, 0);
        }
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let Ok(result) = self.reader.lookup(address) else { return (None, whole) };
        let looked_at = match result.network() {
            Ok(network) if network.is_ipv4() == address.is_ipv4() => network.prefix(),
            // A tree of IPv6 that has no place for IPv4 says the same of all of it.
            Ok(_) => 0,
            Err(_) => whole,
        };
        let record: Option<Record<'_>> = result.decode().ok().flatten();
        (record.as_ref().and_then(K::read), looked_at)
    }
}

/// What is read of a record, of whichever kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record<'r> {
    #[serde(borrow)]
    continent: Code<'r>,
    country: Iso<'r>,
    subdivisions: First<'r>,
    location: Option<Location>,
    autonomous_system_number: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code<'r> {
    code: Option<&'r str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Iso<'r> {
    iso_code: Option<&'r str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Location {
    fn point(&self) -> Option<Point> {
        let (latitude, longitude) = (self.latitude?, self.longitude?);
        let fits = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        fits.then(|| Point::new(latitude, longitude))
    }
}

impl Record<'_> {
    fn code(&self) -> Option<GeoCode> {
        let continent = Continent::WORDS.iter().find(|(word, _)| Some(*word) == self.continent.code)?.1;
        let capitals = |word: &[u8; 2]| word.iter().all(u8::is_ascii_uppercase);
        let country = self.country.iso_code.and_then(|word| word.as_bytes().try_into().ok()).filter(capitals);
        let part = country.and(self.subdivisions.0.as_ref()).and_then(|part| GeoCode::part(part.iso_code?));
        Some(GeoCode { continent, country, part })
    }
}

/// The first of a list, without room for the others.
#[derive(Debug, Default)]
struct First<'r>(Option<Iso<'r>>);

impl<'de: 'r, 'r> Deserialize<'de> for First<'r> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Take<'r>(PhantomData<&'r ()>);
        impl<'de: 'r, 'r> Visitor<'de> for Take<'r> {
            type Value = First<'r>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First<'r>, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }
        from.deserialize_seq(Take(PhantomData))
    }
}
