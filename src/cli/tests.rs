//! Verbs as typed, and verbs with a node that is a double.
