//! Values of every shape that is kept, for property tests of this room.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*};

#[cfg(feature = "etcd")]
use crate::model::{Applied, Link, Mode, Presence, Process};
use crate::{
    model::{
        Action, Availability, Ballot, BrakeState, Braked, Delays, Digest, EndpointId, Event, Family, Flapped,
        Happening, Health, Known, Memory, Mono, Out, Override, OverrideId, OwnFault, PoolId, Remembered, Selector,
        SelfTest, ServiceId, SubjectId, Tally, Target, Vote, Wall, Weight,
    },
    store::AuditDraft,
};

/// Up to the end of the year 9999: what RFC 3339 can write.
fn a_wall() -> impl Strategy<Value = Wall> {
    (0_u64..253_402_300_800_000).prop_map(Wall)
}

fn an_id<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    "[a-z0-9][a-z0-9-]{0,12}".prop_map(|text| text.parse().expect("the pattern is that of ids"))
}

fn an_override_id() -> impl Strategy<Value = OverrideId> {
    any::<u128>().prop_map(|bits| OverrideId::new(ulid::Ulid(bits)))
}

fn a_selector() -> impl Strategy<Value = Selector> {
    let kind = prop_oneof!["endpoint", "pool", "service", "region", "provider", "label:tier="];
    let text = (kind, "[a-zA-Z0-9*?.\\[\\]\u{e4}\"-]{1,12}").prop_map(|(kind, name)| match kind.strip_suffix('=') {
        Some(_) => format!("{kind}{name}"),
        None => format!("{kind}:{name}"),
    });
    prop_oneof![1 => Just("all".to_owned()), 6 => text].prop_map(|text| text.parse().expect("a selector"))
}

/// Any override.
pub(in crate::store) fn an_override() -> impl Strategy<Value = Override> {
    let action = prop_oneof![
        Just(Action::Up),
        Just(Action::Drain),
        Just(Action::Down),
        Just(Action::Freeze),
        any::<u16>().prop_map(|weight| Action::Weight(Weight(weight))),
        an_id().prop_map(Action::Pin),
    ];
    let texts = (".{0,40}", ".{0,20}");
    let times = (a_wall(), a_wall(), a_wall());
    let flags = (any::<bool>(), any::<bool>());
    (an_override_id(), action, a_selector(), texts, times, flags, any::<u64>()).prop_map(
        |(id, action, target, (reason, author), (created, from, expires), (forced, local), generation)| Override {
            id,
            action,
            target,
            reason,
            author,
            created,
            from,
            expires,
            forced,
            over: None,
            local,
            generation,
        },
    )
}

/// An override with nothing special about it; the number makes its id.
pub(in crate::store) fn plain_override(number: u64) -> Override {
    Override {
        id: OverrideId::new(ulid::Ulid::from_parts(1_000_000 + number, u128::from(number))),
        action: Action::Drain,
        target: Selector::All,
        reason: "INC-123".into(),
        author: "token:web-oncall".into(),
        created: Wall(1_000_000),
        from: Wall(1_000_000),
        expires: Wall(100_000_000),
        forced: false,
        over: None,
        local: false,
        generation: 0,
    }
}

/// Any audit draft.
pub(in crate::store) fn a_draft() -> impl Strategy<Value = AuditDraft> {
    let who = (".{0,20}", ".{0,20}", ".{0,20}", ".{0,20}", ".{0,20}");
    let what = (option::of(".{0,60}"), option::of(".{0,60}"), option::of(".{0,60}"));
    (a_wall(), who, what).prop_map(|(at, (actor, from, action, target, request_id), (before, after, reason))| {
        AuditDraft { at, actor, from, action, target, before, after, reason, request_id }
    })
}

fn a_health() -> impl Strategy<Value = Health> {
    (0..Health::WORDS.len()).prop_map(|at| Health::WORDS[at].1)
}

fn a_family() -> impl Strategy<Value = Family> {
    any::<bool>().prop_map(|six| if six { Family::V6 } else { Family::V4 })
}

