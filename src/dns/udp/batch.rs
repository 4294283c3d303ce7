//! Many datagrams in one system call: recvmmsg and sendmmsg over memory that is laid out once. The one home of `unsafe`,
//! so the call that no crate of ours has otherwise is here as well ([`give_way`]).
//!
//! Why pointers: the kernel finds slots, addresses and control messages through headers that point at them, and headers
//! made anew for each call would cost more than answering does. So they lie in one allocation beside what they point at,
//! and everything, ours and the kernel's, is reached through the one pointer of that allocation: no reference of ours
//! lives across a system call. What the kernel writes is read as octets, by its ABI, in safe code ([`wire`]).
//!
//! A reply leaves from the slot, to the address and with the control message at the place of its query.

mod wire;

use std::{
    io, mem,
    os::fd::{AsRawFd, RawFd},
    ptr::{self, NonNull},
};

use nix::{errno::Errno, libc};

use self::wire::{Address, Control};
use super::{Arrival, GIVE_WAY, QUERY_MAX, SLOT_SIZE, SLOTS, To, pktinfo::Port};

/// All that the kernel reads and writes.
#[repr(C, align(64))]
struct Area {
    slots: [[u8; SLOT_SIZE]; SLOTS],
    addresses: [Address; SLOTS],
    controls: [Control; SLOTS],
    /// Where queries go: each slot, up to [`QUERY_MAX`].
    reads: [libc::iovec; SLOTS],
    /// Where replies are: the slot of each, as far as it goes.
    writes: [libc::iovec; SLOTS],
    incoming: [libc::mmsghdr; SLOTS],
    outgoing: [libc::mmsghdr; SLOTS],
}

const _: () = assert!(QUERY_MAX <= SLOT_SIZE);

/// Slots that are filled with queries by one call and emptied of replies by another.
pub(in crate::dns) struct Batch {
    /// Made by [`Batch::new`] alone, freed by dropping alone.
    area: NonNull<Area>,
    /// The kernel may have changed so many of the incoming headers.
    used: usize,
    /// Outgoing headers that are filled.
    queued: usize,
}

impl Batch {
    /// Empty slots, about 70 KiB.
    pub(in crate::dns) fn new() -> Self {
        let area = Box::into_raw(Box::<Area>::new_uninit()).cast::<Area>();
        // SAFETY: `area` was just allocated for an `Area` and nobody else knows it. Zeros are a value of every field:
        // octets, integers and raw pointers. Places are taken with `&raw`, so that no reference is made.
        unsafe {
            ptr::write_bytes(area, 0, 1);
            for at in 0..SLOTS {
                let slot = (&raw mut (*area).slots[at]).cast();
                (*area).reads[at] = libc::iovec { iov_base: slot, iov_len: QUERY_MAX };
                let query = &raw mut (*area).incoming[at].msg_hdr;
                (*query).msg_name = (&raw mut (*area).addresses[at]).cast();
                (*query).msg_iov = &raw mut (*area).reads[at];
                (*query).msg_iovlen = 1;
                (*query).msg_control = (&raw mut (*area).controls[at]).cast();
                // Slot, address and control message of a reply are those of its query: see `reply`.
                let reply = &raw mut (*area).outgoing[at].msg_hdr;
                (*reply).msg_iov = &raw mut (*area).writes[at];
                (*reply).msg_iovlen = 1;
            }
        }
        let area = NonNull::new(area).expect("a box is somewhere");
        Self { area, used: SLOTS, queued: 0 }
    }

    /// Fills slots with what stands in line, and tells how many. With `wait`, the first is waited for as long as the
    /// socket's own time limit says (recvmmsg has one of its own, which is looked at after a datagram only).
    pub(in crate::dns) fn receive(&mut self, port: &Port, wait: bool) -> io::Result<usize> {
        let area = self.area.as_ptr();
        for at in 0..mem::replace(&mut self.used, SLOTS) {
            // SAFETY: `area` is ours while `self` is, and no reference into it lives.
            let header = unsafe { &mut (*area).incoming[at].msg_hdr };
            header.msg_namelen = size_of::<Address>() as libc::socklen_t;
            header.msg_controllen = size_of::<Control>() as _;
            header.msg_flags = 0;
        }
        self.queued = 0;
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: SLOTS headers begin at `incoming`; each points, as `new` made it, at places of this allocation that
        // are as long as it says, which nobody has a reference to during the call. The kernel takes no timeout.
        let count = unsafe {
            libc::recvmmsg(
                port.as_raw_fd(),
                (&raw mut (*area).incoming).cast(),
                SLOTS as _,
                flags as _,
                ptr::null_mut(),
            )
        };
        self.used = usize::try_from(Errno::result(count)?).unwrap_or_default();
        Ok(self.used)
    }

