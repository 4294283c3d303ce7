//! The nouns, valid by construction. This file is the glossary: one word for a thing everywhere - in TOML, code, API,
//! command line and metrics.
//!
//! | word | means |
//! |---|---|
//! | [`Endpoint`] | one place that can serve: IPv4 and/or IPv6 addresses; has a provider and a region |
//! | [`Provider`], [`Region`] | who runs it, where it is; both are shared-fate groups that can be overridden as one |
//! | [`Pool`] | endpoints that stand for one site or tier, with weights and an answer mode |
//! | [`Service`] | names, ordered pools, steering policy |
//! | [`Check`], probe, [`Observation`] | a definition; one execution of it; what it saw |
//! | [`Subject`], [`Target`] | an endpoint under a check; one address of it |
//! | vantage | a node in its role of prober |
//! | standing | one vantage's debounced opinion of a target (room `judge`) |
//! | [`Ballot`] | all standings of one vantage, as published |
//! | [`Presence`] | what a node says of itself beside its ballot |
//! | [`Mode`] | how a node decides, by whom it hears: single, connected, detached, alone; held, frozen |
//! | [`Anchor`] | an unrelated target that proves a node's own network |
//! | [`Duty`] | whether an endpoint is a node's to probe |
//! | [`Verdict`] | what counts: up, degraded, down or unknown, with its cause |
//! | [`Override`] | a person's temporary order: scope, action, reason, author, expiry |
//! | drain | out of the answers, still probed |
//! | [`Snapshot`] | fleet, verdicts and overrides at one instant, with generation and digest |
//! | answer table | what the DNS doors read (room `steer`) |
//! | node | one running wayshift |
//! | store | where overrides, audit and history live (room `store`) |
//!
//! Nothing in here does I/O, reads a clock or draws by chance.

mod anchor;
mod ballot;
mod case;
mod check;
pub mod digest;
mod duty;
mod endpoint;
mod event;
mod feeds;
mod fleet;
mod geo;
mod id;
mod memory;
mod mode;
mod name;
mod observation;
mod overrides;
mod peer_url;
mod policy;
mod position;
mod presence;
mod replication;
mod rollout;
mod selector;
mod serial;
mod service;
mod snapshot;
mod time;
mod token;
mod verdict;
mod zone;

/// Writes and reads enums by one word for each value; the configuration has such enums too.
pub(crate) use self::service::words;
pub use self::{
    anchor::{ANCHOR_INTERVAL, ANCHORS_MAX, Anchor, AnchorAsk},
    ballot::{Ballot, BrakeState, Out, SelfTest, Vote},
    case::{CASES_MAX, Case, CaseQuestion, Whence, WhenceError},
    check::{
        BODY_READ_MAX, CertLimit, Check, CheckKind, Expect, HttpCheck, INTERVAL_MIN, LatencyLimit, PrivateKey, Secret,
        Thresholds, TlsCheck, Window,
    },
    duty::{Duties, Duty, Words, hash},
    endpoint::{Addresses, CheckAt, Endpoint, Family, LoadFeed, OUTAGE_AT, Provider, Region, Resume, Serves, Weight},
    event::{Event, Happening},
    feeds::{Ended, Feeds, Load, Resolved},
    fleet::{Fleet, FleetError, Parts, Subject},
    geo::{Continent, GeoCode, GeoCodeError, Locality, Point},
    id::{CheckId, EndpointId, ID_LENGTH_MAX, IdError, NodeId, PoolId, ProviderId, RegionId, ServiceId},
    memory::{Braked, Delays, Flapped, Known, LastGood, Memory, Remembered},
    mode::{Here, Link, Mode},
    name::{DnsName, LABEL_LENGTH_MAX, NAME_LENGTH_MAX, NameError, NameHash, labels, name_is_within, name_parent},
    observation::{Complaint, Failure, Observation, Outcome, OwnFault, Phases, SubjectId, Target, Tempo},
    overrides::{
        Action, LOCAL_LASTS_MAX, Lane, OVERRIDES_MAX, Override, OverrideId, OverrideIdError, REASON_LENGTH_MAX,
    },
    peer_url::{NotPeerUrl, PeerUrl},
    policy::{
        Alone, FlapHold, KeepRule, Lives, OwnView, PanicBelow, Quorum, ReloadGuard, RemovalBudget, Safety, Startup,
        VerdictPolicy,
    },
    position::{CheckIx, EndpointIx, PoolIx, ServiceIx, SubjectIx},
    presence::{ADMIN_ADDRESSES_MAX, Agreement, Applied, Company, NodeSeen, Presence, Process},
    replication::{Replication, Secondaries, TsigAlgorithm, TsigKey},
    rollout::{Rollout, Stage},
    selector::{Glob, SELECTOR_LENGTH_MAX, Selector, SelectorError},
    serial::Serial,
    service::{
        ANSWER_ENDPOINTS_MAX, Arm, Degraded, Https, Member, MinUp, POOL_MEMBERS_MAX, Pool, PoolAnswer, Rule, Service,
        Steer, Sticky, TRICKLE_WHOLE, Tuning, When, WhenNone,
    },
    snapshot::{Digest, Snapshot, Tempi},
    time::{Mono, Now, Span, SpanError, Wall, WallError, ms},
    token::{TOKEN_SECRET_OCTETS, hash_token, is_token, new_token},
    verdict::{Availability, Cause, Health, Hold, Tally, Verdict},
    zone::{Node, Nodes, OWNER_ASKED, Packing, RECORD_HEAD, Rrset, Sets, Zone, kind},
};
