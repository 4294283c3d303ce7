//! A datagram socket of Linux that tells which address was asked, and lets single replies leave from there.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsRawFd, RawFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{ControlMessage, MsgFlags, SockaddrIn, SockaddrIn6, getsockopt, sendmsg, setsockopt, sockopt},
};

use super::{To, WAIT_MAX};

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

/// `SO_MEMINFO`: what a socket holds and has dropped.
#[derive(Debug, Clone, Copy)]
struct MemoryInfo;
nix::getsockopt_impl!(
    MemoryInfo,
    libc::SOL_SOCKET,
    libc::SO_MEMINFO,
    [u32; MEMORY_INFO_SIZE],
    sockopt::GetStruct<[u32; MEMORY_INFO_SIZE]>
);
/// Numbers of `SO_MEMINFO`, up to the last one that is looked at.
const MEMORY_INFO_SIZE: usize = libc::SK_MEMINFO_DROPS as usize + 1;

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

    /// How many datagrams the system has dropped before they could be received, most of them because the queue was full.
    /// Asking is one call now and then; a control message with each datagram would tell the same.
    pub(super) fn overflows(&self) -> Option<u32> {
        getsockopt(&self.0, MemoryInfo).ok().map(|info| info[libc::SK_MEMINFO_DROPS as usize])
    }

    /// Sends one reply that fits into no slot, without waiting: a full socket loses it and delays no other.
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

impl AsRawFd for Port {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
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
    fn what_the_queue_does_not_hold_is_known() {
        const SENT: usize = 500;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        setsockopt(&socket, sockopt::RcvBuf, &4096).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        let port = Port::new(socket).unwrap();
        assert_eq!(port.overflows(), Some(0));
        (0..SENT).for_each(|_| assert!(client.send(&[0; 100]).is_ok()));
        port.0.set_nonblocking(true).unwrap();
        let received = std::iter::from_fn(|| port.0.recv(&mut [0; 100]).ok()).count();
        assert!(received < SENT);
        assert_eq!(usize::try_from(port.overflows().unwrap()).unwrap(), SENT - received);
    }
}
