//! Everything that is tested from outside: one binary, so that it links once.
#![allow(clippy::unwrap_used, reason = "clippy lets tests unwrap, but not their helpers")]

mod dns_answers;
mod dns_doors;
mod dns_handler;
mod dns_world;
