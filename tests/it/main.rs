//! Everything that is tested from outside: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub, reason = "tests panic")]

mod dns_answers;
mod dns_doors;
mod dns_handler;
mod dns_world;
mod failover;
mod hostile;
mod journal;
mod operate;
mod sim;
mod store_contract;
mod store_files;
mod support;
mod tidy;
