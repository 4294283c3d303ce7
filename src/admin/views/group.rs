//! Providers and regions: `GET /v1/providers`, `GET /v1/regions`. One shape: both are groups that share a fate.

use serde::{Deserialize, Serialize};

use super::{HealthCounts, word};
use crate::{
    admin::picture::{Picture, verdict_of},
    model::{Endpoint, EndpointIx, Health, OverrideId, Provider, Region, Selector},
};

/// A provider or a region with the state of its endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its id.
    pub id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Latitude and longitude, for regions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<[f64; 2]>,
    /// `up`: all endpoints work; `down`: none does; `unknown`: nobody knows of any; else `degraded`.
    #[serde(with = "word")]
    pub verdict: Health,
    /// Its endpoints.
    pub endpoints: HealthCounts,
    /// Overrides in force whose target is this group, or everything.
    pub overrides: Vec<OverrideId>,
}

impl GroupView {
    pub(in crate::admin) fn of_provider(picture: &Picture<'_>, provider: &Provider) -> Self {
        Self::of(
            picture,
            provider.id.as_str(),
            provider.title.clone(),
            None,
            |endpoint| endpoint.provider == provider.id,
            |target| match target {
                Selector::Provider(glob) => glob.fits(provider.id.as_str()),
                Selector::Endpoint(_)
                | Selector::Pool(_)
                | Selector::Service(_)
                | Selector::Label(..)
                | Selector::Region(_) => false,
                Selector::All => true,
            },
        )
    }

    pub(in crate::admin) fn of_region(picture: &Picture<'_>, region: &Region) -> Self {
        Self::of(
            picture,
            region.id.as_str(),
            region.title.clone(),
            region.at.map(|(latitude, longitude)| [latitude, longitude]),
            |endpoint| endpoint.region == region.id,
            |target| match target {
                Selector::Region(glob) => glob.fits(region.id.as_str()),
                Selector::Endpoint(_)
                | Selector::Pool(_)
                | Selector::Service(_)
                | Selector::Label(..)
                | Selector::Provider(_) => false,
                Selector::All => true,
            },
        )
    }

    fn of(
        picture: &Picture<'_>,
        id: &str,
        title: Option<String>,
        at: Option<[f64; 2]>,
        has: impl Fn(&Endpoint) -> bool,
        is_target: impl Fn(&Selector) -> bool,
    ) -> Self {
        let all = picture.fleet().endpoints.iter().enumerate();
        let endpoints =
            picture.count(all.filter(|(_, endpoint)| has(endpoint)).map(|(place, _)| EndpointIx::new(place)));
        Self {
            id: id.to_owned(),
            title,
            at,
            verdict: verdict_of(&endpoints),
            endpoints,
            overrides: picture.aimed_at(is_target),
        }
    }
}
