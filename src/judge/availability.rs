//! The mathematics of availability: what was measured, and what a model of it says.
//!
//! Measured: down times from recorded transitions ([`timeline`]). Modelled: how much of a year a service is lost, from
//! how often regions fail, how long a failover takes and how long resolvers remember the old answer.
//!
//! The model, in the order of its terms:
//!
//! - **Detection.** The failure falls anywhere into an interval; the `k`-th of `n` vantages that probe at even phases
//!   sees it after `k / (n + 1)` of it on average. Then `fall - 1` rechecks and a timeout follow.
//! - **TTL tail.** A resolver that keeps to the TTL holds an old answer for half of it on average. Some do not: 19 % of
//!   requests go on to the old address with a time constant of one minute and 3 % with one of 37 minutes (fitted to Flavel,
//!   Mani and Maltz, "Re-evaluating the responsiveness of DNS-based network control", LANMAN 2014, where with a TTL of
//!   20 s a tenth of the requests still went to the old address after a minute and 2 % after a quarter of an hour).
//! - **Redundancy.** All regions are out together by chance, or for a cause they share (the beta factor of reliability
//!   engineering, IEC 61508-6 annex D).
//! - **False failovers.** A probe fails with a small chance though the endpoint is up; `fall` in a row at the quorum of
//!   vantages turn it out. The beta factor bounds what more vantages can buy.

pub mod timeline;

use std::time::Duration;

/// The shortest history that says something of a year. A region of 99.9 % is out for an hour about nine times a year, so
/// that four weeks hold one such outage or none; of a day or an hour a model would make an average for life.
pub const MEASURED_LEAST: Duration = Duration::from_secs(28 * 24 * 3600);
/// From the last probe that was needed to the verdict, at worst, in seconds: jitter of the probes and the decision. The
/// same second that `check` counts (DECIDING section 2).
const DECIDING_S: f64 = 1.0;
/// Minutes of a year (365.25 days).
pub const YEAR_MIN: f64 = 525_960.0;
/// Part of the requests that outlive the TTL by a minute.
const TAIL_SHORT: f64 = 0.19;
/// Its time constant in seconds.
const TAIL_SHORT_S: f64 = 60.0;
/// Part of the requests that outlive the TTL by much more.
const TAIL_LONG: f64 = 0.03;
/// Its time constant in seconds.
const TAIL_LONG_S: f64 = 2_200.0;

/// A region as the model sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Site {
    /// How much of the time it works; 0 to 1.
    pub availability: f64,
    /// How long an outage lasts on average.
    pub repair: Duration,
    /// Its part of the traffic; those of all sites make 1.
    pub share: f64,
}

/// How a failure is found and passed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Time between two probes.
    pub interval: Duration,
    /// The wait between probes while a standing wavers; at most the interval.
    pub recheck: Duration,
    /// How long a probe that meets silence takes.
    pub timeout: Duration,
    /// Failures in a row until down.
    pub fall: u32,
    /// Vantages that probe; at least 1.
    pub vantages: u32,
    /// How many of them must say so; 1 to `vantages`.
    pub needed: u32,
    /// From the decision to the answers.
    pub propagation: Duration,
    /// How long resolvers may remember.
    pub ttl: Duration,
}

/// What the model takes for granted; shown with its results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumptions {
    /// Part of the outages that all regions share a cause of; 0 to 1.
    pub common_cause: f64,
    /// Chance that one probe fails though the endpoint is up.
    pub probe_error: f64,
    /// Availability of all name servers together.
    pub dns: f64,
}

impl Default for Assumptions {
    /// One per cent of outages shared, one probe in a thousand fails by itself, DNS at two providers of 99.99 % each.
    fn default() -> Self {
        Self { common_cause: 0.01, probe_error: 0.001, dns: 1.0 - 0.0001 * 0.0001 }
    }
}

/// A model of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Where it stands; at least one.
    pub sites: Vec<Site>,
    /// How failures are found.
    pub detection: Detection,
    /// What is taken for granted.
    pub assumptions: Assumptions,
}

/// What a model comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// From a failure to the decision, on average, in seconds.
    pub decision_mean_s: f64,
    /// The same at worst.
    pub decision_worst_s: f64,
    /// From a failure until a user is served again, on average over users of resolvers that keep to the TTL, in seconds.
    pub failover_mean_s: f64,
    /// The same at worst.
    pub failover_worst_s: f64,
    /// Part of the requests that still go to the old address so long after the decision.
    pub still_old_after_ttl: f64,
    /// Failovers a year.
    pub failovers: f64,
    /// Minutes a year in which all regions are out.
    pub all_out_min: f64,
    /// Minutes a year lost while failing over, by all users together.
    pub failing_over_min: f64,
    /// Minutes a year without DNS.
    pub dns_min: f64,
    /// How much of the time users are served; 0 to 1.
    pub availability: f64,
    /// Failovers a year that nothing asked for.
    pub false_failovers: f64,
}

impl Detection {
    /// From the failure to the decision of one vantage alone, and of the needed one of all, on average, in seconds.
    fn mean_s(&self) -> f64 {
        let order = f64::from(self.needed) / (f64::from(self.vantages) + 1.0);
        order * self.interval.as_secs_f64() + self.confirming_s() + self.timeout.as_secs_f64()
    }

