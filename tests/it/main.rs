//! Everything that is tested from outside: one binary, so that it links once.

mod journal;
mod store_contract;
mod store_files;
//! Tests of the whole: the deciding core under a simulator.

mod sim;
