//! Orders as operators give them, written down as they are acknowledged, and the audit of them.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{PATIENCE, World};
use crate::{
    api::{self, Reply},
    node::until,
    setup::{NODES, address},
};

/// An override that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) view: Value,
}

impl World {
    /// The whole audit, newest first.
    pub(crate) fn audit(&self, node: usize) -> Vec<Value> {
        let (mut all, mut path) = (Vec::new(), "/v1/audit?limit=1000".to_owned());
        loop {
            let (page, _) = until("the audit", PATIENCE, || self.nodes[node].look(&path));
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { return all };
            path = format!("/v1/audit?limit=1000&cursor={next}");
        }
    }

    /// An order of a node, by whatever comes back.
    pub(crate) fn post(
        &self,
        node: usize,
        wait: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> std::io::Result<Reply> {
        let path = if wait.is_empty() { "/v1/overrides".into() } else { format!("/v1/overrides?wait={wait}") };
        api::ask(&self.nodes[node].socket(), "POST", &path, headers, Some(body))
    }

    /// An order that is acknowledged; waits until every node that is heard has applied it.
    pub(crate) fn order(&self, node: usize, action: &str, endpoint: &str, lasts: &str) -> Order {
        let body = body(action, endpoint, lasts);
        let (order, _) = until(&format!("{action} of {endpoint} is acknowledged"), PATIENCE, || {
            let reply = self.post(node, "20s", &[], &body).ok()?;
            // Others may have been faster.
            (reply.status == 201).then(|| self.keep(reply.body))
        });
        order
    }

    /// Writes down what was acknowledged, and who has applied it.
    pub(crate) fn keep(&self, view: Value) -> Order {
        let id = view["id"].as_str().expect("an override has an id").to_owned();
        self.ledger().acknowledge(&id);
        self.applied(&id, &view);
        Order { id, view }
    }

    /// The newest receipt of an override; how many nodes have applied it.
    pub(crate) fn applied(&self, id: &str, view: &Value) -> usize {
        let nodes: Vec<&str> = view["applied_on"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        if view["action"] == "down" {
            let endpoints = view["matches"].as_array().unwrap().iter().filter_map(Value::as_str);
            let down: Vec<Ipv4Addr> = endpoints.filter_map(|one| one.strip_prefix("endpoint:")).map(address).collect();
            for name in &nodes {
                let at = NODES.iter().position(|node| node.0 == *name).unwrap();
                self.ledger().applied(id, &down, at);
            }
        }
        nodes.len()
    }

    /// Ends an override, with patience.
    pub(crate) fn end(&self, node: usize, id: &str) {
        self.ledger().end(id);
        until(&format!("{id} is ended"), PATIENCE, || {
            let reply = self.nodes[node].ask("DELETE", &format!("/v1/overrides/{id}"), None).ok()?;
            matches!(reply.status, 204 | 404).then_some(())
        });
    }
}

/// The body of an order.
pub(crate) fn body(action: &str, endpoint: &str, lasts: &str) -> Value {
    json!({ "action": action, "target": format!("endpoint:{endpoint}"), "for": lasts, "reason": "torture" })
}
