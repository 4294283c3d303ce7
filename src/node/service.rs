//! The service manager and signals: readiness, watchdog, reload and stop.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::model::Mono;

/// Tells the service manager that every door is bound and answers are loaded. Without one, nothing happens.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells the service manager that the node drains.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager did not take the notice");
    }
}

/// Feeds the watchdog while the control loop beats; a loop that stands still lets the manager restart the node.
pub(super) async fn watchdog(beat: watch::Receiver<Mono>, until: CancellationToken) {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return until.cancelled().await;
    };
    let mut seen = None;
    let mut tick = tokio::time::interval(period / 3);
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            _ = tick.tick() => {
                let now = *beat.borrow();
                if seen != Some(now) {
                    tell(&[NotifyState::Watchdog]);
                }
                seen = Some(now);
            }
        }
    }
}

/// SIGHUP asks for a reload. Asked again while one waits, it is one reload. It is heard from this call on, not from
/// when the task first runs: whoever reads `serving` in the log may send it at once, and unheard it ends the process.
pub(super) fn hangups(reload: mpsc::Sender<super::reload::Ask>, until: CancellationToken) -> impl Future<Output = ()> {
    let hangup = signal(SignalKind::hangup());
    async move {
        let mut hangup = match hangup {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "SIGHUP is not heard; reload with `wayshift reload`");
                return until.cancelled().await;
            }
        };
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                _ = hangup.recv() => {
                    let _ = reload.try_send(super::reload::Ask::from_signal());
                }
            }
        }
    }
}

/// Resolves at a SIGTERM or SIGINT that comes after this call. The drain that follows has an end of its own
/// (`DRAIN_MAX`).
pub fn asked_to_stop() -> impl Future<Output = ()> {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            (Ok(mut one), Err(_)) | (Err(_), Ok(mut one)) => {
                one.recv().await;
            }
            (Err(_), Err(_)) => std::future::pending().await,
        }
    }
}

/// How long a stop may take before the process ends anyway.
pub(super) const DRAIN_MAX: Duration = Duration::from_secs(10);
