//! Tests of the whole: the deciding core under a simulator.

mod sim;
