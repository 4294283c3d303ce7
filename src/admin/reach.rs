//! What an override takes in and which others it competes with (DECIDING section 5).

use std::collections::BTreeSet;

use super::picture::Picture;
use crate::{
    judge::orders::scope,
    model::{Action, EndpointId, EndpointIx, Fleet, Override, OverrideId, PoolIx, Selector, ServiceIx, Snapshot},
};

/// Everything a selector takes in, as selectors of single things; empty when it matches nothing.
pub(super) fn matches(fleet: &Fleet, target: &Selector) -> Vec<String> {
    let mut found: Vec<String> = match target {
        Selector::Pool(glob) => {
            let pools = fleet.pools.iter().filter(|pool| glob.fits(pool.id.as_str()));
            pools.map(|pool| format!("pool:{}", pool.id)).collect()
        }
        Selector::Service(glob) => {
            let services = fleet.services.iter().filter(|service| glob.fits(service.id.as_str()));
            services.map(|service| format!("service:{}", service.id)).collect()
        }
        Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_) | Selector::All => {
            endpoints(fleet, target).map(|ix| format!("endpoint:{}", fleet.endpoint(ix).id)).collect()
        }
    };
    found.sort_unstable();
    found
}

/// The endpoints an endpoint-wide selector takes in.
pub(super) fn endpoints<'f>(fleet: &'f Fleet, target: &'f Selector) -> impl Iterator<Item = EndpointIx> + 'f {
    (0..fleet.endpoints.len()).map(EndpointIx::new).filter(move |ix| fleet.covers(target, *ix))
}

/// One endpoint as a member of one pool in one service: the smallest thing an order applies to.
pub(super) type Membership = (ServiceIx, PoolIx, EndpointIx);

/// Every membership a selector takes in.
pub(super) fn memberships(fleet: &Fleet, target: &Selector) -> BTreeSet<Membership> {
    let mut all = BTreeSet::new();
    for (service, what) in fleet.services() {
        for arm in fleet.arms(what) {
            let pool = fleet.pool(arm.pool);
            let whole = match target {
                Selector::Service(glob) => glob.fits(what.id.as_str()),
                Selector::Pool(glob) => glob.fits(pool.id.as_str()),
                Selector::All => true,
                Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_) => false,
            };
            let members = pool.members.iter().filter(|member| whole || fleet.covers(target, member.endpoint));
            all.extend(members.map(|member| (service, arm.pool, member.endpoint)));
        }
    }
    all
}

/// Overrides of one lane that are compared with a new one; beyond it the answer names fewer than there are.
const RIVALS_MAX: usize = 1000;

/// The other overrides of its lane whose memberships meet its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rivals {
    /// It wins against these.
    pub(super) beaten: Vec<OverrideId>,
    /// These win.
    pub(super) beat_it: Vec<OverrideId>,
}

pub(super) fn rivals<'o>(fleet: &Fleet, order: &Override, others: impl Iterator<Item = &'o Override>) -> Rivals {
    let mut rivals = Rivals::default();
    let others = others.filter(|other| other.action.lane() == order.action.lane());
    // Two that never hold together do not compete.
    let others = others.filter(|other| other.from < order.expires && order.from < other.expires);
    let mut others = others.take(RIVALS_MAX).peekable();
    if others.peek().is_none() {
        return rivals;
    }
    let own = memberships(fleet, &order.target);
    for other in others {
        if memberships(fleet, &other.target).is_disjoint(&own) {
            continue;
        }
        if wins(order, other) {
            rivals.beaten.push(other.id.clone());
        } else {
            rivals.beat_it.push(other.id.clone());
        }
    }
    rivals
}

/// Whether `one` wins where both apply.
fn wins(one: &Override, other: &Override) -> bool {
    if one.local != other.local {
        return one.local;
    }
    let older_up = |up: &Override, out: &Override| {
        up.action == Action::Up && matches!(out.action, Action::Drain | Action::Down) && up.id < out.id
    };
    if older_up(one, other) {
        return false;
    }
    if older_up(other, one) {
        return true;
    }
    let rank = |order: &Override| (scope(&order.target), caution(&order.action));
    match rank(one).cmp(&rank(other)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Greater => false,
        std::cmp::Ordering::Equal => other.id < one.id,
    }
}

/// The more conservative first; for weights the smaller.
fn caution(action: &Action) -> u32 {
    match action {
        Action::Down => 0,
        Action::Drain => 1,
        Action::Up => 2,
        Action::Weight(weight) => u32::from(weight.0),
        Action::Pin(_) | Action::Freeze => 0,
    }
}

/// What a drain leaves in service because there is nothing else.
pub(super) fn kept(picture: &Picture<'_>, order: &Override) -> Vec<EndpointId> {
    if order.action != Action::Drain {
        return Vec::new();
    }
    let fleet = picture.fleet();
    let taken = memberships(fleet, &order.target);
    let services: BTreeSet<ServiceIx> = taken.iter().map(|(service, _, _)| *service).collect();
    let mut kept = BTreeSet::new();
    for service in services {
        let decision = picture.decision(service);
        let ours = |endpoint: &&EndpointIx| taken.iter().any(|(of, _, drained)| *of == service && drained == *endpoint);
        kept.extend(decision.kept().iter().filter(ours).map(|endpoint| fleet.endpoint(*endpoint).id.clone()));
    }
    kept.into_iter().collect()
}

/// Whether a snapshot was decided with this version of an override.
pub(super) fn shows(snapshot: &Snapshot, order: &Override) -> bool {
    let mut all = snapshot.overrides.iter().chain(&*snapshot.planned);
    all.any(|known| known.id == order.id && order.generation <= known.generation)
}

/// Whether a snapshot was decided with any version of an override.
pub(super) fn knows(snapshot: &Snapshot, id: &OverrideId) -> bool {
    snapshot.overrides.iter().chain(&*snapshot.planned).any(|known| known.id == *id)
}