    /// The same when the failure falls right behind a probe.
    fn worst_s(&self) -> f64 {
        let timeouts = f64::from(self.fall) * self.timeout.as_secs_f64();
        self.interval.as_secs_f64() + self.confirming_s() + timeouts + DECIDING_S
    }

    fn confirming_s(&self) -> f64 {
        f64::from(self.fall.saturating_sub(1)) * self.recheck.min(self.interval).as_secs_f64()
    }
}

impl Model {
    /// Computes it.
    #[must_use]
    pub fn forecast(&self) -> Forecast {
        let Self { sites, detection, assumptions } = self;
        let propagation = detection.propagation.as_secs_f64();
        let ttl = detection.ttl.as_secs_f64();
        let decision_mean_s = detection.mean_s() + propagation;
        let decision_worst_s = detection.worst_s() + propagation;
        // Of the users that are hit: a compliant one waits half a TTL, the others much longer.
        let compliant = 1.0 - TAIL_SHORT - TAIL_LONG;
        let hit_s = decision_mean_s + compliant * ttl / 2.0 + TAIL_SHORT * TAIL_SHORT_S + TAIL_LONG * TAIL_LONG_S;
        let rate = |site: &Site| {
            let repair_min = (site.repair.as_secs_f64() / 60.0).max(f64::EPSILON);
            YEAR_MIN * (1.0 - site.availability) / repair_min
        };
        let alone = sites.len() < 2;
        // With one region there is nowhere to fail over to: the whole outage is lost, and it is in `all_out`.
        let failovers = if alone { 0.0 } else { sites.iter().map(rate).sum() };
        let failing_over_min =
            if alone { 0.0 } else { sites.iter().map(|site| rate(site) * site.share * hit_s / 60.0).sum() };
        let beta = if alone { 0.0 } else { assumptions.common_cause };
        let worst = sites.iter().map(|site| 1.0 - site.availability).fold(0.0, f64::max);
        let by_chance: f64 = sites.iter().map(|site| (1.0 - beta) * (1.0 - site.availability)).product();
        let all_out_min = (beta * worst + by_chance) * YEAR_MIN;
        let dns_min = (1.0 - assumptions.dns) * YEAR_MIN;
        let lost = (all_out_min + failing_over_min + dns_min).min(YEAR_MIN);
        Forecast {
            decision_mean_s,
            decision_worst_s,
            failover_mean_s: decision_mean_s + ttl / 2.0,
            failover_worst_s: decision_worst_s + ttl,
            still_old_after_ttl: still_old(ttl, ttl),
            failovers,
            all_out_min,
            failing_over_min,
            dns_min,
            availability: 1.0 - lost / YEAR_MIN,
            false_failovers: self.false_failovers(),
        }
    }

    /// How often a year something is taken out though it works.
    fn false_failovers(&self) -> f64 {
        let Detection { interval, fall, vantages, needed, .. } = self.detection;
        let q = self.assumptions.probe_error;
        if q <= 0.0 {
            return 0.0;
        }
        let fall = i32::try_from(fall).unwrap_or(i32::MAX);
        let run = q.powi(fall);
        // Mean time until one vantage sees `fall` failures in a row, in intervals.
        let between_s = interval.as_secs_f64() * (1.0 - run) / (run * (1.0 - q));
        // It then thinks so for about two intervals.
        let lasts_s = 2.0 * interval.as_secs_f64();
        let one = lasts_s / (between_s + lasts_s);
        let independent = at_least(vantages, needed, one);
        let beta = if vantages < 2 { 0.0 } else { self.assumptions.common_cause };
        let part = beta * one + (1.0 - beta) * independent;
        part * YEAR_MIN * 60.0 / lasts_s.max(f64::EPSILON)
    }

    /// The same service with something changed.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        change(&mut other);
        other
    }

    /// With one more region that is as good as the others on average.
    #[must_use]
    pub fn with_one_more(&self) -> Self {
        self.with(|model| {
            let count = model.sites.len().max(1) as f64;
            let mean = |of: fn(&Site) -> f64| model.sites.iter().map(of).sum::<f64>() / count;
            let repair = Duration::from_secs_f64(mean(|site| site.repair.as_secs_f64()));
            let site = Site { availability: mean(|site| site.availability), repair, share: 1.0 / (count + 1.0) };
            for site in &mut model.sites {
                site.share *= count / (count + 1.0);
            }
            model.sites.push(site);
        })
    }
}

/// Part of the requests that still go to the old address `after_s` seconds after the answer changed.
#[must_use]
pub fn still_old(ttl_s: f64, after_s: f64) -> f64 {
    let compliant = if ttl_s > 0.0 { (1.0 - after_s / ttl_s).max(0.0) } else { 0.0 };
    (1.0 - TAIL_SHORT - TAIL_LONG) * compliant
        + TAIL_SHORT * (-after_s / TAIL_SHORT_S).exp()
        + TAIL_LONG * (-after_s / TAIL_LONG_S).exp()
}

/// The chance that at least `k` of `n` are so, each with chance `p`.
fn at_least(n: u32, k: u32, p: f64) -> f64 {
    (k..=n).map(|j| choose(n, j) * power(p, j) * power(1.0 - p, n - j)).sum()
}

fn power(base: f64, exponent: u32) -> f64 {
    base.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
}

fn choose(n: u32, k: u32) -> f64 {
    (0..k.min(n - k)).map(|i| f64::from(n - i) / f64::from(i + 1)).product()
}

#[cfg(test)]
mod tests;
