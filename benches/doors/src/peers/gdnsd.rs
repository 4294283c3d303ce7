//! gdnsd: the field's own model; steers by weight with its own probes.

use std::{fmt::Write as _, io};

use super::{Peer, Place, words};
use crate::work::{STEERED, Set, WEIGHTS, endpoint, steered, zone_file};

pub(super) const PEER: Peer = Peer {
    name: "gdnsd",
    program: "gdnsd",
    packages: "gdnsd",
    version: &["version"],
    prepare,
    zone: "cfg/zones/bench.example",
    reload: |place| vec![words(&["gdnsdctl", "-c", &place.at("cfg"), "reload-zones"])],
    steers: Some("weighted, http_status probes"),
    near: true,
    answers: true,
};

fn prepare(place: &Place) -> io::Result<Vec<String>> {
    let mut zone = zone_file(place.set, 1);
    let mut config = format!(
        "options => {{ listen => [ 127.0.0.1:{} ], udp_threads => 1, tcp_threads => 1, tcp_clients_per_thread => 2000, \
         run_dir => {}, state_dir => {} }}\n",
        place.port,
        place.at("run"),
        place.at("state")
    );
    if place.set == Set::Steered {
        let mut pools = String::new();
        for name in 0..STEERED {
            let label = steered(name);
            writeln!(zone, "{label} 30 IN DYNA weighted!{label}").expect("a string takes all");
            let seats: Vec<String> = WEIGHTS
                .iter()
                .enumerate()
                .map(|(n, weight)| format!("a{n} => [ {}, {weight} ]", endpoint(n)))
                .collect();
            writeln!(pools, "    {label} => {{ {} }}", seats.join(", ")).expect("a string takes all");
        }
        write!(
            config,
            "service_types => {{ web => {{ plugin => http_status, port => {}, url_path => \"/\", ok_codes => [200], \
             interval => 10, timeout => 3 }} }}\n\
             plugins => {{ weighted => {{\n    service_types => [ web ]\n{pools}}} }}\n",
            place.web
        )
        .expect("a string takes all");
    }
    place.write(PEER.zone, &zone)?;
    place.write("cfg/config", &config)?;
    std::fs::create_dir_all(place.folder.join("run"))?;
    std::fs::create_dir_all(place.folder.join("state"))?;
    Ok(words(&["-c", &place.at("cfg"), "start"]))
}
