//! One event of each kind, as the API tells it.

use std::sync::Arc;

use super::EventView;
use crate::{
    model::{
        Availability, Digest, EndpointId, Event, Family, Happening, Health, OverrideId, PoolId, ServiceId, SubjectId,
        Tally, Wall,
    },
    store::journal::Recorded,
};

/// One of each, with every field that may be absent. A kind that is new must be added: the compiler says so.
pub(crate) fn one_of_each() -> Vec<EventView> {
    let recorded = |what| {
        let event = Event { at: Wall(1_700_000_000_000), generation: 9, what };
        EventView::from(&Recorded { seq: 7, event: Arc::new(event) })
    };
    happenings().into_iter().map(recorded).collect()
}

fn happenings() -> Vec<Happening> {
    let (word, yes) = (|text: &str| text.to_owned(), true);
    let ov: OverrideId = "ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6".parse().unwrap();
    let (endpoint, service): (EndpointId, ServiceId) = ("aws-use".parse().unwrap(), "www".parse().unwrap());
    let subject = SubjectId { endpoint: endpoint.clone(), check: "web".parse().unwrap() };
    let pool = |id: &str| Some(id.parse::<PoolId>().unwrap());
    let all = vec![
        Happening::Verdict {
            endpoint: endpoint.clone(),
            subject: Some(subject),
            family: Family::V6,
            from: Health::Up,
            to: Health::Down,
            cause: word("voted"),
            tally: Tally { up: 1, down: 2, abstained: 3 },
            reason: Some(word("connect timeout")),
            took_ms: Some(2_500),
            services: vec![service.clone()],
        },
        Happening::Answers {
            service: service.clone(),
            from: vec![endpoint.clone()],
            to: Vec::new(),
            pool_from: pool("us"),
            pool_to: pool("eu"),
            none_healthy: yes,
        },
        Happening::OverrideBegan {
            id: ov.clone(),
            action: word("drain"),
            target: word("all"),
            author: word("uid:0"),
            reason: word("why"),
            expires: Wall(7_000),
        },
        Happening::OverrideEnded { id: ov.clone(), action: word("drain"), target: word("all"), expired: yes },
        Happening::Ordered { endpoint: endpoint.clone(), from: Some(Availability::Up), to: Some(Availability::Drain) },
        Happening::OverrideExpiring { id: ov, minutes: 5 },
        Happening::Reloaded { digest: Digest([7; 32]) },
        Happening::ReloadRefused { problems: 3 },
        Happening::Outage { group: word("provider"), id: word("aws"), active: yes, down: 3, of: 4 },
        Happening::Correlated { service: service.clone(), down: 3, of: 4 },
        Happening::Held { brake: word("flap"), endpoint: Some(endpoint), active: yes, detail: word("often") },
        Happening::Overload { service, active: yes, serving: 40 },
        Happening::Node { condition: word("held"), active: yes, detail: word("why") },
    ];
    let nth = |one: &Happening| match one {
        Happening::Verdict { .. } => 0,
        Happening::Answers { .. } => 1,
        Happening::OverrideBegan { .. } => 2,
        Happening::OverrideEnded { .. } => 3,
        Happening::Ordered { .. } => 4,
        Happening::OverrideExpiring { .. } => 5,
        Happening::Reloaded { .. } => 6,
        Happening::ReloadRefused { .. } => 7,
        Happening::Outage { .. } => 8,
        Happening::Correlated { .. } => 9,
        Happening::Held { .. } => 10,
        Happening::Overload { .. } => 11,
        Happening::Node { .. } => KINDS - 1,
    };
    assert_eq!(all.iter().map(nth).collect::<Vec<_>>(), (0..KINDS).collect::<Vec<_>>(), "one of each");
    all
}

/// How many kinds there are.
const KINDS: usize = 13;
