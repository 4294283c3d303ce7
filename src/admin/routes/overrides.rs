//! Overrides: list, create, extend, end.
//!
//! A change goes through the store and comes back to this node as to every other; the answer waits until this node's
//! answers follow it.

mod change;
mod desk;
mod effect;
mod list;
mod local;

pub(super) use self::{
    change::{create, end, extend},
    effect::blocker,
    list::{one, overrides},
    local::promote,
};