fn a_verdict_event() -> impl Strategy<Value = Happening> {
    let tally = (any::<u16>(), any::<u16>(), any::<u16>());
    let texts = (".{0,20}", option::of(".{0,20}"), option::of(any::<u64>()));
    let ids = (an_id::<EndpointId>(), option::of(an_id()), vec(an_id::<ServiceId>(), 0..3));
    (ids, a_family(), a_health(), a_health(), tally, texts).prop_map(
        |((endpoint, check, services), family, from, to, (up, down, abstained), (cause, reason, took_ms))| {
            Happening::Verdict {
                subject: check.map(|check| SubjectId { endpoint: endpoint.clone(), check }),
                endpoint,
                family,
                from,
                to,
                cause,
                tally: Tally { up, down, abstained },
                reason,
                took_ms,
                services,
            }
        },
    )
}

fn a_happening() -> impl Strategy<Value = Happening> {
    let order = || option::of((0..Availability::WORDS.len()).prop_map(|at| Availability::WORDS[at].1));
    let members = || vec(an_id::<EndpointId>(), 0..4);
    let pool = || option::of(an_id::<PoolId>());
    prop_oneof![
        a_verdict_event(),
        (an_id(), members(), members(), pool(), pool(), any::<bool>()).prop_map(
            |(service, from, to, pool_from, pool_to, none_healthy)| Happening::Answers {
                service,
                from,
                to,
                pool_from,
                pool_to,
                none_healthy
            }
        ),
        (an_override_id(), ".{0,9}", ".{0,9}", ".{0,9}", ".{0,9}", a_wall()).prop_map(
            |(id, action, target, author, reason, expires)| Happening::OverrideBegan {
                id,
                action,
                target,
                author,
                reason,
                expires
            }
        ),
        (an_override_id(), ".{0,9}", ".{0,9}", any::<bool>())
            .prop_map(|(id, action, target, expired)| { Happening::OverrideEnded { id, action, target, expired } }),
        (an_id(), order(), order()).prop_map(|(endpoint, from, to)| Happening::Ordered { endpoint, from, to }),
        (an_override_id(), any::<u32>()).prop_map(|(id, minutes)| Happening::OverrideExpiring { id, minutes }),
        any::<[u8; 32]>().prop_map(|digest| Happening::Reloaded { digest: Digest(digest) }),
        any::<u32>().prop_map(|problems| Happening::ReloadRefused { problems }),
        (".{0,9}", any::<bool>(), ".{0,40}").prop_map(|(condition, active, detail)| Happening::Node {
            condition,
            active,
            detail
        }),
    ]
}

/// Any event.
pub(in crate::store) fn an_event() -> impl Strategy<Value = Event> {
    (a_wall(), any::<u64>(), a_happening()).prop_map(|(at, generation, what)| Event { at, generation, what })
}

fn a_target() -> impl Strategy<Value = Target> {
    (an_id(), an_id(), a_family())
        .prop_map(|(endpoint, check, family)| Target { subject: SubjectId { endpoint, check }, family })
}

fn a_while() -> impl Strategy<Value = Duration> {
    (0_u64..100_000_000).prop_map(Duration::from_millis)
}

fn delays() -> impl Strategy<Value = Delays> {
    let flap = (a_while(), any::<u8>(), vec(a_while(), 0..4), a_while())
        .prop_map(|(left, times, changes, calm)| Flapped { left, times, changes, calm });
    (option::of(a_while()), any::<bool>(), option::of(flap)).prop_map(|(returned, awaits_resume, flap)| Delays {
        returned,
        awaits_resume,
        flap,
    })
}

