//! From a snapshot to answers: deciding, compiling, looking up, picking, explaining. Pure: values in, values out; chance
//! and turns are arguments.
//!
//! The way: [`decide`](decide::decide) says for one service what may be answered and why; [`compile`] turns all
//! decisions into an [`AnswerTable`]; a door asks [`AnswerTable::lookup`] and [`Steering::pick`]. Explaining replays
//! the same functions and keeps the reasons.

pub mod decide;
mod live;
mod names;
mod pick;
mod steering;
mod table;
mod touched;
mod wheel;

pub use self::{
    live::{Live, Reader},
    names::{Lookup, Rrset, ZoneTable},
    pick::{Draw, Outcome, Picks, Seat},
    steering::Steering,
    table::{AnswerTable, compile},
};
