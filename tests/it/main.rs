//! Tests of the whole: the deciding core under a simulator.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it made it")]

mod sim;
