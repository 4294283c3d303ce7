//! wayshift itself, the release that was built a moment ago, with its probes, its store and its admin socket.

use std::{fmt::Write as _, io};

use super::{Peer, Place, words};
use crate::work::{STEERED, Set, WEIGHTS, ZONE, endpoint, steered, zone_file};

pub(super) const PEER: Peer = Peer {
    name: "wayshift",
    program: "wayshift",
    packages: "",
    version: &["--version"],
    prepare,
    zone: "zone",
    reload: |place| vec![words(&["wayshift", "reload", "--socket", &place.at("admin.sock"), "--quiet"])],
    steers: Some("weighted, http probes"),
    near: true,
    answers: true,
};

fn prepare(place: &Place) -> io::Result<Vec<String>> {
    place.write("zone", &zone_file(place.set, 1))?;
    let mut config = head(place);
    write!(config, "[zone.\"{ZONE}\"]\nfile = \"zone\"\n").expect("a string takes all");
    if place.set == Set::Steered {
        steer(&mut config, place.web);
    }
    place.write("wayshift.toml", &config)?;
    Ok(words(&["serve", "--config", &place.at("wayshift.toml")]))
}

/// What has nothing to do with names.
pub fn head(place: &Place) -> String {
    format!(
        "[node]\nname = \"bench\"\n[dns]\nlisten = [\"127.0.0.1:{}\"]\nthreads = 1\n[admin]\nlisten = [\"unix:{}\"]\n\
         [store]\npath = \"{}\"\n[telemetry.log]\nlevel = \"warn\"\n",
        place.port,
        place.at("admin.sock"),
        place.at("store")
    )
}

/// A service and a pool of its own for each name, as the others have it.
fn steer(config: &mut String, web: u16) {
    let mut line = |text: &str| writeln!(config, "{text}").expect("a string takes all");
    line(&format!("[check.web]\nurl = \"http://www.{ZONE}:{web}/\"\n[endpoint]"));
    for n in 0..WEIGHTS.len() {
        line(&format!("e{n} = {{ address = \"{}\" }}", endpoint(n)));
    }
    let seats: Vec<String> = WEIGHTS.iter().enumerate().map(|(n, weight)| format!("e{n} = {weight}")).collect();
    line("[pool]");
    for name in 0..STEERED {
        line(&format!("p{name} = {{ endpoints = {{ {} }} }}", seats.join(", ")));
    }
    line("[service]");
    for name in 0..STEERED {
        let label = steered(name);
        line(&format!(
            "s{name} = {{ names = [\"{label}.{ZONE}\"], pools = [\"p{name}\"], check = \"web\", ttl = \"30s\" }}"
        ));
    }
}
