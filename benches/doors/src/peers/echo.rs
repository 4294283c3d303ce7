//! The floor: what the kernel takes for receiving and sending in batches, with nothing in between.
//!
//! It sets QR and sends the query back. The reply is shorter than an answer; what 60 octets more cost is below what can
//! be measured.

use std::{
    io::{IoSlice, IoSliceMut},
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd as _,
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt},
};

use super::{Peer, words};

pub(super) const PEER: Peer = Peer {
    name: "echo",
    program: "",
    packages: "",
    version: &[],
    prepare: |place| Ok(words(&["echo", &place.port.to_string()])),
    zone: "",
    reload: |_| Vec::new(),
    steers: None,
    near: true,
    answers: false,
};

/// Datagrams of one call.
const BATCH: usize = 32;
/// Octets between slots: 33 cache lines, so that slots do not share the same places of the cache.
const SLOT: usize = 2_112;

/// Serves until it is stopped.
pub fn serve(address: Ipv4Addr, port: u16) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((address, port))?;
    let _ = setsockopt(&socket, sockopt::RcvBufForce, &(4 << 20));
    let mut receive = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut send = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut room = vec![0; SLOT * BATCH];
    loop {
        let mut lengths = [0; BATCH];
        let mut from = [None; BATCH];
        let mut count = 0;
        {
            let mut parts = room.chunks_exact_mut(SLOT);
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(parts.next().expect("there is room for a batch"))]);
            let flags = MsgFlags::MSG_WAITFORONE;
            match recvmmsg(socket.as_raw_fd(), &mut receive, slices.iter_mut(), flags, None) {
                Ok(messages) => {
                    for message in messages {
                        lengths[count] = message.bytes;
                        from[count] = message.address;
                        count += 1;
                    }
                }
                Err(Errno::EINTR | Errno::ECONNREFUSED) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        for (slot, length) in room.chunks_exact_mut(SLOT).zip(&lengths[..count]) {
            if *length > 2 {
                slot[2] |= 0x80;
            }
        }
        let mut parts = room.chunks_exact(SLOT).zip(lengths);
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let (part, length) = parts.next().expect("there is room for a batch");
            [IoSlice::new(&part[..length])]
        });
        // What does not go is lost, as a datagram may be.
        let _ = sendmmsg(socket.as_raw_fd(), &mut send, &slices[..count], &from[..count], [], MsgFlags::empty());
    }
}
