//! NSD; it does not steer.

use std::io;

use super::{Peer, Place, words};
use crate::work::{ZONE, unsteered};

pub(super) const PEER: Peer = Peer {
    name: "nsd",
    program: "nsd",
    packages: "nsd",
    version: &["-v"],
    prepare,
    zone: "zone",
    reload: |place| vec![words(&["nsd-control", "-c", &place.at("nsd.conf"), "reload", ZONE])],
    steers: None,
    near: false,
    answers: true,
};

fn prepare(place: &Place) -> io::Result<Vec<String>> {
    place.write("zone", &unsteered(place.set))?;
    let (home, port) = (place.folder.display(), place.port);
    place.write(
        "nsd.conf",
        &format!(
            "server:\n  ip-address: 127.0.0.1@{port}\n  port: {port}\n  server-count: 1\n  username: \"\"\n  \
             zonesdir: {home}\n  database: \"\"\n  pidfile: {home}/pid\n  xfrdfile: {home}/xfrd\n  \
             zonelistfile: {home}/zones\n  xfrdir: {home}\n  tcp-count: 1000\n  tcp-timeout: 60\n  rrl-ratelimit: 0\n  \
             rrl-whitelist-ratelimit: 0\n  verbosity: 0\n  minimal-responses: yes\n\
             remote-control:\n  control-enable: yes\n  control-interface: {home}/control\n\
             zone:\n  name: {ZONE}\n  zonefile: zone\n"
        ),
    )?;
    Ok(words(&["-d", "-c", &place.at("nsd.conf")]))
}
