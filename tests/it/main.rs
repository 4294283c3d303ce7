//! Everything that is tested from outside: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub, reason = "tests panic")]

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
mod guard;
mod hostile;
mod journal;
mod mmdb;
mod operate;
mod pages;
mod scale;
#[cfg(feature = "etcd")]
mod shared;
mod sim;
mod store_adopt;
mod store_contract;
#[cfg(feature = "etcd")]
mod store_etcd;
mod store_files;
mod support;
mod tidy;
mod unbound;
