//! Asks another node's admin API for its ballot.
//!
//! What protects it: the token is a viewer's and crosses nothing but TLS (verified by the machine's trust anchors) or the
//! loopback, behind which a proxy or a tunnel does the same. Who could forge an address in the store holds that token
//! already, and a node speaks for itself alone.

use std::time::Duration;

use reqwest::{Client, Url};

use super::{Settings, web};
use crate::model::Secret;

/// An answer is waited for this long, all of it.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Largest answer that is read, in octets: some hundred thousand votes.
pub const ANSWER_MAX: usize = 8 << 20;
/// What is asked for.
const PATH: &str = "/v1/ballot";

/// Why there is no ballot.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The address is none, or would carry the token in the clear.
    #[error("`{0}` is neither https nor the loopback")]
    Address(String),
    /// Nothing, or not in time.
    #[error("no answer from {at}")]
    Connection {
        /// From where.
        at: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Not in time.
    #[error("no answer from {0} within {ANSWER_WITHIN:?}")]
    Late(String),
    /// It was refused.
    #[error("{at} answered {status}")]
    Refused {
        /// Where.
        at: String,
        /// The status.
        status: u16,
    },
    /// More than a ballot can be.
    #[error("{0} answered more than {ANSWER_MAX} octets")]
    TooLong(String),
}

/// Asks peers, with one token for all.
#[derive(Debug, Clone)]
pub struct Peers {
    client: Client,
    token: Secret,
}

impl Peers {
    /// A client of its own; `tls` where addresses of the fleet are https.
    ///
    /// # Errors
    /// What is missing for TLS.
    pub fn new(settings: &Settings, token: Secret, tls: bool) -> Result<Self, String> {
        Ok(Self { client: web::client(tls, &settings.user_agent)?, token })
    }

    /// The answer of the first address that gives one.
    ///
    /// # Errors
    /// Of the last address.
    pub async fn ballot(&self, addresses: &[Box<str>]) -> Result<Vec<u8>, PeerError> {
        let mut failed = PeerError::Address(String::new());
        for address in addresses {
            match tokio::time::timeout(ANSWER_WITHIN, self.ask(address)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = PeerError::Late(address.to_string()),
            }
        }
        Err(failed)
    }

    async fn ask(&self, address: &str) -> Result<Vec<u8>, PeerError> {
        let at = || address.to_owned();
        let url = url(address).ok_or_else(|| PeerError::Address(at()))?;
        let failed = |source: reqwest::Error| PeerError::Connection { at: at(), source };
        let mut response = self.client.get(url).bearer_auth(self.token.reveal()).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(PeerError::Refused { at: at(), status: response.status().as_u16() });
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if ANSWER_MAX < body.len() + piece.len() {
                return Err(PeerError::TooLong(at()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// Where to ask, if the token may go there.
fn url(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?.join(PATH).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let loopback = || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    match url.scheme() {
        "https" => Some(url),
        "http" if loopback() => Some(url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_nowhere_in_the_clear() {
        let check = |address: &str, expected: Option<&str>| {
            assert_eq!(url(address).as_ref().map(Url::as_str), expected, "{address}");
        };
        check("https://eu-1.example.com:8653", Some("https://eu-1.example.com:8653/v1/ballot"));
        check("http://127.0.0.1:8653/", Some("http://127.0.0.1:8653/v1/ballot"));
        check("http://[::1]:8653", Some("http://[::1]:8653/v1/ballot"));
        for refused in
            ["http://eu-1.example.com", "http://192.0.2.1", "http://localhost.example", "ftp://127.0.0.1", "x"]
        {
            check(refused, None);
        }
    }
}
