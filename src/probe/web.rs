//! The HTTP client of what is asked beside probes: loads, anchors and peers.

use reqwest::{Client, redirect, retry};

use std::path::PathBuf;

use super::tls::Trust;
use crate::model::TlsCheck;

/// Keeps nothing between questions. Reads trust anchors from the disk if any of them needs TLS; the error says what is missing.
pub(super) fn client(needs_tls: bool, user_agent: &str) -> Result<Client, String> {
    trusting(needs_tls.then(TlsCheck::default).as_ref(), user_agent)
}

/// One that also trusts what a file holds; blocks.
pub(super) fn private_client(ca: Option<PathBuf>, user_agent: &str) -> Result<Client, String> {
    trusting(Some(&TlsCheck { ca, ..TlsCheck::default() }), user_agent)
}

fn trusting(tls: Option<&TlsCheck>, user_agent: &str) -> Result<Client, String> {
    let trust = Trust::gather(tls.into_iter());
    let builder = Client::builder()
        .tls_backend_preconfigured(trust.client(tls)?)
        .user_agent(user_agent)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .tcp_keepalive(None);
    builder.build().map_err(|error| error.to_string())
}
