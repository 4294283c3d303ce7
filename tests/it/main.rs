//! Everything that is tested from outside: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub, reason = "tests panic")]

#[cfg(feature = "etcd")]
mod canary;
#[cfg(feature = "etcd")]
mod carried;
mod deploy;
mod dns_answers;
mod dns_doors;
mod dns_equal;
mod dns_handler;
mod dns_places;
mod dns_shares;
mod dns_steered;
mod dns_twin;
mod dns_world;
mod durable;
mod failover;
mod feeds;
#[cfg(feature = "etcd")]
mod fleet;
#[cfg(feature = "etcd")]
mod fleet_direct;
mod flood;
mod foresight;
#[cfg(feature = "etcd")]
mod glass;
mod guard;
mod hostile;
mod journal;
#[cfg(feature = "etcd")]
mod migrate;
mod mmdb;
mod operate;
mod pages;
mod scale;
mod secondary;
#[cfg(feature = "etcd")]
mod shared;
mod sim;
mod store_adopt;
mod store_backup;
mod store_contract;
#[cfg(feature = "etcd")]
mod store_etcd;
mod store_files;
mod store_seal;
#[cfg(feature = "etcd")]
mod store_slips;
mod support;
mod tidy;
mod transfer;
mod transfer_hostile;
mod unbound;
