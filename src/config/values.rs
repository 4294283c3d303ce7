//! Values that only the configuration's text has: ratios, sizes, status ranges, limits, hashes, URLs.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use crate::model::{Anchor, AnchorAsk, CaseQuestion, DnsName, Span, TRICKLE_WHOLE, Whence};

use super::forms::Wrong;

/// Largest TTL (RFC 2181 section 8).
pub(super) const TTL_MAX: u32 = 0x7fff_ffff;

/// `34%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percent(pub(super) u8);

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').and_then(|number| number.parse().ok()).filter(|number| *number <= 100);
        number.map(Self).ok_or_else(|| format!("`{text}` is not a percentage: whole percents from 0% to 100%"))
    }
}

/// `0.5%`, in hundredths of a percent, up to all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hundredths(pub(super) u16);

/// 100%.
const HUNDREDTHS_WHOLE: u16 = 10_000;
const _: () = assert!(TRICKLE_WHOLE == HUNDREDTHS_WHOLE);

impl Hundredths {
    fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|octet| octet.is_ascii_digit());
        let fits = (1..=2).contains(&whole.len()) || whole == "100";
        let fits = fits && rest.len() <= 2 && digits(whole) && digits(rest);
        let parts: u32 = fits.then(|| format!("{whole}{rest:0<2}"))?.parse().ok()?;
        u16::try_from(parts).ok().filter(|parts| *parts <= HUNDREDTHS_WHOLE).map(Self)
    }
}

impl FromStr for Hundredths {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
            .ok_or_else(|| format!("`{text}` is not a share from 0% to 100%, in hundredths of a percent at most"))
    }
}

impl std::fmt::Display for Hundredths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest % 10 {
            _ if rest == 0 => write!(f, "{whole}%"),
            0 => write!(f, "{whole}.{}%", rest / 10),
            _ => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

/// `0.5%`, in parts of [`TRICKLE_WHOLE`]. More than half would make the next pool the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trickle(pub(super) u16);

impl FromStr for Trickle {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = Hundredths::parse(text).map(|parts| parts.0).filter(|parts| *parts <= TRICKLE_WHOLE / 2);
        parts
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a share from 0% to 50%, in hundredths of a percent at most"))
    }
}

impl std::fmt::Display for Trickle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Hundredths(self.0).fmt(f)
    }
}

/// `AS64500`.
pub(super) struct Asn(pub(super) u32);

impl FromStr for Asn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("AS").and_then(|number| number.parse().ok()).filter(|number| *number != 0);
        number.map(Self).ok_or_else(|| format!("`{text}` is not an AS number: 64500, or \"AS64500\""))
    }
}

/// `www.example.com A from EU-DE`.
pub(super) struct Question(pub(super) CaseQuestion);

impl FromStr for Question {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().take(5).collect();
        let (name, kind, from) = match words[..] {
            [name, kind] => (name, kind, None),
            [name, kind, "from", whence] => (name, kind, Some(whence)),
            _ => {
                return Err(
                    "a question is a name and a type, and `from` with who asks: www.example.com A from EU-DE".into()
                );
            }
        };
        let from = from.map(str::parse::<Whence>).transpose().map_err(|error| error.to_string())?;
        let name: DnsName = name.parse().map_err(|error: crate::model::NameError| error.to_string())?;
        Ok(Self(CaseQuestion { name, kind: super::master::kind(kind)?, from }))
    }
}

/// Octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

const UNITS: [(&str, u32); 5] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let shift = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, shift)| *shift);
        let octets = number.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
        octets.map(Self).ok_or_else(|| format!("`{text}` is not a size: B, KiB, MiB, GiB or TiB, as in 2GiB"))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = UNITS.iter().find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift);
        let (unit, shift) = whole.unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

/// `200` or `200-204`.
pub(super) struct StatusRange(pub(super) RangeInclusive<u16>);

impl FromStr for StatusRange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code) && text.len() == 3);
        match (code(low), code(high)) {
            (Some(low), Some(high)) if low <= high => Ok(Self(low..=high)),
            _ => Err(format!("`{text}` is not a status: 100 to 599, or a range as in 200-204")),
        }
    }
}

/// `<1500ms`.
pub(super) struct Below(pub(super) Duration);
/// `>7d`.
pub(super) struct Above(pub(super) Duration);

