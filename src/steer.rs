//! From a snapshot to answers: decide, compile, table, pick, explain. Pure: time and chance are arguments.
