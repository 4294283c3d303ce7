//! TCP probes: a connection that is opened and closed.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{fault, trace::Trace};
use crate::model::Outcome;

/// Connects. The caller owns the deadline.
pub(super) async fn ask(address: SocketAddr, trace: &Trace) -> Outcome {
    match TcpStream::connect(address).await {
        Ok(_closed_at_once) => {
            trace.ready();
            Outcome::Pass
        }
        Err(error) => fault::of_io(&error, address),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Failure;

    async fn check(ip: IpAddr) {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let trace = Trace::start();
        assert_eq!(ask(address, &trace).await, Outcome::Pass);
        let phases = trace.marks().phases(trace.elapsed());
        assert!(phases.connect.is_some() && phases.tls.is_none() && phases.first_byte.is_none());
        drop(listener);
        assert_eq!(ask(address, &Trace::start()).await, Outcome::Fail(Failure::Refused));
    }

    #[tokio::test]
    async fn a_listener_passes_and_a_closed_port_refuses_in_both_families() {
        check(Ipv4Addr::LOCALHOST.into()).await;
        check(Ipv6Addr::LOCALHOST.into()).await;
    }
}
