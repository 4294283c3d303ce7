//! The admin API: status, overrides and all else over HTTP, on loopback and a Unix socket.
//!
//! It reads pictures that others made and asks for changes through the store, the node's channels and nothing else. No
//! lock of the answer path is within its reach: whatever is sent here, DNS goes on.

mod ask;
pub mod auth;
mod condition;
mod draft;
mod edge;
mod export;
mod handles;
mod hypothesis;
mod keyed;
mod limit;
mod listen;
mod picture;
pub mod problem;
mod reach;
mod recent;
mod record;
mod refusal;
mod routes;
mod seen;
mod sheet;
mod tell;
mod uptime;
pub mod views;

use std::future::Future;

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::config::{AdminListen, AdminSettings};

pub use self::{
    handles::{Condition, Handles, NotReloaded, ProbeRequest, ReloadRequest, Reloaded, Turn},
    listen::{BindError, DRAIN_MAX, HEAD_READ_MAX, HEAD_SIZE_MAX, Local, WRITE_STALL_MAX},
    recent::{RESULTS_PER_TARGET, Recent},
};

/// The API, bound and not yet serving.
#[derive(Debug)]
pub struct Admin {
    doors: Vec<listen::Door>,
    router: Router,
    stop: CancellationToken,
    warnings: Vec<String>,
}

impl Admin {
    /// Binds every listener, inside a run time. A default Unix socket that cannot be is a warning.
    ///
    /// # Errors
    /// [`BindError`] for the first listener that cannot be.
    pub fn bind(settings: &AdminSettings, handles: &Handles) -> Result<Self, BindError> {
        let mut doors = Vec::new();
        let mut warnings = Vec::new();
        for listen in &settings.listen {
            match listen {
                AdminListen::Tcp(at) => doors.push(listen::Door::tcp(*at)?),
                AdminListen::Unix(path) if settings.listen_explicit => doors.push(listen::Door::unix(path.clone())?),
                AdminListen::Unix(path) => match listen::Door::default_unix(path.clone()) {
                    Ok(door) => doors.push(door),
                    Err(error) => warnings.push(with_source(&error)),
                },
            }
        }
        let router = routes::router(handles, settings);
        Ok(Self { doors, router, stop: handles.stop.clone(), warnings })
    }

    /// Where it can be reached, with true ports.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<Local> {
        self.doors.iter().filter_map(listen::Door::local).collect()
    }

    /// What did not come about and does not matter enough to stop.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Serves until `until`, then ends streams, lets requests in flight finish for [`DRAIN_MAX`] and removes the
    /// socket.
    pub async fn run(self, until: impl Future<Output = ()>) {
        listen::serve(self.doors, self.router, self.stop, until).await;
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
