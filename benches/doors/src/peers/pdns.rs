//! PowerDNS with its caches as they come; steers by Lua records, in the quicker of its two settings.

use std::{fmt::Write as _, io};

use super::{Peer, Place, words};
use crate::work::{STEERED, Set, WEIGHTS, ZONE, endpoint, steered, zone_file};

pub(super) const PEER: Peer = Peer {
    name: "pdns",
    program: "pdns_server",
    packages: "pdns-server pdns-backend-bind",
    version: &["--version"],
    prepare,
    zone: "zone",
    reload: |place| {
        let control = |order: &[&str]| {
            let place =
                [format!("--socket-dir={}", place.at("run")), format!("--config-dir={}", place.folder.display())];
            let order = order.iter().map(|word| (*word).to_owned());
            std::iter::once("pdns_control".to_owned()).chain(place).chain(order).collect()
        };
        // Without the purge old answers stay for as long as its cache keeps them, 20 s.
        vec![control(&["bind-reload-now", ZONE]), control(&["purge", &format!("{ZONE}$")])]
    },
    steers: Some("Lua pickwrandom (shared), no probes"),
    near: false,
    answers: true,
};

fn prepare(place: &Place) -> io::Result<Vec<String>> {
    let mut zone = zone_file(place.set, 1);
    if place.set == Set::Steered {
        let seats: Vec<String> =
            WEIGHTS.iter().enumerate().map(|(n, weight)| format!("{{{weight},'{}'}}", endpoint(n))).collect();
        for name in 0..STEERED {
            writeln!(zone, "{} 30 IN LUA A \"pickwrandom({{{}}})\"", steered(name), seats.join(","))
                .expect("a string takes all");
        }
    }
    place.write("zone", &zone)?;
    std::fs::create_dir_all(place.folder.join("run"))?;
    let (home, port) = (place.folder.display(), place.port);
    place.write(
        "named.conf",
        &format!("options {{ directory \"{home}\"; }};\nzone \"{ZONE}\" {{ type master; file \"{home}/zone\"; }};\n"),
    )?;
    place.write(
        "pdns.conf",
        &format!(
            "launch=bind\nbind-config={home}/named.conf\nlocal-address=127.0.0.1\nlocal-port={port}\n\
             socket-dir={home}/run\nreceiver-threads=1\nmax-tcp-connections=2000\nenable-lua-records=shared\n\
             edns-subnet-processing=yes\nloglevel=3\ndisable-syslog=yes\nwebserver=no\nsecurity-poll-suffix=\n"
        ),
    )?;
    Ok(words(&[&format!("--config-dir={home}"), "--guardian=no", "--daemon=no"]))
}
