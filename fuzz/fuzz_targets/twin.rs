//! Any octets as a packet: both ways to an answer must say the same (`cargo fuzz run twin`).
//!
//! The first octets say who asks: transport and family, then an address.

#![no_main]
#![allow(dead_code, clippy::unwrap_used, missing_docs, reason = "the shared parts are those of tests")]

#[path = "../../tests/it/dns_twin.rs"]
mod dns_twin;
#[path = "../../tests/it/dns_world.rs"]
mod dns_world;
#[path = "../../tests/it/mmdb.rs"]
mod mmdb;

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
};

use libfuzzer_sys::fuzz_target;
use wayshift::{model::Mono, telemetry::dns::Proto};

use crate::dns_twin::{BEGIN, Twin};

thread_local! {
    static TWIN: RefCell<(Twin, u64)> = RefCell::new((Twin::new(1), 0));
}

fuzz_target!(|data: &[u8]| {
    let Some(([how, a, b, c, d], packet)) = data.split_first_chunk::<5>() else { return };
    let ip = if how & 1 == 0 {
        IpAddr::from([*a, *b, *c, *d])
    } else {
        IpAddr::from([0x20, *a, *b, *c, *d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    };
    let proto = if how & 2 == 0 { Proto::Udp } else { Proto::Tcp };
    TWIN.with_borrow_mut(|(twin, nth)| {
        *nth += 1;
        if *nth % 4096 == 0 {
            twin.turn(*nth / 4096);
        }
        let asked = twin.check(packet, SocketAddr::new(ip, 4242), proto, Mono(BEGIN.0 + *nth));
        asked.unwrap_or_else(|what| panic!("{what}"));
        if *nth % 256 == 0 {
            twin.counts().unwrap_or_else(|what| panic!("{what}"));
        }
    });
});
