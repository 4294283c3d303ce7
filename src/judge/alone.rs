//! One failure domain a minute (DECIDING section 4): what a node takes out that hears nobody.
//!
//! A domain is what shares a fate: a region, or a provider. Whatever leaves within a minute lies in one region, or at one
//! provider; what lies elsewhere waits for the next. So a dead region leaves whole, whoever runs its endpoints, and a
//! fault of our own that shows bit by bit takes out little before somebody looks.

use std::time::Duration;

use crate::model::{Endpoint, Mono, ProviderId, RegionId};

/// How long one domain has for itself.
pub const DOMAIN_PER: Duration = Duration::from_secs(60);

/// What has left of late.
#[derive(Debug, Clone, Default)]
pub struct Domains {
    last: Option<Left>,
}

#[derive(Debug, Clone)]
struct Left {
    since: Mono,
    /// Where all of it lies; at least one of both stays known.
    region: Option<RegionId>,
    provider: Option<ProviderId>,
}

impl Domains {
    /// Whether an endpoint may leave now; if so, it has.
    pub fn grant(&mut self, endpoint: &Endpoint, now: Mono) -> bool {
        let Some(left) = self.last.as_mut().filter(|left| now < left.since.plus(DOMAIN_PER)) else {
            let (region, provider) = (Some(endpoint.region.clone()), Some(endpoint.provider.clone()));
            self.last = Some(Left { since: now, region, provider });
            return true;
        };
        let region = left.region.take_if(|region| *region == endpoint.region);
        let provider = left.provider.take_if(|provider| *provider == endpoint.provider);
        if region.is_none() && provider.is_none() {
            return false;
        }
        (left.region, left.provider) = (region, provider);
        true
    }

    /// When another domain may leave.
    #[must_use]
    pub fn next(&self) -> Option<Mono> {
        self.last.as_ref().map(|left| left.since.plus(DOMAIN_PER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::sample;

    #[test]
    fn what_leaves_within_a_minute_shares_a_region_or_a_provider() {
        // e<i> stands in region r<i % 3> at provider p<i % 2>.
        let fleet = sample::fleet(12);
        let check = |leaving: &[(u64, usize)], expected: &[bool]| {
            let mut domains = Domains::default();
            let granted: Vec<bool> =
                leaving.iter().map(|(at, ix)| domains.grant(&fleet.endpoints[*ix], Mono(at * 1000))).collect();
            assert_eq!(granted, expected, "{leaving:?}");
        };
        check(&[(0, 0), (1, 3), (2, 6), (3, 9)], &[true; 4]);
        check(&[(0, 0), (1, 2), (2, 4), (3, 10)], &[true; 4]);
        check(&[(0, 0), (1, 1), (2, 6), (3, 2), (4, 3)], &[true, false, true, true, false]);
        check(&[(0, 0), (1, 3), (2, 2), (59, 2), (60, 2), (61, 3)], &[true, true, false, false, true, false]);
    }
}
