//! BIND; it does not steer.

use std::io;

use super::{Peer, Place, words};
use crate::work::{ZONE, unsteered};

pub(super) const PEER: Peer = Peer {
    name: "bind",
    program: "named",
    packages: "bind9 bind9-utils",
    version: &["-v"],
    prepare,
    zone: "zone",
    reload: |place| {
        let port = place.control.to_string();
        vec![words(&["rndc", "-s", "127.0.0.1", "-p", &port, "-k", &place.at("key"), "reload", ZONE])]
    },
    steers: None,
    near: false,
    answers: true,
};

/// A key for a control port on loopback, for the minutes of a run.
const KEY: &str = "key \"k\" { algorithm hmac-sha256; secret \"YmVuY2ggb24gbG9vcGJhY2sgb25seQ==\"; };\n";

fn prepare(place: &Place) -> io::Result<Vec<String>> {
    place.write("zone", &unsteered(place.set))?;
    place.write("key", KEY)?;
    let (home, port, control) = (place.folder.display(), place.port, place.control);
    place.write(
        "named.conf",
        &format!(
            "include \"{home}/key\";\n\
             controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ k; }}; }};\n\
             options {{ directory \"{home}\"; pid-file \"{home}/pid\"; session-keyfile \"{home}/session\"; \
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; minimal-responses yes; \
             querylog no; tcp-clients 2000; dnssec-validation no; notify no; }};\n\
             logging {{ channel e {{ stderr; severity warning; }}; category default {{ e; }}; }};\n\
             zone \"{ZONE}\" {{ type primary; file \"{home}/zone\"; check-names ignore; }};\n"
        ),
    )?;
    Ok(words(&["-f", "-c", &place.at("named.conf"), "-n", "1"]))
}
