//! Where other nodes reach a node's admin API.

use std::{fmt, net::IpAddr, str::FromStr};

/// Longest address, in octets; a DNS name has at most 253.
const LENGTH_MAX: usize = 300;

/// `https://`, or `http://` towards a loopback address, a host and maybe a port, without a path: a token that goes there
/// crosses no network in the clear. Made by parsing; Display gives it back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerUrl(Box<str>);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPeerUrl {
    /// Whoever is on the way could read what it carries, and change it.
    #[error("it is neither https nor an address of this machine: what it carries could be read and changed on the way")]
    Clear,
    /// Something else than scheme, host and port.
    #[error("it is not a scheme (https), a host and maybe a port, without a path")]
    Form,
}

impl PeerUrl {
    /// As it was written, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether TLS is spoken to it; if not, it is a loopback address.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PeerUrl {
    type Err = NotPeerUrl;

    fn from_str(text: &str) -> Result<Self, NotPeerUrl> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = text.split_once("://").ok_or(NotPeerUrl::Form)?;
        // Inside brackets stand the colons of an address of IPv6 (RFC 3986 section 3.2.2).
        let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']').ok_or(NotPeerUrl::Form)) {
            Some(bracketed) => {
                let (host, port) = bracketed?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| NotPeerUrl::Form)?;
                (host, port)
            }
            None => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                let fits = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b".-_".contains(&octet);
                if host.is_empty() || !host.bytes().all(fits) {
                    return Err(NotPeerUrl::Form);
                }
                (host, port)
            }
        };
        let port_fits = match port.strip_prefix(':') {
            Some(port) => port.bytes().all(|octet| octet.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| 0 < p),
            None => port.is_empty(),
        };
        if LENGTH_MAX < text.len() || !port_fits {
            return Err(NotPeerUrl::Form);
        }
        match scheme {
            "https" => Ok(Self(text.into())),
            "http" if host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()) => Ok(Self(text.into())),
            "http" => Err(NotPeerUrl::Clear),
            _ => Err(NotPeerUrl::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_nowhere_in_the_clear() {
        let check = |text: &str, expected: Result<&str, NotPeerUrl>| {
            assert_eq!(text.parse::<PeerUrl>().as_ref().map(PeerUrl::as_str).map_err(|why| *why), expected, "{text}");
        };
        for fits in ["https://eu-1.example.com:8653", "https://192.0.2.1", "http://127.0.0.1:8653", "http://[::1]:1"] {
            check(fits, Ok(fits));
        }
        check("https://eu-1.example.com/", Ok("https://eu-1.example.com"));
        for clear in ["http://eu-1.example.com", "http://192.0.2.1", "http://[2001:db8::1]:1", "http://localhost"] {
            check(clear, Err(NotPeerUrl::Clear));
        }
        check("http://127.0.0.1.example.com", Err(NotPeerUrl::Clear));
        let long = format!("https://{}", "x".repeat(300));
        for other in [
            "",
            "x",
            "https://",
            "https://:1",
            "https://a:0",
            "https://a:65536",
            "https://a:+1",
            "https://a:",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://u:p@a",
            "http://127.0.0.1@a",
            "http://127.0.0.1:1@a",
            "https://[::1",
            "https://[a]",
            "https://[::1]x",
            "https://A",
            "https://a b",
            "ftp://127.0.0.1",
            "https://a\\b",
            long.as_str(),
        ] {
            check(other, Err(NotPeerUrl::Form));
        }
    }
}
