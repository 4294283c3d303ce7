//! A datagram socket as every system has it, one datagram a call. Replies leave from the address that routing chooses,
//! so on a machine with several addresses each is listed in `listen`.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use super::{Arrival, QUERY_MAX, SLOT_SIZE, To, WAIT_MAX};

/// One socket of one thread.
#[derive(Debug)]
pub(in crate::dns) struct Port(UdpSocket);

impl Port {
    /// Takes a bound socket.
    pub(in crate::dns) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_read_timeout(Some(WAIT_MAX))?;
        Ok(Self(socket))
    }

    /// Sends one reply that fits into no slot.
    pub(super) fn send(&self, reply: &[u8], client: SocketAddr, _from: Option<To>) -> io::Result<()> {
        self.0.send_to(reply, client).map(drop)
    }

    /// How many datagrams the system dropped before they could be received: not known here.
    pub(super) fn overflows(&self) -> Option<u32> {
        None
    }
}

/// Threads are as important as the system finds them.
pub(in crate::dns) fn give_way() {}

/// The one slot: each call brings one datagram, and takes one reply.
pub(super) struct Batch {
    slot: [u8; SLOT_SIZE],
    arrival: Option<Arrival>,
    reply: Option<usize>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { slot: [0; SLOT_SIZE], arrival: None, reply: None }
    }

    /// The next datagram. Without `wait`, or when none comes within [`WAIT_MAX`]: `WouldBlock` or `TimedOut`.
    pub(super) fn receive(&mut self, port: &Port, wait: bool) -> io::Result<usize> {
        port.0.set_nonblocking(!wait)?;
        let (length, from) = port.0.recv_from(&mut self.slot)?;
        self.arrival = Some(Arrival { length, from, to: None, cut: QUERY_MAX < length });
        Ok(1)
    }

    pub(super) fn arrival(&self, _at: usize) -> Option<Arrival> {
        self.arrival
    }

    pub(super) fn slot(&mut self, _at: usize) -> &mut [u8; SLOT_SIZE] {
        &mut self.slot
    }

    pub(super) fn reply(&mut self, _at: usize, length: usize, _from: Option<To>) {
        self.reply = Some(length);
    }

    /// Sends it; how many replies were lost.
    pub(super) fn send(&mut self, port: &Port) -> usize {
        let (Some(length), Some(arrival)) = (self.reply.take(), self.arrival) else { return 0 };
        usize::from(port.send(&self.slot[..length], arrival.from, None).is_err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_and_go() {
        let port = Port::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = Batch::new();
        assert!(batch.receive(&port, false).is_err());
        for (sent, cut) in [(b"query".as_slice(), false), (&[0; QUERY_MAX + 1], true)] {
            client.send_to(sent, port.0.local_addr().unwrap()).unwrap();
            assert_eq!(batch.receive(&port, true).unwrap(), 1);
            let arrival = batch.arrival(0).unwrap();
            assert_eq!((&batch.slot(0)[..arrival.length], arrival.cut), (sent, cut));
        }
        batch.slot(0)[..5].copy_from_slice(b"reply");
        batch.reply(0, 5, None);
        assert_eq!((batch.send(&port), batch.send(&port)), (0, 0));
        let mut reply = [0; 16];
        assert_eq!((client.recv(&mut reply).unwrap(), &reply[..5]), (5, b"reply".as_slice()));
    }
}
