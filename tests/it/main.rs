//! Everything that is tested from outside: one binary, so that it links once.

mod dns_answers;
mod dns_doors;
mod dns_handler;
mod dns_world;
mod failover;
mod journal;
mod operate;
mod sim;
mod store_contract;
mod store_files;
mod support;
mod tidy;
