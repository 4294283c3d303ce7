//! What is counted in the window.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use super::{Measured, Order};
use crate::process::{Core, Cpu, core, cpu, resident};

/// Buckets of each doubling of the time: 3 % wide at most.
const FINE: u32 = 32;

/// Counts from the end of the warming up on.
pub(super) struct Meter<'o> {
    order: &'o Order,
    /// When it was made.
    pub(super) begun: Instant,
    window: Option<Window>,
    pub(super) counts: Measured,
    times: Vec<u32>,
    idle: Duration,
    idle_since: Option<Instant>,
}

struct Window {
    from: Instant,
    cpu: Cpu,
    own: f64,
    core: Core,
}

impl<'o> Meter<'o> {
    pub(super) fn new(order: &'o Order) -> Self {
        Self {
            order,
            begun: Instant::now(),
            window: None,
            counts: Measured::default(),
            times: vec![0; FINE as usize * 40],
            idle: Duration::ZERO,
            idle_since: None,
        }
    }

    /// Opens the window when its time has come; true when it is over.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        match &self.window {
            None if now - self.begun >= Duration::from_secs_f64(self.order.warm) => {
                self.counts = Measured::default();
                self.times.fill(0);
                self.idle = Duration::ZERO;
                self.idle_since = None;
                let (cpu, own, core) = (cpu(&self.order.pids), own(), core(self.order.core));
                self.window = Some(Window { from: Instant::now(), cpu, own, core });
                false
            }
            None => false,
            Some(window) => now - window.from >= Duration::from_secs_f64(self.order.seconds),
        }
    }

    /// A turn of the loop found something to do, or did not.
    pub(super) fn turn(&mut self, now: Instant, worked: bool) {
        match (worked, self.idle_since) {
            (false, None) => self.idle_since = Some(now),
            (true, Some(since)) => {
                self.idle += now - since;
                self.idle_since = None;
            }
            _ => {}
        }
    }

    /// Takes a reply in; false if it is none.
    pub(super) fn reply(&mut self, octets: &[u8], after: Duration) -> bool {
        let Some(header) = octets.first_chunk::<12>() else { return false };
        let counts = &mut self.counts;
        counts.answered += 1;
        counts.octets += octets.len() as u64;
        counts.rcodes[usize::from(header[3] & 15)] += 1;
        counts.records += u64::from(u16::from_be_bytes([header[6], header[7]]));
        counts.truncated += u64::from(header[2] >> 1 & 1);
        let bucket = bucket(after.as_nanos() as u64).min(self.times.len() - 1);
        self.times[bucket] += 1;
        true
    }

    pub(super) fn finish(mut self) -> Measured {
        let window = self.window.take().expect("the loop ran to the end of the window");
        let after = cpu(&self.order.pids);
        let seconds = window.from.elapsed().as_secs_f64();
        let (own, core) = (own() - window.own, core(self.order.core));
        let spent = (after.total.saturating_sub(window.cpu.total)).as_secs_f64();
        let busy = core.busy - window.core.busy;
        Measured {
            seconds,
            p50: self.quantile(0.5),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            cpu: spent,
            user: after.user.saturating_sub(window.cpu.user),
            system: after.system.saturating_sub(window.cpu.system),
            resident: resident(&self.order.pids),
            own: own / seconds,
            slack: self.idle.as_secs_f64() / seconds,
            foreign: ((busy - spent) / seconds).max(0.0),
            stolen: (core.stolen - window.core.stolen) / seconds,
            ..self.counts
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let all: u64 = self.times.iter().map(|n| u64::from(*n)).sum();
        let mut left = (all as f64 * share) as u64;
        for (bucket, count) in self.times.iter().enumerate() {
            if u64::from(*count) > left {
                return middle(bucket) / 1e3;
            }
            left -= u64::from(*count);
        }
        0.0
    }
}

fn bucket(ns: u64) -> usize {
    let ns = ns.max(u64::from(FINE));
    let shift = ns.ilog2() - FINE.ilog2();
    (shift * FINE) as usize + (ns >> shift) as usize - FINE as usize
}

fn middle(bucket: usize) -> f64 {
    let (shift, part) = (bucket / FINE as usize, bucket % FINE as usize);
    (FINE as usize + part) as f64 * (1_u64 << shift) as f64 + (1_u64 << shift) as f64 / 2.0
}

fn own() -> f64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0.0 };
    let (user, system) = (usage.user_time(), usage.system_time());
    (user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6
}
