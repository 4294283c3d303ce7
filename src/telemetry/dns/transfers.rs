//! Counts about secondaries: what they fetched, what they were told.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

/// What a secondary asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// The whole zone.
    Axfr,
    /// What it lacks.
    Ixfr,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferOutcome {
    /// All of it was made.
    Done,
    /// The client went, or was too slow.
    Cut,
    /// It may not have the zone.
    Refused,
    /// Too many at once.
    Busy,
}

/// What became of telling a secondary that a zone changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyOutcome {
    /// It answered.
    Answered,
    /// It answered that it will not hear of it.
    Refused,
    /// It never answered; it finds out by itself.
    Unanswered,
}

impl TransferKind {
    const WORDS: [&str; 2] = ["axfr", "ixfr"];
}

impl TransferOutcome {
    const WORDS: [&str; 4] = ["done", "cut", "refused", "busy"];
}

impl NotifyOutcome {
    const WORDS: [&str; 3] = ["answered", "refused", "unanswered"];
}

impl fmt::Display for TransferKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS[*self as usize])
    }
}

#[derive(Debug, Default)]
pub(super) struct Transfers {
    transfers: [[AtomicU64; TransferOutcome::WORDS.len()]; TransferKind::WORDS.len()],
    notifies: [AtomicU64; NotifyOutcome::WORDS.len()],
    serials: Mutex<BTreeMap<String, u32>>,
}

impl super::DnsMetrics {
    /// A secondary asked for a zone.
    pub fn transfer(&self, kind: TransferKind, outcome: TransferOutcome) {
        self.transfers.transfers[kind as usize][outcome as usize].fetch_add(1, Relaxed);
    }

    /// A secondary was told.
    pub fn notified(&self, outcome: NotifyOutcome) {
        self.transfers.notifies[outcome as usize].fetch_add(1, Relaxed);
    }

    /// The serials of all zones with secondaries.
    pub fn serials(&self, all: impl Iterator<Item = (String, u32)>) {
        *self.transfers.serials.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }
}

impl Transfers {
    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counter = MetricType::Counter;
        let help = "Zones that secondaries asked for, by what became of it";
        let mut family = encoder.encode_descriptor("dns_transfers", help, None, counter)?;
        for (kind, by_outcome) in TransferKind::WORDS.iter().zip(&self.transfers) {
            for (outcome, cell) in TransferOutcome::WORDS.iter().zip(by_outcome) {
                let labels = [("kind", *kind), ("outcome", outcome)];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
            }
        }
        let help = "Secondaries told of a change, by what became of it";
        let mut family = encoder.encode_descriptor("dns_notifies", help, None, counter)?;
        for (outcome, cell) in NotifyOutcome::WORDS.iter().zip(&self.notifies) {
            family
                .encode_family(&[("outcome", *outcome)])?
                .encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
        }
        let help = "The serial of a zone that has secondaries";
        let mut family = encoder.encode_descriptor("dns_zone_serial", help, None, MetricType::Gauge)?;
        for (zone, serial) in &*self.serials.lock().unwrap_or_else(PoisonError::into_inner) {
            family.encode_family(&[("zone", zone.as_str())])?.encode_gauge(&i64::from(*serial))?;
        }
        Ok(())
    }
}
