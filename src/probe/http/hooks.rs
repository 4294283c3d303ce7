//! Where a probe reaches into the HTTP client: it says where to connect, and notes when the connection is ready.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower::{Layer, Service};

use crate::probe::trace::Trace;

/// Resolves every name to the endpoint's address.
#[derive(Debug)]
pub(super) struct Pinned(pub(super) SocketAddr);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// Notes when the connection, TLS included, stands.
#[derive(Debug, Clone)]
pub(super) struct OnceReady(pub(super) Arc<Trace>);

impl<S> Layer<S> for OnceReady {
    type Service = Connect<S>;

    fn layer(&self, inner: S) -> Connect<S> {
        Connect { inner, trace: Arc::clone(&self.0) }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Connect<S> {
    inner: S,
    trace: Arc<Trace>,
}

impl<S, R> Service<R> for Connect<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.inner.call(request);
        let trace = Arc::clone(&self.trace);
        Box::pin(async move {
            let connection = connecting.await?;
            trace.ready();
            Ok(connection)
        })
    }
}
