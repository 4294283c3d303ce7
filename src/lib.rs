//! wayshift: multi-cloud, DNS-based global failover.
//!
//! One direction: configuration becomes a [`model::Fleet`]; probes make observations; [`control`] turns them, with the
//! store's overrides and the peers' ballots, into a [`model::Snapshot`]; [`steer`] compiles that into an answer table;
//! the [`dns`] doors read it. The deciding core (`model`, `judge`, `steer`, `control`) is pure; the other rooms do what
//! it decided. `tests/it/tidy.rs` holds the floors.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod dns;
pub mod judge;
pub mod model;
pub mod node;
pub mod probe;
pub mod steer;
pub mod store;
pub mod telemetry;
