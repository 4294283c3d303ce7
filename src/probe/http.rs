//! HTTP and HTTPS probes.
//!
//! The connection goes to the endpoint's address and nowhere else: no name is looked up, no proxy is taken from the
//! environment, no redirect is followed, nothing is decompressed, nothing is kept for the next probe.
//!
//! Why no HTTP client but the protocol alone: a client brings a pool, a connector and its layers, which cost more than
//! the request when each is made for one connection. Here a probe is a socket, perhaps TLS, and one exchange, driven by
//! the probe's own task; its phases are seen where they happen. Why HTTP/1.1 alone: every server that speaks HTTP/2
//! speaks it too, and it is a fraction of the work on both sides.

use std::{net::SocketAddr, pin::pin, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Method, Request, Response, Uri,
    body::{Body as _, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

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
    /// Path and query.
    resource: Uri,
    method: Method,
    headers: HeaderMap,
    expect: Expect,
    tls: Option<Profile>,
}

impl HttpAsker {
    /// The error says what this node lacks or cannot send.
    pub(super) fn new(check: &HttpCheck, trust: &Trust, user_agent: &str) -> Result<Self, String> {
        let url = Url::parse(&check.url).map_err(|error| format!("url `{}`: {error}", check.url))?;
        let headers = headers(check, &url, user_agent)?;
        let tls = check.tls.as_ref().map(|tls| trust.profile(tls, &check.host)).transpose()?;
        let method = check.method.parse().map_err(|_| format!("method `{}` cannot be sent", check.method))?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let resource =
            format!("{}{query}", url.path()).parse().map_err(|error| format!("url `{}`: {error}", check.url))?;
        Ok(Self { resource, method, headers, expect: check.expect.clone(), tls })
    }

    /// Asks once. The caller owns the deadline.
    pub(super) async fn ask(&self, address: SocketAddr, trace: &Arc<Trace>) -> Outcome {
        let stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) => return fault::of_io(&error, address),
        };
        let Some(profile) = &self.tls else {
            trace.ready();
            return self.talk(stream, address, trace).await;
        };
        trace.handshake_began();
        match profile.connect(stream, trace).await {
            Ok(stream) => {
                trace.ready();
                self.talk(stream, address, trace).await
            }
            Err(error) => fault::of_chain(&error, address, true),
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: SocketAddr,
        trace: &Trace,
    ) -> Outcome {
        let mut protocol = http1::Builder::new();
        let (sender, connection) = match protocol.max_headers(HEADERS_MAX).handshake(TokioIo::new(stream)).await {
            Ok(pair) => pair,
            Err(error) => return fault::of_chain(&error, address, false),
        };
        let (mut exchange, connection) = (pin!(self.exchange(sender, trace)), pin!(connection));
        let judged = tokio::select! {
            biased;
            judged = &mut exchange => judged,
            // What it still has for the exchange, an answer or an error, is there already.
            _ = connection => exchange.await,
        };
        judged.unwrap_or_else(|error| fault::of_chain(&error, address, false))
    }

    async fn exchange(&self, mut sender: SendRequest<Empty<Bytes>>, trace: &Trace) -> hyper::Result<Outcome> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.resource.clone();
        *request.headers_mut() = self.headers.clone();
        let response = sender.send_request(request).await?;
        trace.head(response.status().as_u16());
        if let Err(failure) = expect::head(&self.expect, response.status().as_u16(), response.headers()) {
            return Ok(Outcome::Fail(failure));
        }
        if !self.read(response).await? {
            return Ok(Outcome::Fail(Failure::Body));
        }
        let now = Clock::wall();
        Ok(expect::limits(&self.expect, trace.elapsed(), trace.marks().cert_end.map(|end| end.since(now))))
    }

    /// Reads the body, [`BODY_READ_MAX`] octets at most; whether it is as expected. Stops once the text is found.
    async fn read(&self, mut response: Response<Incoming>) -> hyper::Result<bool> {
        let ends_with_connection = response.body().size_hint().exact().is_none()
            && !response.headers().contains_key(header::TRANSFER_ENCODING);
        let mut search = Search::default();
        let mut read = 0;
        while read < BODY_READ_MAX {
            let piece = match response.body_mut().frame().await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                None => break,
                // Many servers end TLS without saying so; a body without a length then ends where it ends.
                Some(Err(error)) if ends_with_connection && self.tls.is_some() && fault::is_eof(&error) => break,
                Some(Err(error)) => return Err(error),
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
