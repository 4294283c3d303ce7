//! From a snapshot to answers: deciding, compiling, looking up, picking, explaining. Pure: values in, values out; chance
//! and turns are arguments.
//!
//! The way: [`decide`](decide::decide) says for one service what may be answered and why; [`compile`] turns all
//! decisions into an [`AnswerTable`]; a door asks [`AnswerTable::lookup`] and [`Steering::pick`]. [`AnswerTable::explain`]
//! replays the same functions and keeps the reasons; [`answers()`] and [`changes`] show what a change does.

mod answers;
pub mod decide;
mod editions;
pub mod explain;
mod facts;
mod https;
mod live;
mod locate;
#[cfg(test)]
#[path = "../tests/it/mmdb.rs"]
pub(crate) mod mmdb;
mod names;
pub mod outlook;
mod pick;
#[cfg(test)]
mod properties;
mod rendezvous;
#[cfg(test)]
pub(crate) mod sample;
mod steering;
mod table;
mod touched;
mod wheel;

pub use self::{
    answers::{AnswerChange, AnswerSet, PoolShare, RuleAt, answers, changes},
    editions::{Edition, Editions, Last, STEP_RECORDS_MAX, STEPS_MAX, Step},
    explain::Trace,
    https::https_data,
    live::{Live, Reader},
    locate::{Client, DATABASE_SIZE_MAX, Locator, LocatorError, NETS_MAX, NETS_SIZE_MAX, Nets, NetsError, WrongRow},
    names::{Elsewhere, Glue, Lookup, Served, ZoneTable},
    pick::{Draw, Outcome, Picks, Seat, Seated, Single},
    steering::Steering,
    table::{AnswerTable, Ground, compile, compile_on},
};
