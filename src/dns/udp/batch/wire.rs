//! Socket addresses and control messages as the kernel writes and reads them: its ABI, octet by octet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use nix::libc;

use crate::dns::udp::To;

/// Of a `sockaddr_in6`, the longest there is on these sockets; a `sockaddr_in` is shorter.
const ADDRESS_SIZE: usize = size_of::<libc::sockaddr_in6>();
/// Before the data of a control message: its length, level and type (`cmsghdr`).
const HEAD_SIZE: usize = size_of::<usize>() + 2 * size_of::<libc::c_int>();
/// A control message begins at a multiple of this.
const ALIGN: usize = align_of::<usize>();
/// Room for packet information of one family, and for some more that nobody asked for.
const CONTROL_SIZE: usize = 64;

const _: () = assert!(HEAD_SIZE.is_multiple_of(ALIGN) && HEAD_SIZE + size_of::<libc::in6_pktinfo>() <= CONTROL_SIZE);

/// A `sockaddr` of either family.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Address([u8; ADDRESS_SIZE]);

impl Address {
    /// What the kernel wrote, of which `length` octets are meant.
    pub(super) fn read(&self, length: usize) -> Option<SocketAddr> {
        let octets = self.0.get(..length)?;
        let port = u16::from_be_bytes(part(octets, 2)?);
        match libc::c_int::from(u16::from_ne_bytes(part(octets, 0)?)) {
            libc::AF_INET => Some((Ipv4Addr::from(part::<4>(octets, 4)?), port).into()),
            libc::AF_INET6 => {
                let flow = u32::from_be_bytes(part(octets, 4)?);
                let scope = u32::from_ne_bytes(part(octets, 24)?);
                Some(SocketAddrV6::new(Ipv6Addr::from(part::<16>(octets, 8)?), port, flow, scope).into())
            }
            _ => None,
        }
    }
}

/// Control messages of one datagram.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; CONTROL_SIZE]);

impl Control {
    /// The address a datagram was sent to, if it is among `length` octets of messages.
    pub(super) fn read(&self, length: usize) -> Option<To> {
        let mut rest = self.0.get(..length)?;
        loop {
            let size = usize::from_ne_bytes(part(rest, 0)?);
            let level = libc::c_int::from_ne_bytes(part(rest, size_of::<usize>())?);
            let kind = libc::c_int::from_ne_bytes(part(rest, size_of::<usize>() + size_of::<libc::c_int>())?);
            let data = rest.get(HEAD_SIZE..size)?;
            match (level, kind) {
                // Interface, our address, and the address of the header. The header's is what counts: a broadcast is
                // dropped by it. It is ours otherwise.
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    return Some(To { ip: Ipv4Addr::from(part::<4>(data, 8)?).into(), interface: 0 });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let interface = u32::from_ne_bytes(part(data, 16)?);
                    return Some(To { ip: Ipv6Addr::from(part::<16>(data, 0)?).into(), interface });
                }
                _ => rest = rest.get(size.next_multiple_of(ALIGN)..)?,
            }
        }
    }

    /// Writes the message that lets a reply leave from this address; the length of it, which is 0 without one.
    pub(super) fn write(&mut self, from: Option<To>) -> usize {
        let Some(To { ip, interface }) = from else { return 0 };
        match ip {
            IpAddr::V4(ip) => {
                let mut data = [0; size_of::<libc::in_pktinfo>()];
                data[4..8].copy_from_slice(&ip.octets());
                self.put(libc::IPPROTO_IP, libc::IP_PKTINFO, data)
            }
            IpAddr::V6(ip) => {
                let mut data = [0; size_of::<libc::in6_pktinfo>()];
                data[..16].copy_from_slice(&ip.octets());
                // Routing chooses the way back, except where the address means something on one link alone.
                let interface = if ip.is_unicast_link_local() { interface } else { 0 };
                data[16..].copy_from_slice(&interface.to_ne_bytes());
                self.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, data)
            }
        }
    }

    /// For each size apart: all but the address is known when it is compiled, and so a few stores write it.
    #[inline(always)]
    fn put<const SIZE: usize>(&mut self, level: libc::c_int, kind: libc::c_int, data: [u8; SIZE]) -> usize {
        let length = HEAD_SIZE + SIZE;
        let (head, rest) = self.0.split_at_mut(HEAD_SIZE);
        let (size, words) = head.split_at_mut(size_of::<usize>());
        size.copy_from_slice(&length.to_ne_bytes());
        words[..4].copy_from_slice(&level.to_ne_bytes());
        words[4..].copy_from_slice(&kind.to_ne_bytes());
        rest[..SIZE].copy_from_slice(&data);
        length.next_multiple_of(ALIGN)
    }
}

