//! Data of an HTTPS record (RFC 9460): what A and AAAA records would be, with the protocols in front.

use std::net::IpAddr;

use crate::model::Https;

/// ServiceMode, at the name itself: priority 1, TargetName the root (section 2.5.2).
const HEAD: [u8; 3] = [0, 1, 0];

/// SvcParamKeys (section 14.3.2), which stand in this order.
mod key {
    pub(super) const ALPN: u16 = 1;
    pub(super) const IPV4HINT: u16 = 4;
    pub(super) const IPV6HINT: u16 = 6;
}

/// Of a name with these addresses, IPv4 first.
#[must_use]
pub fn https_data(https: &Https, [v4, v6]: &[Vec<IpAddr>; 2]) -> Vec<u8> {
    let mut rdata = HEAD.to_vec();
    let alpn: Vec<u8> = (https.alpn.iter())
        .filter_map(|id| Some([&[u8::try_from(id.len()).ok()?], id.as_bytes()].concat()))
        .flatten()
        .collect();
    put(&mut rdata, key::ALPN, &alpn);
    put(&mut rdata, key::IPV4HINT, &octets(v4));
    put(&mut rdata, key::IPV6HINT, &octets(v6));
    rdata
}

fn octets(addresses: &[IpAddr]) -> Vec<u8> {
    let octets = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    addresses.iter().flat_map(octets).collect()
}

/// A parameter without a value is left out: none of these may be empty (section 7).
fn put(rdata: &mut Vec<u8>, key: u16, value: &[u8]) {
    let Ok(length @ 1..) = u16::try_from(value.len()) else { return };
    rdata.extend_from_slice(&key.to_be_bytes());
    rdata.extend_from_slice(&length.to_be_bytes());
    rdata.extend_from_slice(value);
}