/// Any ballot.
pub(in crate::store) fn a_ballot() -> impl Strategy<Value = Ballot> {
    let vote = prop_oneof![
        (any::<bool>(), any::<bool>()).prop_map(|(degraded, wavers)| Vote::Up { degraded, wavers }),
        Just(Vote::Down),
        prop_oneof![
            Just(OwnFault::NoFamily),
            Just(OwnFault::NoResources),
            Just(OwnFault::Lag),
            Just(OwnFault::Resolver)
        ]
        .prop_map(Vote::Abstain),
    ];
    let self_test = prop_oneof![Just(SelfTest::Passed), Just(SelfTest::Failed), Just(SelfTest::Unprovable)];
    let votes = proptest::collection::btree_map(a_target(), vote, 0..30);
    let paths = proptest::collection::btree_map(an_id(), any::<u32>(), 0..9);
    let told = || proptest::collection::btree_set(a_target(), 0..9);
    let out = prop_oneof![
        told().prop_map(Out::These),
        (told(), any::<u32>()).prop_map(|(held, down)| Out::AllBut { held, down: down as usize }),
    ];
    let left = proptest::collection::btree_map(an_id(), any::<u64>().prop_map(Mono), 0..9);
    let brakes = (any::<bool>(), out, left).prop_map(|(frozen, out, left)| BrakeState { frozen, out, left });
    (an_id(), option::of(an_id()), option::of(an_id()), any::<u64>(), self_test, votes, paths, brakes).prop_map(
        |(node, region, provider, sequence, self_test, votes, paths, brakes)| Ballot {
            node,
            region,
            provider,
            sequence,
            clock: Mono(sequence / 2),
            self_test,
            votes: votes.into(),
            paths: paths.into(),
            brakes: brakes.into(),
        },
    )
}

/// Any presence.
#[cfg(feature = "etcd")]
pub(in crate::store) fn a_presence() -> impl Strategy<Value = Presence> {
    let digest = || any::<[u8; 32]>().prop_map(Digest);
    let process = (any::<u64>(), ".{0,9}", any::<bool>(), any::<bool>(), vec("https://[a-z]{1,9}:8653", 0..3))
        .prop_map(|(boot, version, probes, orders, admin)| Process {
            boot,
            version: version.into(),
            probes,
            orders,
            admin: admin.iter().map(|at| at.parse().unwrap()).collect(),
        });
    let mode = ((0..Link::WORDS.len()), any::<bool>(), any::<bool>()).prop_map(|(at, held, frozen)| Mode {
        link: Link::WORDS[at].1,
        held,
        frozen,
    });
    let self_test = prop_oneof![Just(SelfTest::Passed), Just(SelfTest::Failed), Just(SelfTest::Unprovable)];
    let applied = ("[0-9A-Z]{0,26}", any::<u64>()).prop_map(|(epoch, generation)| Applied { epoch, generation });
    let who = (an_id(), option::of(an_id()), option::of(an_id()));
    (who, process, any::<u64>(), mode, applied, (digest(), digest()), a_wall(), self_test).prop_map(
        |((node, region, provider), process, sequence, mode, applied, (digest, fleet), clock, self_test)| Presence {
            node,
            region,
            provider,
            process,
            sequence,
            mode,
            applied,
            digest,
            fleet,
            clock,
            self_test,
        },
    )
}

/// Any memory.
pub(in crate::store) fn a_memory() -> impl Strategy<Value = Memory> {
    let remembered =
        (a_health(), a_health(), a_wall()).prop_map(|(measured, health, since)| Remembered { measured, health, since });
    let verdicts = proptest::collection::btree_map(a_target(), remembered, 0..6);
    let last_good = proptest::collection::btree_map(an_id(), vec((an_id(), an_id()), 0..4), 0..4);
    let head = (a_wall(), any::<u64>(), "[0-9A-Z]{0,26}", any::<u64>());
    let admin = vec("https://[a-z]{1,9}:8653".prop_map(|at| at.parse().unwrap()), 0..3);
    let peer = (option::of(an_id()), option::of(an_id()), a_wall(), admin)
        .prop_map(|(region, provider, heard, admin)| Known { region, provider, heard, admin });
    let known = proptest::collection::btree_map(an_id(), peer, 0..4);
    let ended = proptest::collection::btree_map(an_override_id(), a_wall(), 0..4);
    let delays = proptest::collection::btree_map(a_target(), delays(), 0..4);
    let lately = vec((an_override(), a_while()), 0..3);
    let braked = (any::<bool>(), vec((an_id(), a_while()), 0..3)).prop_map(|(frozen, left)| Braked { frozen, left });
    (head, vec(an_override(), 0..4), verdicts, (ended, known, delays, lately, braked), last_good).prop_map(
        |((at, generation, epoch, store_generation), overrides, verdicts, others, last_good)| Memory {
            ended: others.0,
            known: others.1,
            delays: others.2,
            lately: others.3,
            braked: others.4,
            at,
            generation,
            epoch,
            store_generation,
            overrides,
            verdicts,
            last_good,
        },
    )
}
