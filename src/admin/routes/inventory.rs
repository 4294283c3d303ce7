//! What exists and how it is: services, pools, endpoints, providers, regions, checks.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

use crate::{
    admin::{
        ask::{Asked, Named, Nothing},
        auth::Viewer,
        edge::Spoken,
        problem::Problem,
        recent::Recent,
        seen::Seen,
        tell::{Told, page},
        views::{
            CheckView, EndpointView, GroupView, Page, PoolView, ServiceView,
            word::{Word as _, listed},
        },
    },
    model::{CheckIx, EndpointIx, Glob, Health, PoolIx, ServiceIx},
};

/// Which entries, and which page of them. Texts may hold `*` and `?`; a filter that a list does not know is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    limit: Option<usize>,
    cursor: Option<String>,
    id: Option<String>,
    verdict: Option<String>,
    provider: Option<String>,
    region: Option<String>,
    label: Option<String>,
    pool: Option<String>,
    service: Option<String>,
}

impl Filter {
    /// Refuses filters that mean nothing in this list.
    fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let given = [
            ("verdict", self.verdict.is_some()),
            ("provider", self.provider.is_some()),
            ("region", self.region.is_some()),
            ("label", self.label.is_some()),
            ("pool", self.pool.is_some()),
            ("service", self.service.is_some()),
        ];
        match given.into_iter().find(|(name, given)| *given && !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad(name, format!("this list has no filter `{name}`"))
                .hint(format!("its filters are id, {}", known.join(", ")))),
        }
    }

    fn has_id(&self, id: &str) -> bool {
        fits(self.id.as_deref(), id)
    }

    /// The verdicts wanted: `down`, or `down,degraded`.
    fn verdicts(&self) -> Result<Option<Vec<Health>>, Problem> {
        let Some(text) = &self.verdict else { return Ok(None) };
        let read = |word: &str| {
            Health::read(word.trim()).ok_or_else(|| {
                Problem::bad("verdict", format!("`{word:.40}` is no verdict: {} is", listed::<Health>()))
            })
        };
        text.split(',').map(read).collect::<Result<_, _>>().map(Some)
    }
}

fn fits(glob: Option<&str>, text: &str) -> bool {
    glob.is_none_or(|glob| Glob::from(glob).fits(text))
}

fn wanted(verdicts: Option<&[Health]>, verdict: Health) -> bool {
    verdicts.is_none_or(|wanted| wanted.contains(&verdict))
}

pub(super) async fn services(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
) -> Result<Told<Page<ServiceView>>, Problem> {
    filter.only(&["verdict", "pool"])?;
    let verdicts = filter.verdicts()?;
    let picture = seen.picture();
    let fleet = picture.fleet();
    let found = fleet.services().filter(|(ix, service)| {
        filter.has_id(service.id.as_str())
            && (filter.pool.is_none()
                || fleet.arms(service).any(|arm| fits(filter.pool.as_deref(), fleet.pool(arm.pool).id.as_str())))
            && (verdicts.is_none() || wanted(verdicts.as_deref(), ServiceView::of(&picture, *ix).verdict))
    });
    let keys = found.map(|(ix, service)| (service.id.as_str(), ix.index()));
    let view = |place| ServiceView::of(&picture, ServiceIx::new(place));
    page(keys, filter.limit, filter.cursor.as_deref(), view).map(Told::of)
}

fn find_service(seen: &Seen, id: &str) -> Result<ServiceIx, Problem> {
    let found = id.parse().ok().and_then(|id| seen.snapshot.fleet.find_service(&id));
    found.ok_or_else(|| Problem::no("service", id))
}

pub(super) async fn service(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
) -> Result<Told<ServiceView>, Problem> {
    Ok(Told::of(ServiceView::of(&seen.picture(), find_service(&seen, &id)?)))
}

/// For other load balancers: 200 up, 429 degraded, 503 down or unknown, as Consul's health endpoint has it.
pub(super) async fn service_up(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
) -> Result<Response, Problem> {
    let verdict = ServiceView::of(&seen.picture(), find_service(&seen, &id)?).verdict;
    let status = match verdict {
        Health::Up => StatusCode::OK,
        Health::Degraded => StatusCode::TOO_MANY_REQUESTS,
        Health::Unknown | Health::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, format!("{verdict}\n")).into_response();
    response.extensions_mut().insert(Spoken);
    Ok(response)
}

pub(super) async fn pools(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
) -> Result<Told<Page<PoolView>>, Problem> {
    filter.only(&["verdict", "service"])?;
    let verdicts = filter.verdicts()?;
    let picture = seen.picture();
    let pools = picture.fleet().pools.iter().enumerate();
    let found = pools.filter(|(place, pool)| {
        let ix = PoolIx::new(*place);
        filter.has_id(pool.id.as_str())
            && (filter.service.is_none()
                || picture.users_of(ix).any(|(_, service)| fits(filter.service.as_deref(), service.id.as_str())))
            && (verdicts.is_none() || wanted(verdicts.as_deref(), PoolView::of(&picture, ix).verdict))
    });
    let keys = found.map(|(place, pool)| (pool.id.as_str(), place));
    let view = |place| PoolView::of(&picture, PoolIx::new(place));
    page(keys, filter.limit, filter.cursor.as_deref(), view).map(Told::of)
}

