//! What a person or an accident does to a world: processes killed and started, endpoints that fail, wires that are cut.

use serde_json::Value;

use super::{PATIENCE, World};
use crate::{
    endpoints::Endpoints,
    member::Member,
    node::until,
    setup::{NODES, address},
    wan::End,
};

impl World {
    pub(crate) fn start_node(&mut self, at: usize) {
        self.nodes[at].start(&self.places[at]);
    }

    /// kill -9; nobody expects an answer of it.
    pub(crate) fn kill_node(&mut self, at: usize) {
        self.ledger().excuse(at);
        self.nodes[at].kill();
    }

    /// The member that leads now.
    pub(crate) fn leader(&self) -> usize {
        let (at, _) = until("etcd to have a leader", PATIENCE, || {
            let urls: Vec<String> = self.members.iter().filter(|member| member.runs()).map(Member::url).collect();
            let told = self.etcdctl(&["--endpoints", &urls.join(","), "endpoint", "status", "-w", "json"]).ok()?;
            let all: Value = serde_json::from_str(&told).ok()?;
            let leads = |one: &&Value| one["Status"]["leader"] == one["Status"]["header"]["member_id"];
            let url = all.as_array()?.iter().find(leads)?["Endpoint"].as_str()?.to_owned();
            self.members.iter().position(|member| member.url() == url)
        });
        at
    }

    /// From the client's place, to the first member unless told otherwise.
    pub(crate) fn etcdctl(&self, arguments: &[&str]) -> Result<String, String> {
        let url = self.members[0].url();
        let first: &[&str] = if arguments.contains(&"--endpoints") { &[] } else { &["--endpoints", &url] };
        self.client.command("etcdctl", &[first, &["--command-timeout=20s"], arguments].concat())
    }

    pub(crate) fn kill_endpoint(&self, endpoint: &str) {
        let address = address(endpoint);
        self.endpoints[usize::from(address.octets()[2]) - 11].kill(address);
    }

    pub(crate) fn revive_endpoints(&self) {
        self.endpoints.iter().for_each(Endpoints::revive_all);
    }

    /// Cuts a node off from some sites, both ways.
    pub(crate) fn part(&self, node: usize, others: &[u8]) {
        let own = End::Site(NODES[node].3.number);
        others.iter().for_each(|other| self.wan.part(own, End::Site(*other)));
    }
}
