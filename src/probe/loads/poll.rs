//! One reading of one load over HTTP.
//!
//! As with probes, no proxy is taken from the environment, no redirect is followed, nothing is decompressed and nothing
//! is kept for the next reading. Certificates are verified, under the URL's name and by the machine's own anchors. A
//! host that is a name is looked up by the machine, with its hosts file and search list, like any page of a machine.

use std::{error::Error, net::IpAddr};

use reqwest::{Client, Url};

use super::{PollError, field::Field};
use crate::model::{BODY_READ_MAX, Load};

/// What stands in a URL for the endpoint's address.
pub(super) const ADDRESS: &str = "{address}";

/// The URL with an address in it, in brackets where it is IPv6.
pub(super) fn url(template: &str, address: Option<IpAddr>) -> Result<Url, PollError> {
    let text = match address {
        Some(IpAddr::V4(address)) => template.replace(ADDRESS, &address.to_string()),
        Some(IpAddr::V6(address)) => template.replace(ADDRESS, &format!("[{address}]")),
        None => template.to_owned(),
    };
    Url::parse(&text).map_err(|_| PollError::Url)
}

/// Reads once. The caller owns the deadline.
pub(super) async fn read(client: &Client, url: Url, field: &Field) -> Result<Load, PollError> {
    let mut response = client.get(url).send().await.map_err(|error| connection(&error))?;
    if !response.status().is_success() {
        return Err(PollError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| connection(&error))? {
        if BODY_READ_MAX < body.len() + piece.len() {
            return Err(PollError::TooLong);
        }
        body.extend_from_slice(&piece);
    }
    field.read(std::str::from_utf8(&body).map_err(|_| PollError::Unreadable)?)
}

/// The innermost cause says most.
fn connection(error: &reqwest::Error) -> PollError {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let words = cause.to_string();
    PollError::Connection(words.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect())
}

/// Longest reason in characters: parts of it may be the other side's words.
const WORDS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stands_in_the_url() {
        let check = |template: &str, address: &str, expected: &str| {
            assert_eq!(url(template, address.parse().ok()).unwrap().as_str(), expected);
        };
        check("http://{address}:9100/load", "192.0.2.1", "http://192.0.2.1:9100/load");
        check("http://{address}:9100/load", "2001:db8::1", "http://[2001:db8::1]:9100/load");
        check("https://m.example.com/?of={address}", "192.0.2.1", "https://m.example.com/?of=192.0.2.1");
        check("http://m.example.com/", "", "http://m.example.com/");
        assert_eq!(url("{address}", "192.0.2.1".parse().ok()), Err(PollError::Url));
    }
}