pub(super) async fn pool(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
) -> Result<Told<PoolView>, Problem> {
    let found = id.parse().ok().and_then(|id| seen.snapshot.fleet.find_pool(&id));
    let ix = found.ok_or_else(|| Problem::no("pool", &id))?;
    Ok(Told::of(PoolView::of(&seen.picture(), ix)))
}

pub(super) async fn endpoints(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
    State(recent): State<Arc<Recent>>,
) -> Result<Told<Page<EndpointView>>, Problem> {
    filter.only(&["verdict", "provider", "region", "label", "pool", "service"])?;
    let verdicts = filter.verdicts()?;
    let label = match filter.label.as_deref().map(|label| label.split_once('=')) {
        None => None,
        Some(Some(label)) => Some(label),
        Some(None) => return Err(Problem::bad("label", "a label is key=value, where the value may hold `*`")),
    };
    let picture = seen.picture();
    let fleet = picture.fleet();
    let in_uses = |ix: EndpointIx| {
        if filter.pool.is_none() && filter.service.is_none() {
            return true;
        }
        let pools = fleet.pools.iter().enumerate().filter(|(_, pool)| {
            fits(filter.pool.as_deref(), pool.id.as_str()) && pool.members.iter().any(|member| member.endpoint == ix)
        });
        let mut pools = pools.map(|(place, _)| PoolIx::new(place));
        pools.any(|pool| {
            filter.service.is_none()
                || picture.users_of(pool).any(|(_, service)| fits(filter.service.as_deref(), service.id.as_str()))
        })
    };
    let found = fleet.endpoints.iter().enumerate().filter(|(place, endpoint)| {
        let ix = EndpointIx::new(*place);
        filter.has_id(endpoint.id.as_str())
            && fits(filter.provider.as_deref(), endpoint.provider.as_str())
            && fits(filter.region.as_deref(), endpoint.region.as_str())
            && label.is_none_or(|(key, value)| endpoint.labels.get(key).is_some_and(|own| fits(Some(value), own)))
            && in_uses(ix)
            && (verdicts.is_none() || wanted(verdicts.as_deref(), picture.endpoint(ix).verdict))
    });
    let keys = found.map(|(place, endpoint)| (endpoint.id.as_str(), place));
    let view = |place| EndpointView::of(&picture, &recent, EndpointIx::new(place));
    page(keys, filter.limit, filter.cursor.as_deref(), view).map(Told::of)
}

/// Where an endpoint stands, by id or alias.
pub(super) fn find_endpoint(seen: &Seen, id: &str) -> Result<EndpointIx, Problem> {
    seen.snapshot.fleet.find_endpoint(id).ok_or_else(|| Problem::no("endpoint", id))
}

pub(super) async fn endpoint(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
    State(recent): State<Arc<Recent>>,
) -> Result<Told<EndpointView>, Problem> {
    Ok(Told::of(EndpointView::of(&seen.picture(), &recent, find_endpoint(&seen, &id)?)))
}

/// Providers or regions: the same list of groups.
fn groups(filter: &Filter, groups: Vec<GroupView>) -> Result<Told<Page<GroupView>>, Problem> {
    filter.only(&["verdict"])?;
    let verdicts = filter.verdicts()?;
    let found = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| filter.has_id(&group.id) && wanted(verdicts.as_deref(), group.verdict));
    let keys = found.map(|(place, group)| (group.id.as_str(), place));
    page(keys, filter.limit, filter.cursor.as_deref(), |place| groups[place].clone()).map(Told::of)
}

pub(super) async fn providers(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
) -> Result<Told<Page<GroupView>>, Problem> {
    let picture = seen.picture();
    groups(&filter, picture.fleet().providers.iter().map(|one| GroupView::of_provider(&picture, one)).collect())
}

pub(super) async fn provider(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
) -> Result<Told<GroupView>, Problem> {
    let picture = seen.picture();
    let found = id.parse().ok().and_then(|id| picture.fleet().provider(&id));
    found.map(|one| Told::of(GroupView::of_provider(&picture, one))).ok_or_else(|| Problem::no("provider", &id))
}

pub(super) async fn regions(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
) -> Result<Told<Page<GroupView>>, Problem> {
    let picture = seen.picture();
    groups(&filter, picture.fleet().regions.iter().map(|one| GroupView::of_region(&picture, one)).collect())
}

pub(super) async fn region(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
) -> Result<Told<GroupView>, Problem> {
    let picture = seen.picture();
    let found = id.parse().ok().and_then(|id| picture.fleet().region(&id));
    found.map(|one| Told::of(GroupView::of_region(&picture, one))).ok_or_else(|| Problem::no("region", &id))
}

pub(super) async fn checks(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
) -> Result<Told<Page<CheckView>>, Problem> {
    filter.only(&[])?;
    let fleet = &seen.snapshot.fleet;
    let found = fleet.checks.iter().enumerate().filter(|(_, check)| filter.has_id(check.id.as_str()));
    let keys = found.map(|(place, check)| (check.id.as_str(), place));
    let view = |place| CheckView::of(fleet, CheckIx::new(place));
    page(keys, filter.limit, filter.cursor.as_deref(), view).map(Told::of)
}

pub(super) async fn check(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
) -> Result<Told<CheckView>, Problem> {
    let fleet = &seen.snapshot.fleet;
    let found = id.parse().ok().and_then(|id| fleet.find_check(&id));
    found.map(|ix| Told::of(CheckView::of(fleet, ix))).ok_or_else(|| Problem::no("check", &id))
}