fn part<const SIZE: usize>(octets: &[u8], at: usize) -> Option<[u8; SIZE]> {
    octets.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: libc::c_int, kind: libc::c_int, data: &[u8]) -> Vec<u8> {
        let mut octets = (HEAD_SIZE + data.len()).to_ne_bytes().to_vec();
        octets.extend(level.to_ne_bytes());
        octets.extend(kind.to_ne_bytes());
        octets.extend(data);
        octets.resize(octets.len().next_multiple_of(ALIGN), 0);
        octets
    }

    fn read(messages: &[u8]) -> Option<To> {
        let mut control = Control([0; CONTROL_SIZE]);
        control.0[..messages.len()].copy_from_slice(messages);
        control.read(messages.len())
    }

    #[test]
    fn replies_leave_by_the_way_routing_knows_except_on_a_link_of_their_own() {
        for (ip, interface, expected) in [
            ("192.0.2.1", 3, message(libc::IPPROTO_IP, libc::IP_PKTINFO, &[0, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0])),
            ("fe80::1", 3, v6("fe80::1", 3)),
            ("2001:db8::1", 3, v6("2001:db8::1", 0)),
            ("::1", 1, v6("::1", 0)),
        ] {
            let mut control = Control([0xff; CONTROL_SIZE]);
            let length = control.write(Some(To { ip: ip.parse().unwrap(), interface }));
            let (written, rest) = control.0.split_at(expected.len());
            assert_eq!(length, expected.len(), "{ip}");
            // What fills a message up to the next one's place means nothing.
            let meant = usize::from_ne_bytes(part(&expected, 0).unwrap());
            assert_eq!(written[..meant], expected[..meant], "{ip}");
            assert!(rest[ALIGN..].iter().all(|octet| *octet == 0xff), "{ip}");
        }
        assert_eq!(Control([0; CONTROL_SIZE]).write(None), 0);
    }

    fn v6(ip: &str, interface: u32) -> Vec<u8> {
        let mut data = ip.parse::<Ipv6Addr>().unwrap().octets().to_vec();
        data.extend(interface.to_ne_bytes());
        message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &data)
    }

    #[test]
    fn messages_are_read_as_far_as_they_are_whole() {
        let to = |ip: &str, interface| Some(To { ip: ip.parse().unwrap(), interface });
        let v4 = message(libc::IPPROTO_IP, libc::IP_PKTINFO, &[9, 9, 9, 9, 127, 0, 0, 1, 192, 0, 2, 1]);
        let other = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &[1, 0, 0, 0]);
        assert_eq!(read(&v4), to("192.0.2.1", 0));
        assert_eq!(read(&v6("fe80::1", 7)), to("fe80::1", 7));
        assert_eq!(read(&[&other[..], &v4].concat()), to("192.0.2.1", 0), "after what nobody asked for");
        for cut in 0..HEAD_SIZE + 12 {
            assert_eq!(read(&v4[..cut]), None, "{cut}");
        }
        for length in [0, 1, HEAD_SIZE - 1, HEAD_SIZE + 11, usize::MAX] {
            let mut lying = v4.clone();
            lying[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(read(&lying), None, "{length}");
        }
        assert_eq!(Control([0; CONTROL_SIZE]).read(CONTROL_SIZE + 1), None);
    }

    #[test]
    fn addresses_are_read_in_both_families() {
        let read = |family: libc::c_int, rest: &[u8], length| {
            let mut octets = u16::try_from(family).unwrap().to_ne_bytes().to_vec();
            octets.extend(rest);
            octets.resize(ADDRESS_SIZE, 0);
            Address(octets.try_into().unwrap()).read(length)
        };
        let v4 = [0, 53, 192, 0, 2, 1];
        assert_eq!(read(libc::AF_INET, &v4, 16), "192.0.2.1:53".parse().ok());
        assert_eq!(read(libc::AF_INET, &v4, 7), None);
        let ip = "fe80::1".parse::<Ipv6Addr>().unwrap();
        let v6 = [&[1, 0, 0, 0, 0, 5][..], &ip.octets(), &7_u32.to_ne_bytes()].concat();
        assert_eq!(read(libc::AF_INET6, &v6, 28), Some(SocketAddrV6::new(ip, 256, 5, 7).into()));
        assert_eq!(read(libc::AF_INET6, &v6, 27), None);
        assert_eq!(read(libc::AF_UNIX, &v4, 16), None);
        assert_eq!(read(libc::AF_INET, &v4, ADDRESS_SIZE + 1), None);
    }
}
