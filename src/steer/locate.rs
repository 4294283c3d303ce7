//! Where clients are: databases and own networks in memory, and one client of one query.
//!
//! Why a client looks itself up only when asked: the scope of an answer (RFC 7871) is exact by construction, because
//! only what was asked is counted. For the same reason each lookup says how many bits of the address it looked at,
//! which is more than the length of the row that matched where other rows lie inside it.

mod client;
mod database;
mod jump;
mod nets;

use std::{net::IpAddr, sync::Arc};

pub use self::{
    client::Client,
    nets::{NETS_MAX, NETS_SIZE_MAX, Nets, NetsError, WrongRow},
};
use self::{
    database::{Asn, City, Database},
    nets::bits_of,
};
use crate::model::{Locality, Region};

/// Most octets of a database in memory; a larger one is refused. The largest sold are under half of it.
pub const DATABASE_SIZE_MAX: usize = 1 << 30;

/// What clients are located with: databases in memory and an operator's own networks, immutable, replaced whole. Clones
/// share what they hold, so that one part is replaced without reading the others again.
#[derive(Debug, Default, Clone)]
pub struct Locator {
    city: Option<Arc<Database<City>>>,
    asn: Option<Arc<Database<Asn>>>,
    nets: Arc<Nets>,
}

/// A database that is not used, and why.
#[derive(Debug, thiserror::Error)]
pub enum LocatorError {
    /// It cannot be read at all.
    #[error("the {wanted} database is not in MaxMind's format (mmdb), or is cut off")]
    Format {
        /// What was asked for: `City` or `ASN`.
        wanted: &'static str,
        /// What the reader says.
        source: Box<maxminddb::MaxMindDbError>,
    },
    /// It can be read, and holds something else.
    #[error("the {wanted} database is of the type `{found}`; {hint}")]
    Kind {
        /// What was asked for.
        wanted: &'static str,
        /// The type it says it is.
        found: String,
        /// Which types are taken.
        hint: &'static str,
    },
    /// More than [`DATABASE_SIZE_MAX`].
    #[error("the {wanted} database has {size} octets; at most {DATABASE_SIZE_MAX} are read")]
    Size {
        /// What was asked for.
        wanted: &'static str,
        /// How many it has.
        size: usize,
    },
}

impl Locator {
    /// One that knows nothing.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// The same with the octets of a City (or Country, or Enterprise) database; `None` takes it away.
    ///
    /// # Errors
    ///
    /// Not in MaxMind's format, cut off, too large, or of another kind. Its records are not walked: one that is broken
    /// inside locates nobody.
    pub fn with_city(self, octets: Option<Vec<u8>>) -> Result<Self, LocatorError> {
        Ok(Self { city: octets.map(Database::new).transpose()?.map(Arc::new), ..self })
    }

    /// The same with the octets of an ASN (or ISP) database; `None` takes it away.
    ///
    /// # Errors
    ///
    /// As [`Locator::with_city`].
    pub fn with_asn(self, octets: Option<Vec<u8>>) -> Result<Self, LocatorError> {
        Ok(Self { asn: octets.map(Database::new).transpose()?.map(Arc::new), ..self })
    }

    /// The same with other networks of our own, which win over the City database.
    #[must_use]
    pub fn with_nets(self, nets: Nets) -> Self {
        Self { nets: Arc::new(nets), ..self }
    }

    /// Reads rows `subnet,place`; see [`Nets::from_csv`].
    ///
    /// # Errors
    ///
    /// Every row that is wrong, with its line.
    pub fn nets_from_csv(text: &str, regions: &[Region]) -> Result<Nets, NetsError> {
        Nets::from_csv(text, regions)
    }

    /// Whether it knows nothing at all.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.city.is_none() && self.asn.is_none() && self.nets.is_empty()
    }

    /// Where an address is, without its AS, and how many of its bits that depended on.
    #[inline(always)]
    fn place(&self, address: IpAddr) -> (Locality, u8) {
        match self.nets.find(address) {
            (Some(row), looked_at) => (*row, looked_at),
            (None, looked_at) => {
                let (found, more) = located(self.city.as_deref(), address);
                (found.unwrap_or_default(), looked_at.max(more))
            }
        }
    }

    /// The autonomous system that announces an address, and how many bits that depended on.
    fn asn(&self, address: IpAddr) -> (Option<u32>, u8) {
        located(self.asn.as_deref(), address)
    }
}

/// What a database says of an address. Special-purpose addresses are nowhere on the globe (RFC 6890), whatever a
/// database says; where they end was looked at too, or an answer for one of them would be remembered for everybody.
fn located<D: database::Kind>(database: Option<&Database<D>>, address: IpAddr) -> (Option<D::Found>, u8) {
    let Some(database) = database else { return (None, 0) };
    let (special, looked_at) = special_purpose(address);
    if special {
        return (None, looked_at);
    }
    let (found, more) = database.find(address);
    (found, looked_at.max(more))
}

/// Blocks of IPv4 that are never announced (RFC 6890, and multicast). Those for documentation are left out on purpose:
/// tests and examples are located as if they were real.
const SPECIAL_V4: &[(u32, u8)] = &[
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc000_0000, 24),
    (0xc0a8_0000, 16),
    (0xc612_0000, 15),
    (0xe000_0000, 3),
];

/// Whether an address is special, and how many of its bits say so.
fn special_purpose(address: IpAddr) -> (bool, u8) {
    match address {
        IpAddr::V4(v4) => {
            let mut looked_at = 0;
            for (block, length) in SPECIAL_V4 {
                let common = (v4.to_bits() ^ block).leading_zeros();
                if u32::from(*length) <= common {
                    return (true, *length);
                }
                looked_at = looked_at.max(bits_of(common) + 1);
            }
            (false, looked_at)
        }
        // Global unicast is 2000::/3 alone (RFC 4291, IANA's registry). Outside it, the first bit that differs tells.
        IpAddr::V6(v6) => {
            let common = (v6.to_bits() ^ (0x2000 << 112)).leading_zeros();
            (common < 3, bits_of(common.min(2)) + 1)
        }
    }
}

#[cfg(test)]
mod tests;
