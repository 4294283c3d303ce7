//! A datagram socket as every system has it. Replies leave from the address that routing chooses, so on a machine with
//! several addresses each is listed in `listen`.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use super::{Arrival, To, WAIT_MAX};

/// One socket of one thread.
#[derive(Debug)]
pub(in crate::dns) struct Port(UdpSocket);

impl Port {
    /// Takes a bound socket.
    pub(in crate::dns) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_read_timeout(Some(WAIT_MAX))?;
        Ok(Self(socket))
    }

    /// The next datagram. Without `wait`, or when none comes within [`WAIT_MAX`]: `WouldBlock` or `TimedOut`.
    pub(super) fn receive(&self, buffer: &mut [u8], wait: bool) -> io::Result<Arrival> {
        self.0.set_nonblocking(!wait)?;
        let (length, from) = self.0.recv_from(buffer)?;
        // What fills the buffer may have been longer; no query is.
        Ok(Arrival { length, from, to: None, cut: length == buffer.len() })
    }

    /// Sends it.
    pub(super) fn send(&self, reply: &[u8], client: SocketAddr, _from: Option<To>) -> io::Result<()> {
        self.0.send_to(reply, client).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_and_go() {
        let port = Port::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut buffer = [0; 16];
        assert!(port.receive(&mut buffer, false).is_err());
        client.send_to(b"query", port.0.local_addr().unwrap()).unwrap();
        let arrival = port.receive(&mut buffer, true).unwrap();
        assert_eq!((&buffer[..arrival.length], arrival.cut), (b"query".as_slice(), false));
        port.send(b"reply", arrival.from, arrival.to).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);
    }
}
