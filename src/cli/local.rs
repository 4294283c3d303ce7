//! Verbs that need no node: tools on files, and the program about itself.

pub(super) mod about;
pub(super) mod check;
pub(super) mod config;
pub(super) mod place;
pub(super) mod places;