impl FromStr for Below {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        bound(text, '<').map(Self)
    }
}

impl FromStr for Above {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        bound(text, '>').map(Self)
    }
}

fn bound(text: &str, sign: char) -> Result<Duration, String> {
    let rest = text.strip_prefix(sign).ok_or_else(|| format!("`{text}` does not begin with `{sign}`"))?;
    let span: Span = rest.trim_start().parse().map_err(|error: crate::model::SpanError| error.what)?;
    if span.0.is_zero() { Err(format!("`{text}` can never hold or always does")) } else { Ok(span.0) }
}

/// SHA-256 of a whole token.
pub(super) struct TokenHash(pub(super) [u8; 32]);

impl FromStr for TokenHash {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").ok_or("a token's hash begins with `sha256:`")?;
        let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
        octets
            .and_then(|octets| octets.try_into().ok())
            .map(Self)
            .ok_or_else(|| "a token's hash has 64 hexadecimal digits; `wayshift token hash` makes it".into())
    }
}

/// A mail address as the SOA record writes it (RFC 1035 section 8).
pub(super) struct Mailbox(pub(super) DnsName);

impl FromStr for Mailbox {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a mail address");
        let (local, host) = text.split_once('@').ok_or_else(wrong)?;
        let host: DnsName = host.parse().map_err(|_| wrong())?;
        host.prepend(local.as_bytes()).map(Self).map_err(|_| wrong())
    }
}

/// An anchor's URL. Unlike a check's it always names who is asked.
pub(super) fn anchor_of(text: &str) -> Result<Anchor, Wrong> {
    let host_of = |url: &reqwest::Url| url.host_str().unwrap_or("").trim_matches(['[', ']']).to_owned();
    let (ask, host, port) = match Asked::of("an anchor", text)? {
        Asked::Http { secure: true, host, port } => (AnchorAsk::Https, host, port),
        Asked::Http { secure: false, host, port } => (AnchorAsk::Http, host, port),
        Asked::Tcp { port } => {
            (AnchorAsk::Tcp, reqwest::Url::parse(text).map(|url| host_of(&url)).unwrap_or_default(), port)
        }
    };
    if host.is_empty() {
        let message = format!("`{text}` names nobody to ask");
        return Err(Wrong::new(message, "an anchor has a host, as in tcp://192.0.2.1:443"));
    }
    Ok(Anchor { url: text.into(), ask, host: host.into(), port })
}

/// What a check's URL asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// `http://` or `https://`.
    Http { secure: bool, host: String, port: u16 },
    /// `tcp://`.
    Tcp { port: u16 },
}

/// Schemes of checks that come later.
const LATER: [&str; 5] = ["tls", "grpc", "dns", "icmp", "udp"];

impl Asked {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        Self::of("a check", text)
    }

    fn of(what: &str, text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| Wrong::new(format!("`{text}` is not a URL of {what}"), why);
        let (scheme, _) = text.split_once("://").ok_or_else(|| wrong("http://, https:// or tcp:// is missing"))?;
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("a URL has no blanks"));
        }
        if LATER.contains(&scheme) {
            return Err(Wrong::new(format!("checks of `{scheme}://` are not in this version"), "http, https or tcp"));
        }
        // The connection goes to each endpoint, so a host says nothing and may be left out.
        if let Some(port) = text.strip_prefix("tcp://:") {
            let port = port.parse().ok().filter(|port| *port != 0);
            return port.map(|port| Self::Tcp { port }).ok_or_else(|| wrong("a port is needed, as in tcp://:443"));
        }
        let url = reqwest::Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a credential does not stand in a URL; use `auth`"));
        }
        let host = url.host_str().unwrap_or("").trim_matches(['[', ']']).to_owned();
        match url.scheme() {
            "http" | "https" if url.fragment().is_some() => Err(wrong("a fragment is never sent")),
            "http" | "https" => match url.port_or_known_default() {
                Some(0) | None => Err(wrong("port 0 cannot be asked")),
                Some(port) => Ok(Self::Http { secure: url.scheme() == "https", host, port }),
            },
            "tcp" => match url.port() {
                Some(port) if port != 0 => Ok(Self::Tcp { port }),
                _ => Err(wrong("a port is needed, as in tcp://:443")),
            },
            _ => Err(wrong("http, https or tcp")),
        }
    }
}
