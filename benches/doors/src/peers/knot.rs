//! Knot DNS; steers by weight with mod-geoip, without probes, where Debian's knot-module-geoip is.

use std::{fmt::Write as _, io};

use super::{Peer, Place, words};
use crate::work::{STEERED, Set, WEIGHTS, ZONE, endpoint, steered, zone_file};

pub(super) const PEER: Peer = Peer {
    name: "knot",
    program: "knotd",
    packages: "knot knot-module-geoip",
    version: &["--version"],
    prepare,
    zone: "zone",
    reload: |place| vec![words(&["knotc", "-c", &place.at("knot.conf"), "-b", "zone-reload", ZONE])],
    steers: Some("mod-geoip, weighted, no probes"),
    near: true,
    answers: true,
};

fn prepare(place: &Place) -> io::Result<Vec<String>> {
    let mut zone = zone_file(place.set, 1);
    let (mut module, mut used) = (String::new(), "");
    if place.set == Set::Steered {
        let mut seats = String::new();
        for name in 0..STEERED {
            let label = steered(name);
            writeln!(zone, "{label} 30 IN A {}", endpoint(0)).expect("a string takes all");
            writeln!(seats, "{label}.{ZONE}:").expect("a string takes all");
            for (n, weight) in WEIGHTS.iter().enumerate() {
                writeln!(seats, "  - weight: {weight}\n    A: {}", endpoint(n)).expect("a string takes all");
            }
        }
        place.write("seats", &seats)?;
        module =
            format!("mod-geoip:\n  - id: w\n    config-file: {}\n    ttl: 30\n    mode: weighted\n", place.at("seats"));
        used = "    module: [ mod-geoip/w ]\n";
    }
    place.write("zone", &zone)?;
    for folder in ["run", "db"] {
        std::fs::create_dir_all(place.folder.join(folder))?;
    }
    let (home, port) = (place.folder.display(), place.port);
    place.write(
        "knot.conf",
        &format!(
            "server:\n    listen: 127.0.0.1@{port}\n    rundir: {home}/run\n    udp-workers: 1\n    tcp-workers: 1\n    \
             background-workers: 1\n    tcp-max-clients: 4000\n    tcp-idle-timeout: 60\n    edns-client-subnet: on\n\
             log:\n  - target: stderr\n    any: warning\ncontrol:\n    listen: {home}/run/knot.sock\n\
             database:\n    storage: {home}/db\n{module}\
             template:\n  - id: default\n    storage: {home}\n    journal-content: none\n    semantic-checks: off\n    \
             zonefile-load: whole\nzone:\n  - domain: {ZONE}\n    file: zone\n{used}"
        ),
    )?;
    Ok(words(&["-c", &place.at("knot.conf")]))
}
