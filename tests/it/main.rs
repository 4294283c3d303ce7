//! Everything that is tested from outside: one binary, so that it links once.

mod store_contract;
