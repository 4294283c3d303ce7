//! wayshift with a large fleet: 100,000 steered names, each a service, over 10,000 probed endpoints.

use std::{fmt::Write as _, io, net::Ipv4Addr};

use super::{Peer, Place, wayshift, words};
use crate::work::{Set, ZONE, address, plain};

/// The kind of server, which is none of the list: nobody else does this.
pub(crate) const PEER: Peer = Peer {
    name: "wayshift, steered",
    program: "wayshift",
    packages: "",
    version: &["--version"],
    prepare,
    zone: "",
    reload: |_| Vec::new(),
    steers: Some("failover, http probes"),
    near: true,
    answers: true,
};

/// The name whose answer changes.
pub(crate) const NAME: &str = "flip";
/// The endpoint that falls ill and gets well.
pub(crate) const FLIPPING: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The one behind it, which nobody probes.
pub(crate) const STANDING: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

const ENDPOINTS: usize = 10_000;
/// Endpoints of one pool.
const POOL: usize = 4;

/// All endpoints are probed at one address, the flipping one by a check of its own every second.
fn prepare(place: &Place) -> io::Result<Vec<String>> {
    let web = place.web;
    let mut text = wayshift::head(place);
    let mut line = |words: &str| writeln!(text, "{words}").expect("a string takes all");
    line(&format!("[zone.\"{ZONE}\"]\nns = {{ ns1 = \"192.0.2.53\" }}"));
    line(&format!("[check.web]\nurl = \"http://www.{ZONE}:{web}/\"\ninterval = \"60s\"\ncooldown = \"0s\""));
    line(&format!(
        "[check.flip]\nurl = \"http://www.{ZONE}:{web}/flip\"\ninterval = \"1s\"\nfall = 1\nrise = 1\ncooldown = \"0s\""
    ));
    line("[verdict]\nflap = false\n[endpoint]");
    line(&format!("flip-1 = {{ address = \"{FLIPPING}\", check_at = \"127.0.0.1:{web}\", check = \"flip\" }}"));
    line(&format!("flip-2 = {{ address = \"{STANDING}\", check_at = \"127.0.0.1:{web}\" }}"));
    for n in 0..ENDPOINTS {
        line(&format!("e{n} = {{ address = \"{}\", check_at = \"127.0.0.1:{web}\" }}", address(n, 0)));
    }
    line("[pool]");
    for pool in 0..ENDPOINTS / POOL {
        let seats: Vec<String> = (0..POOL).map(|n| format!("\"e{}\"", pool * POOL + n)).collect();
        line(&format!("p{pool} = {{ endpoints = [{}] }}", seats.join(", ")));
    }
    line("flip = { endpoints = [\"flip-1\", \"flip-2\"], answer = \"first\", count = 1 }");
    line(&format!("[service]\nflip = {{ names = [\"{NAME}.{ZONE}\"], pools = [\"flip\"], check = \"web\" }}"));
    for name in 0..Set::Hundred.names() {
        let pool = name % (ENDPOINTS / POOL);
        line(&format!("s{name} = {{ names = [\"{}.{ZONE}\"], pools = [\"p{pool}\"], check = \"web\" }}", plain(name)));
    }
    place.write("wayshift.toml", &text)?;
    Ok(words(&["serve", "--config", &place.at("wayshift.toml")]))
}
