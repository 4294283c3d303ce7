//! HTTP and HTTPS probes.
//!
//! The connection goes to the endpoint's address and nowhere else: no name is looked up, no proxy is taken from the
//! environment, no redirect is followed, nothing is decompressed, nothing is kept for the next probe.
//!
//! Why a client for each probe: a reqwest client that is made without reading certificates is small, lives as long
//! as its only connection, and can carry this probe's hooks. 10,000 targets then cost nothing while they wait. Why HTTP/1.1
//! alone: every server that speaks HTTP/2 speaks it too, and it is a fraction of the work on both sides.

mod hooks;

use std::{net::SocketAddr, sync::Arc};

use reqwest::{
    Client, Method, Request, Response, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect, retry,
};

use self::hooks::{OnceReady, Pinned};
use super::{
    expect::{self, Search},
    fault,
    tls::{Profile, Trust},
    trace::Trace,
};
use crate::{
    clock::Clock,
    model::{BODY_READ_MAX, Expect, Failure, HttpCheck, Outcome},
};

/// Most header fields of an answer; more is not HTTP that anyone means.
const HEADERS_MAX: usize = 100;

/// A check made ready to be asked of any address.
#[derive(Debug)]
pub(super) struct HttpAsker {
    url: Url,
    method: Method,
    headers: HeaderMap,
    expect: Expect,
    profile: Profile,
    has_tls: bool,
}

impl HttpAsker {
    /// The error says what this node lacks or cannot send.
    pub(super) fn new(check: &HttpCheck, trust: &Trust, user_agent: &str) -> Result<Self, String> {
        let mut url = Url::parse(&check.url).map_err(|error| format!("url `{}`: {error}", check.url))?;
        let headers = headers(check, &url, user_agent)?;
        let profile = trust.profile(check.tls.as_ref(), &check.host)?;
        if let (Some(_), Some(sni)) = (&check.tls, profile.sni()) {
            url.set_host(Some(sni)).map_err(|error| format!("sni `{sni}`: {error}"))?;
        }
        let method = check.method.parse().map_err(|_| format!("method `{}` cannot be sent", check.method))?;
        Ok(Self { url, method, headers, expect: check.expect.clone(), profile, has_tls: check.tls.is_some() })
    }

    /// Asks once. The caller owns the deadline.
    pub(super) async fn ask(&self, address: SocketAddr, trace: &Arc<Trace>) -> Outcome {
        let fault = |error: reqwest::Error| fault::of_chain(&error, address, trace.marks().is_shaking_hands());
        let (client, request) = match self.client(address, trace).map(|client| (client, self.request(address))) {
            Ok(pair) => pair,
            Err(error) => return fault(error),
        };
        let response = match client.execute(request).await {
            Ok(response) => response,
            Err(error) => return fault(error),
        };
        trace.head(response.status().as_u16());
        if let Err(failure) = expect::head(&self.expect, response.status().as_u16(), response.headers()) {
            return Outcome::Fail(failure);
        }
        match self.read(response).await {
            Ok(true) => {}
            Ok(false) => return Outcome::Fail(Failure::Body),
            Err(error) => return fault(error),
        }
        let now = Clock::wall();
        expect::limits(&self.expect, trace.elapsed(), trace.marks().cert_end.map(|end| end.since(now)))
    }

    fn client(&self, address: SocketAddr, trace: &Arc<Trace>) -> reqwest::Result<Client> {
        Client::builder()
            .tls_backend_preconfigured(self.profile.config(trace))
            .dns_resolver(Pinned(address))
            .connector_layer(OnceReady(Arc::clone(trace)))
            .http1_only()
            .http1_max_headers(HEADERS_MAX)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .pool_max_idle_per_host(0)
            .tcp_keepalive(None)
            .build()
    }

    fn request(&self, address: SocketAddr) -> Request {
        let mut url = self.url.clone();
        // A host that is an address would be connected to as it stands: there the endpoint's takes its place, in the
        // URL alone. The Host field and the name the certificate is verified for stay those of the check.
        if url.domain().is_none() {
            url.set_ip_host(address.ip()).expect("an http URL has a host that can be replaced");
        }
        url.set_port(Some(address.port())).expect("an http URL can have a port");
        let mut request = Request::new(self.method.clone(), url);
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Reads the body, [`BODY_READ_MAX`] octets at most; whether it is as expected. Stops once the text is found.
    async fn read(&self, mut response: Response) -> reqwest::Result<bool> {
        let ends_with_connection =
            response.content_length().is_none() && !response.headers().contains_key(header::TRANSFER_ENCODING);
        let mut search = Search::default();
        let mut read = 0;
        while read < BODY_READ_MAX {
            let piece = match response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                // Many servers end TLS without saying so; a body without a length then ends where it ends.
                Err(error) if ends_with_connection && self.has_tls && fault::is_eof(&error) => break,
                Err(error) => return Err(error),
            };
            read += piece.len();
            if let Some(text) = &self.expect.body
                && search.feed(&piece, text, BODY_READ_MAX)
            {
                return Ok(true);
            }
        }
        Ok(self.expect.body.as_ref().is_none_or(String::is_empty))
    }
}

fn headers(check: &HttpCheck, url: &Url, user_agent: &str) -> Result<HeaderMap, String> {
    let value = |text: &str, what: &str| {
        HeaderValue::from_str(text).map_err(|_| format!("header {what} holds a character that cannot be sent"))
    };
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or(&check.host)),
        None => url.host_str().unwrap_or(&check.host).to_owned(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, value(&host, "Host")?);
    headers.insert(header::USER_AGENT, value(user_agent, "User-Agent")?);
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    if let Some(secret) = &check.bearer {
        let mut bearer = value(&format!("Bearer {}", secret.reveal()), "Authorization")?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
    for (name, text) in &check.headers {
        let parsed = name.parse::<HeaderName>().map_err(|_| format!("header name `{name}` cannot be sent"))?;
        headers.insert(parsed, value(text, name)?);
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(headers)
}

#[cfg(test)]
mod tests;
