//! Which overrides lie inside a selector, and which wider ones reach into it.
//!
//! The same rule as a node's for an operator's scope, on what the API tells of the fleet.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::{Glob, Selector};

/// An endpoint, as far as selectors see it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) alias: Option<String>,
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) pools: Vec<String>,
    pub(super) services: Vec<String>,
    pub(super) targets: Vec<Judged>,
}

/// One address of an endpoint.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Judged {
    /// What holds its verdict away from what was measured.
    pub(super) hold: Option<String>,
}

impl Known {
    /// Kept down by a hold that a person may end: it flapped, or it waits for one.
    fn is_held(&self) -> bool {
        self.targets.iter().any(|one| matches!(one.hold.as_deref(), Some("flap" | "resume")))
    }
}

/// A pool and who uses it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Used {
    pub(super) id: String,
    pub(super) services: Vec<String>,
}

/// What exists.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    pub(super) endpoints: Vec<Known>,
    pub(super) pools: Vec<Used>,
}

impl Inventory {
    /// Whether `target` equals `wide` or lies inside it, see [`Selector::contains`].
    pub(super) fn inside(&self, wide: &Selector, target: &Selector) -> bool {
        let in_group = |id: &str| {
            let mut called = self.endpoints.iter().filter(|known| named(known, &Glob::from(id))).peekable();
            called.peek().is_some() && called.all(|known| touches(wide, known))
        };
        wide.contains(target, in_group, |services, pool| {
            let users = self.pools.iter().find(|known| known.id == pool).map(|pool| &pool.services);
            users.is_some_and(|users| !users.is_empty() && users.iter().all(|user| services.fits(user)))
        })
    }

    /// Endpoints in a selector's reach that a hold keeps down.
    pub(super) fn held(&self, wide: &Selector) -> Vec<&str> {
        let held = self.endpoints.iter().filter(|known| known.is_held() && touches(wide, known));
        held.map(|known| known.id.as_str()).collect()
    }

    /// Whether some endpoint is in the reach of both.
    pub(super) fn overlap(&self, one: &Selector, other: &Selector) -> bool {
        self.endpoints.iter().any(|known| touches(one, known) && touches(other, known))
    }
}

/// Whether an order on this selector reaches the endpoint, somewhere.
fn touches(selector: &Selector, known: &Known) -> bool {
    match selector {
        Selector::Endpoint(glob) => named(known, glob),
        Selector::Pool(glob) => known.pools.iter().any(|pool| glob.fits(pool)),
        Selector::Service(glob) => known.services.iter().any(|service| glob.fits(service)),
        Selector::Label(key, glob) => known.labels.get(key).is_some_and(|value| glob.fits(value)),
        Selector::Region(glob) => glob.fits(&known.region),
        Selector::Provider(glob) => glob.fits(&known.provider),
        Selector::All => true,
    }
}

fn named(known: &Known, glob: &Glob) -> bool {
    glob.fits(&known.id) || known.alias.as_deref().is_some_and(|alias| glob.fits(alias))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inventory() -> Inventory {
        let endpoint = |id: &str, provider: &str, region: &str, pool: &str, services: &[&str]| Known {
            id: id.into(),
            alias: Some(format!("10.0.0.{}", id.len())),
            provider: provider.into(),
            region: region.into(),
            labels: BTreeMap::from([("tier".into(), "gold".into())]),
            pools: vec![pool.into()],
            services: services.iter().map(|id| (*id).into()).collect(),
            targets: Vec::new(),
        };
        Inventory {
            endpoints: vec![
                endpoint("aws-use", "aws", "us-east", "us", &["www", "api"]),
                endpoint("aws-euw1", "aws", "eu-west", "eu", &["www"]),
            ],
            pools: vec![
                Used { id: "us".into(), services: vec!["www".into(), "api".into()] },
                Used { id: "eu".into(), services: vec!["www".into()] },
            ],
        }
    }

    #[test]
    fn what_equals_or_lies_inside_is_ended() {
        let rows = [
            ("provider:aws", "provider:aws", true),
            ("provider:aws", "endpoint:aws-use", true),
            ("provider:aws", "endpoint:10.0.0.7", true),
            ("provider:gcp", "endpoint:aws-use", false),
            ("provider:aws", "endpoint:aws-*", false),
            ("provider:aws", "endpoint:gone", false),
            ("endpoint:aws-use", "provider:aws", false),
            ("region:*", "region:eu-west", true),
            ("region:us-east", "provider:aws", false),
            ("label:tier=*", "label:tier=gold", true),
            ("label:tier=gold", "label:team=gold", false),
            ("label:tier=gold", "endpoint:aws-use", true),
            ("service:www", "pool:eu", true),
            ("service:www", "pool:us", false),
            ("service:*", "pool:us", true),
            ("service:www", "pool:none", false),
            ("all", "all", true),
            ("all", "pool:eu", true),
            ("provider:*", "all", false),
            ("endpoint:aws-?", "endpoint:aws-*", false),
        ];
        for (wide, target, expected) in rows {
            let found = inventory().inside(&wide.parse().unwrap(), &target.parse().unwrap());
            assert_eq!(found, expected, "{target} inside {wide}");
        }
    }

    #[test]
    fn wider_ones_that_reach_in_are_found() {
        for (one, other, expected) in [
            ("endpoint:aws-use", "provider:aws", true),
            ("endpoint:aws-use", "pool:eu", false),
            ("pool:us", "service:api", true),
            ("region:eu-west", "all", true),
        ] {
            assert_eq!(inventory().overlap(&one.parse().unwrap(), &other.parse().unwrap()), expected, "{one} {other}");
        }
    }

    fn selector() -> impl Strategy<Value = Selector> {
        let kind = prop::sample::select(vec!["endpoint:", "pool:", "service:", "region:", "provider:", "label:k="]);
        prop_oneof![
            9 => (kind, "[ab*?]{1,3}").prop_map(|(kind, glob)| format!("{kind}{glob}").parse().unwrap()),
            1 => Just(Selector::All),
        ]
    }

    fn known() -> impl Strategy<Value = Known> {
        ("[ab]{1,3}", "[ab]{1,2}", "[ab]{1,2}", "[ab]{1,2}", prop::collection::vec("[ab]{1,2}", 0..3)).prop_map(
            |(id, provider, region, label, services)| Known {
                id,
                alias: None,
                provider,
                region,
                labels: BTreeMap::from([("k".into(), label)]),
                pools: vec!["p".into()],
                services,
                targets: Vec::new(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_lies_inside_reaches_no_further(
            wide in selector(), narrow in selector(), endpoints in prop::collection::vec(known(), 0..6),
        ) {
            let services = endpoints.iter().flat_map(|known| known.services.clone()).collect();
            let inventory = Inventory { endpoints, pools: vec![Used { id: "p".into(), services }] };
            prop_assert!(inventory.inside(&wide, &wide));
            let service_of_pool = matches!((&wide, &narrow), (Selector::Service(_), Selector::Pool(_)));
            if inventory.inside(&wide, &narrow) && !service_of_pool {
                for known in &inventory.endpoints {
                    prop_assert!(!touches(&narrow, known) || touches(&wide, known), "{} {} {:?}", wide, narrow, known);
                }
            }
        }
    }
}
