//! The demo's endpoints: real HTTP on loopback addresses, each on a free port.
//!
//! Each can be made ill by hand (`POST /sick`, `POST /well`) and killed outright by the story, which closes its port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use tokio::{net::TcpListener, task::JoinSet};

/// One endpoint of the demo.
pub(super) struct Actor {
    /// Its id in the configuration.
    pub(super) id: &'static str,
    /// Where it serves.
    pub(super) address: SocketAddr,
    tasks: JoinSet<()>,
    sick: Arc<AtomicBool>,
}

/// Binds every endpoint on an address of its own and serves.
///
/// # Errors
/// The first that cannot be bound.
pub(super) async fn start(ids: &[&'static str]) -> io::Result<Vec<Actor>> {
    let mut actors = Vec::with_capacity(ids.len());
    for (last, id) in (1..).zip(ids) {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 10, last), 0)).await?;
        actors.push(Actor::new(id, listener)?);
    }
    Ok(actors)
}

impl Actor {
    fn new(id: &'static str, listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let mut actor = Self { id, address, tasks: JoinSet::new(), sick: Arc::default() };
        actor.serve(listener);
        Ok(actor)
    }

    fn serve(&mut self, listener: TcpListener) {
        self.sick.store(false, Ordering::Relaxed);
        let id = self.id;
        let routes = Router::new()
            .route("/", get(move || async move { format!("{id}\n") }))
            .route("/healthz", get(health))
            .route("/sick", post(async |State(sick): State<Arc<AtomicBool>>| sick.store(true, Ordering::Relaxed)))
            .route("/well", post(async |State(sick): State<Arc<AtomicBool>>| sick.store(false, Ordering::Relaxed)))
            .with_state(Arc::clone(&self.sick));
        self.tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::warn!(endpoint = id, %error, "the demo's endpoint ended");
            }
        });
    }

    /// Closes the port: connections are refused from now on.
    pub(super) async fn die(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Serves on the same address again.
    ///
    /// # Errors
    /// When another process has taken the port meanwhile.
    pub(super) async fn rise(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.serve(listener);
        Ok(())
    }
}

async fn health(State(sick): State<Arc<AtomicBool>>) -> (StatusCode, &'static str) {
    if sick.load(Ordering::Relaxed) { (StatusCode::SERVICE_UNAVAILABLE, "sick\n") } else { (StatusCode::OK, "ok\n") }
}
