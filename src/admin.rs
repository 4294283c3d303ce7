//! The admin API: status, overrides and all else over HTTP, on loopback and a Unix socket.

pub mod views;
