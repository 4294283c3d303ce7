//! Everything that is tested from outside: one binary, so that it links once.

mod journal;
mod sim;
mod store_contract;
mod store_files;
