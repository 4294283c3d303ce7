//! A datagram socket of Linux whose replies leave from the address that was asked.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg, sendmsg,
        setsockopt, sockopt,
    },
};

use super::{Arrival, To, WAIT_MAX};

/// The least MTU of IPv6 (RFC 8200 section 5): larger replies are cut here and not lost on the way.
const IPV6_MTU_MIN: libc::c_int = 1280;

/// `IP_MTU_DISCOVER`.
#[derive(Debug, Clone, Copy)]
struct Ipv4MtuDiscover;
nix::setsockopt_impl!(
    Ipv4MtuDiscover,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    libc::c_int,
    sockopt::SetStruct<'_, libc::c_int>
);

/// `IPV6_MTU_DISCOVER`.
#[derive(Debug, Clone, Copy)]
struct Ipv6MtuDiscover;
nix::setsockopt_impl!(
    Ipv6MtuDiscover,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU_DISCOVER,
    libc::c_int,
    sockopt::SetStruct<'_, libc::c_int>
);

/// `IPV6_MTU`.
#[derive(Debug, Clone, Copy)]
struct Ipv6Mtu;
nix::setsockopt_impl!(Ipv6Mtu, libc::IPPROTO_IPV6, libc::IPV6_MTU, libc::c_int, sockopt::SetStruct<'_, libc::c_int>);

/// One socket of one thread.
#[derive(Debug)]
pub(in crate::dns) struct Port(UdpSocket);

impl Port {
    /// Takes a bound socket.
    pub(in crate::dns) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_read_timeout(Some(WAIT_MAX))?;
        if socket.local_addr()?.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            // No path MTU from strangers: a forged ICMP message could make replies fragment (RFC 9715). Old kernels lack it.
            let _ = setsockopt(&socket, Ipv4MtuDiscover, &libc::IP_PMTUDISC_OMIT);
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            let _ = setsockopt(&socket, Ipv6MtuDiscover, &libc::IPV6_PMTUDISC_OMIT);
            let _ = setsockopt(&socket, Ipv6Mtu, &IPV6_MTU_MIN);
        }
        Ok(Self(socket))
    }

    /// The next datagram. Without `wait`, or when none comes within [`WAIT_MAX`]: `WouldBlock`.
    pub(super) fn receive(&self, buffer: &mut [u8], wait: bool) -> io::Result<Arrival> {
        let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
        let mut slices = [IoSliceMut::new(buffer)];
        let flags = if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
        let message = recvmsg::<SockaddrStorage>(self.0.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let from = message.address.as_ref().and_then(socket_addr).ok_or(Errno::EAFNOSUPPORT)?;
        let to = message.cmsgs().ok().and_then(|mut messages| messages.find_map(to));
        Ok(Arrival { length: message.bytes, from, to, cut: message.flags.contains(MsgFlags::MSG_TRUNC) })
    }

    /// Sends without waiting: a full socket loses this reply and delays no other.
    pub(super) fn send(&self, reply: &[u8], client: SocketAddr, from: Option<To>) -> io::Result<()> {
        loop {
            match self.try_send(reply, client, from) {
                Err(Errno::EINTR) => {}
                sent => return sent.map_err(io::Error::from),
            }
        }
    }

    fn try_send(&self, reply: &[u8], client: SocketAddr, from: Option<To>) -> Result<(), Errno> {
        let (fd, slices, flags) = (self.0.as_raw_fd(), [IoSlice::new(reply)], MsgFlags::MSG_DONTWAIT);
        match (client, from) {
            (SocketAddr::V4(client), Some(To { ip: IpAddr::V4(ip), .. })) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(fd, &slices, &control, flags, Some(&SockaddrIn::from(client)))
            }
            (SocketAddr::V6(client), Some(To { ip: IpAddr::V6(ip), interface })) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: ip.octets() },
                    // Routing chooses the way back, except where the address means something on one link alone.
                    ipi6_ifindex: if ip.is_unicast_link_local() { interface } else { 0 },
                };
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(fd, &slices, &control, flags, Some(&SockaddrIn6::from(client)))
            }
            (SocketAddr::V4(client), _) => sendmsg(fd, &slices, &[], flags, Some(&SockaddrIn::from(client))),
            (SocketAddr::V6(client), _) => sendmsg(fd, &slices, &[], flags, Some(&SockaddrIn6::from(client))),
        }
        .map(drop)
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is the kernel's and grows")]
fn to(message: ControlMessageOwned) -> Option<To> {
    match message {
        // `ipi_addr` is what the header says; a broadcast is dropped by it. It is ours otherwise.
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(To { ip: Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into(), interface: 0 })
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(To { ip: Ipv6Addr::from(info.ipi6_addr.s6_addr).into(), interface: info.ipi6_ifindex })
        }
        _ => None,
    }
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4(SocketAddrV4::from(*address)));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6(SocketAddrV6::from(*address))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_takes_every_option() {
        let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
        setsockopt(&v4, Ipv4MtuDiscover, &libc::IP_PMTUDISC_OMIT).unwrap();
        let Ok(v6) = UdpSocket::bind("[::1]:0") else { return };
        setsockopt(&v6, Ipv6MtuDiscover, &libc::IPV6_PMTUDISC_OMIT).unwrap();
        setsockopt(&v6, Ipv6Mtu, &IPV6_MTU_MIN).unwrap();
    }

    #[test]
    fn a_datagram_tells_where_it_went() {
        for (ip, any) in [("127.0.0.3", "0.0.0.0:0"), ("::1", "[::]:0")] {
            let Ok(socket) = UdpSocket::bind(any) else { continue };
            let port = Port::new(socket).unwrap();
            let client = UdpSocket::bind(any).unwrap();
            client.connect((ip, port.0.local_addr().unwrap().port())).unwrap();
            client.send(b"a query that is too long").unwrap();
            let mut buffer = [0; 7];
            let arrival = port.receive(&mut buffer, true).unwrap();
            assert_eq!((&buffer, arrival.cut), (b"a query", true));
            assert_eq!(arrival.to.unwrap().ip, ip.parse::<IpAddr>().unwrap());
            port.send(b"reply", arrival.from, arrival.to).unwrap();
            assert_eq!(client.recv(&mut [0; 16]).unwrap(), 5);
            assert_eq!(port.receive(&mut buffer, false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