    /// What came into a slot at the last [`Batch::receive`]; `None` if the sender's address is of no family we serve.
    #[allow(clippy::unnecessary_cast, reason = "lengths have other types where another C library is")]
    pub(in crate::dns) fn arrival(&self, at: usize) -> Option<Arrival> {
        // SAFETY: `area` is ours while `self` is; nothing is written to it while `self` is borrowed.
        let area = unsafe { self.area.as_ref() };
        let libc::mmsghdr { msg_hdr, msg_len } = &area.incoming[at];
        Some(Arrival {
            length: (*msg_len as usize).min(QUERY_MAX),
            from: area.addresses[at].read(msg_hdr.msg_namelen as usize)?,
            to: area.controls[at].read(msg_hdr.msg_controllen as usize),
            cut: msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        })
    }

    /// The octets of a slot: those of a query, then those of its reply.
    pub(in crate::dns) fn slot(&mut self, at: usize) -> &mut [u8; SLOT_SIZE] {
        // SAFETY: `area` is ours while `self` is, and `self` is borrowed for as long as the slot.
        unsafe { &mut (*self.area.as_ptr()).slots[at] }
    }

    /// Lets the first `length` octets of a slot leave with the next [`Batch::send`], to where its query came from.
    pub(in crate::dns) fn reply(&mut self, at: usize, length: usize, from: Option<To>) {
        // SAFETY: `area` is ours while `self` is, and this is the only reference into it. Pointers are only copied: all
        // of them were made by `new` from the allocation's own.
        let area = unsafe { self.area.as_mut() };
        let incoming = &area.incoming[at].msg_hdr;
        let outgoing = &mut area.outgoing[self.queued].msg_hdr;
        outgoing.msg_name = incoming.msg_name;
        outgoing.msg_namelen = incoming.msg_namelen;
        outgoing.msg_control = incoming.msg_control;
        outgoing.msg_controllen = area.controls[at].write(from) as _;
        area.writes[self.queued] = libc::iovec { iov_base: area.reads[at].iov_base, iov_len: length.min(SLOT_SIZE) };
        self.queued += 1;
    }

    /// Sends the replies without waiting, and tells how many were lost: a full socket or a client out of reach loses its
    /// own reply and delays no other.
    pub(in crate::dns) fn send(&mut self, port: &Port) -> usize {
        let (mut sent, mut lost) = (0, 0);
        while sent < self.queued {
            match self.send_from(sent, port.as_raw_fd()) {
                Ok(count) => sent += count,
                Err(Errno::EINTR) => {}
                // The error is the first one's; the kernel did not look at the others.
                Err(_) => (sent, lost) = (sent + 1, lost + 1),
            }
        }
        self.queued = 0;
        lost
    }

    fn send_from(&mut self, first: usize, socket: RawFd) -> Result<usize, Errno> {
        let rest = self.queued - first;
        // SAFETY: `rest` headers from `first` on were filled by `reply`, each with pointers into this allocation and the
        // lengths of what lies there. The kernel writes the headers' own lengths, and nobody has a reference to them.
        let count = unsafe {
            let area = self.area.as_ptr();
            libc::sendmmsg(socket, &raw mut (*area).outgoing[first], rest as _, libc::MSG_DONTWAIT as _)
        };
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or_default().clamp(1, rest))
    }
}

/// Lets the calling thread stand [`GIVE_WAY`] steps behind the program's first one. Best effort: where it fails, all threads
/// are as important as before.
pub(in crate::dns) fn give_way() {
    // SAFETY: numbers go in and one comes out. On Linux a process's number means its first thread, and 0 the calling one.
    unsafe {
        let first = libc::getpriority(libc::PRIO_PROCESS, std::process::id());
        libc::setpriority(libc::PRIO_PROCESS, 0, first + GIVE_WAY);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: `new` made it as a box of this type, and it is freed here alone.
        drop(unsafe { Box::from_raw(self.area.as_ptr()) });
    }
}

#[cfg(test)]
mod tests;
