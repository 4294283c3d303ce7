//! The HTTP client of what is asked beside probes: loads and anchors.

use reqwest::{Client, redirect, retry};

use super::tls::Trust;
use crate::model::TlsCheck;

/// Keeps nothing between questions. Reads trust anchors from the disk if any of them needs TLS; the error says what is missing.
pub(super) fn client(needs_tls: bool, user_agent: &str) -> Result<Client, String> {
    let verified = TlsCheck::default();
    let trust = Trust::gather(needs_tls.then_some(&verified).into_iter());
    let builder = Client::builder()
        .tls_backend_preconfigured(trust.client(needs_tls)?)
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
