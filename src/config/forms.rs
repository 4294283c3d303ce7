//! The forms of strings: durations, ratios, sizes, addresses, names. Each is parsed by one `FromStr`, here or in the
//! model; a form ties it to its code, its example and its pattern for editors.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;

use crate::model::{CheckAt, CheckId, DnsName, GeoCode, NodeId, Selector, Span, Wall, Whence};

use super::{settings::AdminListen, shape::closest, values::*};

/// A string's form.
#[derive(Debug)]
pub(super) struct Form {
    /// With its article.
    pub(super) what: &'static str,
    pub(super) example: &'static str,
    pub(super) code: &'static str,
    pub(super) check: fn(&str) -> Result<(), Wrong>,
    /// A regular expression for editors; empty when there is none.
    pub(super) pattern: &'static str,
    /// The unit a bare number gets in the hint.
    pub(super) unit: &'static str,
}

/// What is wrong with a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    /// What to write instead.
    pub(super) label: String,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into() }
    }
}

fn parsed<T: FromStr>(text: &str) -> Result<(), Wrong>
where
    T::Err: std::fmt::Display,
{
    text.parse::<T>().map(drop).map_err(|error| Wrong::new(error.to_string(), ""))
}

const fn form(
    what: &'static str,
    example: &'static str,
    code: &'static str,
    check: fn(&str) -> Result<(), Wrong>,
    pattern: &'static str,
    unit: &'static str,
) -> Form {
    Form { what, example, code, check, pattern, unit }
}

const SPAN: &str = "^([0-9]+(w|d|h|m|s|ms))+$";

pub(super) static TEXT: Form = form("a text", "Frankfurt", "E016", text, "", "");
pub(super) static BLOCK: Form = form("a text", "www 60 A 192.0.2.80", "E016", |_| Ok(()), "", "");
pub(super) static PATH: Form = form("a path", "tls/ca.pem", "E016", path, "", "");
pub(super) static ID: Form = form("an id", "eu-1", "E010", parsed::<NodeId>, "^[a-z0-9][a-z0-9-]{0,62}$", "");
pub(super) static DURATION: Form = form("a duration", "10s", "E007", |text| span(text, 0, YEARS), SPAN, "s");
pub(super) static POSITIVE: Form = form("a duration", "10s", "E007", |text| span(text, 1, YEARS), SPAN, "s");
pub(super) static INTERVAL: Form = form("a duration", "10s", "E007", |text| span(text, 100, 86_400_000), SPAN, "s");
pub(super) static SECONDS: Form = form("a duration", "30s", "E007", seconds, SPAN, "s");
pub(super) static PERCENT_OR_AUTO: Form =
    form("a percentage or `auto`", "34%", "E033", auto_or_percent, "^(auto|(100|[0-9]{1,2})%)$", "%");
pub(super) static PERCENT: Form = form("a percentage", "34%", "E033", parsed::<Percent>, "^(100|[0-9]{1,2})%$", "%");
pub(super) static SHARE: Form = form("a percentage", "60%", "E033", share, "^(100|[1-9][0-9]?)%$", "%");
pub(super) static TRICKLE: Form =
    form("a percentage", "1%", "E033", parsed::<Trickle>, r"^[0-9]{1,2}(\.[0-9]{1,2})?%$", "%");
pub(super) static SHADOW: Form =
    form("a percentage", "0.1%", "E033", parsed::<Hundredths>, r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$", "%");
pub(super) static SIZE: Form = form("a size", "2GiB", "E033", parsed::<Size>, "^[0-9]+(B|KiB|MiB|GiB|TiB)$", "MiB");
pub(super) static NAME: Form = form("a domain name", "www.example.com", "E016", name, "", "");
pub(super) static KEY: Form = form("a key's name", "xfr", "E016", zone, "", "");
pub(super) static ZONE: Form = form("a domain name", "gslb.example.com", "E016", zone, "", "");
pub(super) static ADDRESS: Form = form("an IP address", "203.0.113.10", "E017", address, "", "");
pub(super) static SOCKET: Form = form("an address with port", "0.0.0.0:53", "E017", socket, "", "");
pub(super) static CHECK_AT: Form = form("an address with or without port", "10.1.2.3:8443", "E017", check_at, "", "");
pub(super) static NOTIFY_AT: Form = form("an address with or without port", "192.0.2.99", "E017", check_at, "", "");
pub(super) static ADMIN_LISTEN: Form =
    form("an address with port or unix:/path", "127.0.0.1:8653", "E017", parsed::<AdminListen>, "", "");
pub(super) static CHECK_URL: Form = form("a URL", "https://www.example.com/healthz", "E025", url, "", "");
pub(super) static ANCHOR: Form =
    form("a URL", "https://status.example.net/", "E025", |text| anchor_of(text).map(drop), "", "");
pub(super) static CHECK: Form = form("a check's id or a URL", "web", "E025", check, "", "");
pub(super) static MEMBER: Form = form("an endpoint's id or an IP address", "203.0.113.10", "E010", member, "", "");
pub(super) static STATUS: Form =
    form("a status or a range", "200-204", "E016", parsed::<StatusRange>, "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$", "");
pub(super) static LATENCY: Form = form("a latency", "<1500ms", "E007", parsed::<Below>, "^<", "");
pub(super) static CERT: Form = form("a remaining life", ">7d", "E007", parsed::<Above>, "^>", "");
pub(super) static SELECTOR: Form = form("a selector", "provider:aws", "E026", parsed::<Selector>, "", "");
pub(super) static HASH: Form =
    form("a token's hash", "sha256:...", "E032", parsed::<TokenHash>, "^sha256:[0-9a-f]{64}$", "");
pub(super) static CONTACT: Form = form("a mail address", "hostmaster@example.com", "E016", parsed::<Mailbox>, "", "");
pub(super) static HEADER: Form = form("a header field", "X-Probe", "E016", header, "", "");
pub(super) static HEADER_VALUE: Form = form("a header field's value", "wayshift", "E016", header_value, "", "");
pub(super) static LABEL: Form = form("a label", "tier", "E016", label, "", "");
pub(super) static TARGET: Form = form("a domain name", "www.cdn.example.net.", "E016", target, "", "");
pub(super) static NET: Form = form("a network", "10.0.0.0/8", "E017", net, "", "");
pub(super) static GEO: Form =
    form("a geo code", "EU-DE", "E034", geo, "^(AF|AN|AS|EU|NA|OC|SA)(-[A-Z]{2}(-[A-Z0-9]{1,3})?)?$", "");
pub(super) static ASN: Form = form("an AS number", "AS64500", "E016", parsed::<Asn>, "^AS[0-9]+$", "");
pub(super) static ALPN: Form = form("an ALPN protocol id", "h2", "E016", alpn, "", "");
pub(super) static LOAD_URL: Form = form("a URL", "http://{address}:9100/load", "E025", load_url, r"^https?://", "");
pub(super) static QUERY: Form = form("a question", "www.example.com A from EU-DE", "E016", question, "", "");
pub(super) static ORIGIN: Form =
    form("an origin", "https://wayshift.example.com", "E025", origin, "^https?://[^/]+$", "");
pub(super) static ENGINE: Form =
    form("a member of etcd", "https://etcd-1.example.com:2379", "E025", engine, "^https?://[^/]+$", "");
pub(super) static KEY_PREFIX: Form = form("a prefix of keys", "/wayshift/prod/", "E016", key_prefix, "^/", "");

/// A hundred years, in milliseconds: far beyond every use and far below every overflow.
const YEARS: u64 = 100 * 365 * 86_400_000;
/// Longest text of one value, in octets.
const TEXT_MAX: usize = 4096;

fn text(text: &str) -> Result<(), Wrong> {
    match text {
        "" => Err(Wrong::new("the text is empty", "write something or leave the key out")),
        text if text.len() > TEXT_MAX => Err(Wrong::new(format!("a text has at most {TEXT_MAX} octets"), "")),
        text if text.chars().any(char::is_control) => {
            Err(Wrong::new("a text consists of printable characters", "a control character is in it"))
        }
        _ => Ok(()),
    }
}

fn path(path: &str) -> Result<(), Wrong> {
    text(path).map_err(|wrong| Wrong::new(wrong.message.replace("text", "path"), wrong.label))
}

fn span(text: &str, low: u64, high: u64) -> Result<(), Wrong> {
    let span: Span = text.parse().map_err(|error: crate::model::SpanError| {
        let label = error.hint.map(|hint| format!("write \"{hint}\"")).unwrap_or_default();
        Wrong::new(error.what, label)
    })?;
    let ms = crate::model::ms(span.0);
    let shown = |ms: u64| Span(Duration::from_millis(ms));
    if ms < low {
        Err(Wrong::new(format!("the duration is too short: at least {}", shown(low)), ""))
    } else if ms > high {
        Err(Wrong::new(format!("the duration is too long: at most {}", shown(high)), ""))
    } else {
        Ok(())
    }
}

/// TTLs are whole seconds below 2^31 (RFC 2181 section 8).
fn seconds(text: &str) -> Result<(), Wrong> {
    span(text, 0, u64::from(TTL_MAX) * 1000)?;
    let whole = text.parse::<Span>().is_ok_and(|span| span.0.subsec_millis() == 0);
    if whole { Ok(()) } else { Err(Wrong::new("a TTL is in whole seconds", "")) }
}

fn auto_or_percent(text: &str) -> Result<(), Wrong> {
    if text == "auto" { Ok(()) } else { parsed::<Percent>(text) }
}

/// A group of which no share is down has no outage.
fn share(text: &str) -> Result<(), Wrong> {
    match text.parse::<Percent>() {
        Ok(Percent(0)) => Err(Wrong::new("0% is no share to reach", "1% to 100%")),
        Ok(_) => Ok(()),
        Err(what) => Err(Wrong::new(what, "")),
    }
}

fn name(text: &str) -> Result<(), Wrong> {
    let name: DnsName = text.parse().map_err(|error: crate::model::NameError| Wrong::new(error.to_string(), ""))?;
    match name.labels().skip(1).any(|label| label == b"*") {
        true => Err(Wrong::new("a wildcard `*` is the first label alone", "")),
        false => Ok(()),
    }
}

fn zone(text: &str) -> Result<(), Wrong> {
    name(text)?;
    match text.parse::<DnsName>() {
        Ok(name) if name.is_wildcard() => Err(Wrong::new("a zone does not begin at a wildcard", "")),
        _ => Ok(()),
    }
}

fn target(text: &str) -> Result<(), Wrong> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(Wrong::new(format!("`{text}` is an address, and a target is a name"), "use `address`"));
    }
    name(text)?;
    match text.parse::<DnsName>() {
        Ok(name) if name.is_wildcard() => Err(Wrong::new("a target is one name, not a wildcard", "")),
        // Endpoints belong to no zone, so nothing could be put behind a single label.
        Ok(name) if name.labels().count() < 2 => {
            Err(Wrong::new(format!("`{text}` is one label alone"), "write the whole name, as in www.cdn.example.net"))
        }
        _ => Ok(()),
    }
}

/// A network as it is written everywhere: nothing set behind its prefix.
fn net(text: &str) -> Result<(), Wrong> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Err(Wrong::new(format!("`{text}` is an address"), format!("write \"{}\"", IpNet::from(address))));
    }
    let Ok(net) = text.parse::<IpNet>() else {
        return Err(Wrong::new(format!("`{text}` is not a network"), "write \"10.0.0.0/8\" or \"2001:db8::/32\""));
    };
    match net.trunc() {
        whole if whole == net => Ok(()),
        whole => Err(Wrong::new(format!("`{text}` has bits set behind its prefix"), format!("write \"{whole}\""))),
    }
}

/// A geo code of a place that exists.
pub(super) fn geo(text: &str) -> Result<(), Wrong> {
    let what = match text.parse::<GeoCode>() {
        Ok(code) if code.is_known() => return Ok(()),
        Ok(code) => format!("there is no place with the code {code}"),
        Err(error) => error.to_string(),
    };
    let upper = text.trim().to_ascii_uppercase().replace('_', "-");
    let right = |code: &str| code.parse::<GeoCode>().is_ok_and(|code| code.is_known());
    // A bare country, or one behind the wrong continent, is the most common slip; the shortest code is the country's.
    let country = upper.rsplit_once('-').map_or(&*upper, |(_, country)| country);
    let behind = |code: &&str| code.rsplit_once('-').is_some_and(|(_, last)| last == country);
    if right(&upper) {
        return Err(Wrong::new(what, format!("write \"{upper}\"")));
    }
    let whole = GeoCode::every().find(|code| code.strip_suffix(&*upper).is_some_and(|head| head.ends_with('-')));
    let meant = whole.or_else(|| GeoCode::every().filter(behind).min_by_key(|code| code.len()));
    let meant = meant.or_else(|| closest(&upper, GeoCode::every()));
    Err(Wrong::new(what, meant.map(|code| format!("did you mean `{code}`?")).unwrap_or_default()))
}

fn question(text: &str) -> Result<(), Wrong> {
    let asked = text.parse::<Question>().map_err(|what| Wrong::new(what, ""))?;
    match asked.0.from {
        Some(Whence::Geo(code)) => geo(&code.to_string()),
        Some(Whence::Region(_) | Whence::Net(_) | Whence::Address(_) | Whence::Asn(_)) | None => Ok(()),
    }
}

fn alpn(text: &str) -> Result<(), Wrong> {
    match (1..=255).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic()) {
        true => Ok(()),
        false => {
            Err(Wrong::new(format!("`{text}` is not an ALPN protocol id"), "1 to 255 visible characters, as in h2"))
        }
    }
}

/// What an address stands for in a load's URL.
const ADDRESS_HERE: &str = "{address}";

fn load_url(text: &str) -> Result<(), Wrong> {
    // Both families must fit where the address stands; an IPv6 address gets its brackets there.
    let filled = text.replace(ADDRESS_HERE, "192.0.2.1");
    if let Some(from) = filled.find(['{', '}']) {
        let end = filled[from..].find('}').map_or(filled.len(), |end| from + end + 1);
        let what = format!("`{}` stands for nothing in the URL of a load", &filled[from..end]);
        return Err(Wrong::new(what, "only {address} does"));
    }
    match Asked::parse(&filled)? {
        Asked::Http { .. } => Ok(()),
        Asked::Tcp { .. } => Err(Wrong::new("a load is read by http:// or https://", "")),
    }
}

fn address(text: &str) -> Result<(), Wrong> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let label = match text.parse::<SocketAddr>() {
        Ok(socket) => format!("write \"{}\"; the port comes from the check, another one from `check_at`", socket.ip()),
        Err(_) => String::new(),
    };
    Err(Wrong::new(format!("`{text}` is not an IP address"), label))
}

fn socket(text: &str) -> Result<(), Wrong> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let label = match text.parse::<IpAddr>() {
        Ok(ip) => format!("write \"{}\"", SocketAddr::new(ip, 53)),
        Err(_) => String::new(),
    };
    Err(Wrong::new(format!("`{text}` is not an address with a port"), label))
}

fn check_at(text: &str) -> Result<(), Wrong> {
    parse_check_at(text).map(drop).ok_or_else(|| {
        Wrong::new(format!("`{text}` is neither an address nor an address with port"), "write \"10.1.2.3:8443\"")
    })
}

/// An address, or one with a port.
pub(super) fn parse_check_at(text: &str) -> Option<CheckAt> {
    let socket = text.parse().ok().filter(|socket: &SocketAddr| socket.port() != 0).map(CheckAt::Socket);
    socket.or_else(|| text.parse().ok().map(CheckAt::Address))
}

fn url(text: &str) -> Result<(), Wrong> {
    Asked::parse(text).map(drop)
}

fn check(text: &str) -> Result<(), Wrong> {
    if text.contains("://") {
        return url(text);
    }
    text.parse::<CheckId>().map(drop).map_err(|error| Wrong::new(error.to_string(), "a check's id, or a URL with ://"))
}

fn member(text: &str) -> Result<(), Wrong> {
    if text.parse::<IpAddr>().is_ok() { Ok(()) } else { parsed::<NodeId>(text) }
}

fn header(text: &str) -> Result<(), Wrong> {
    /// Those that the probe writes itself.
    const OURS: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "authorization"];
    if hyper::header::HeaderName::from_bytes(text.as_bytes()).is_err() {
        return Err(Wrong::new(format!("`{text}` is not a header field's name"), ""));
    }
    match text.to_ascii_lowercase().as_str() {
        "host" => Err(Wrong::new("the Host field comes from the URL", "write the name into `url`")),
        "authorization" => Err(Wrong::new("a credential does not stand in `headers`", "use `auth`")),
        other if OURS.contains(&other) => Err(Wrong::new(format!("the probe writes `{text}` itself"), "")),
        _ => Ok(()),
    }
}

fn header_value(value: &str) -> Result<(), Wrong> {
    text(value)?;
    match value.is_ascii() {
        true => Ok(()),
        false => Err(Wrong::new("a header field's value consists of ASCII characters", "")),
    }
}

fn label(text: &str) -> Result<(), Wrong> {
    match !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
    {
        true => Ok(()),
        false => Err(Wrong::new(format!("`{text}` is not a label: letters, digits, `-`, `_`, `.` and `/`"), "")),
    }
}

fn origin(text: &str) -> Result<(), Wrong> {
    let fits = reqwest::Url::parse(text)
        .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.origin().ascii_serialization() == text);
    match fits {
        true => Ok(()),
        false => Err(Wrong::new(format!("`{text}` is not an origin"), "scheme, host and port, without a path")),
    }
}

fn engine(text: &str) -> Result<(), Wrong> {
    let fits = reqwest::Url::parse(text).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && url.port_or_known_default().is_some_and(|port| port != 0)
            && url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
    });
    match fits {
        true => Ok(()),
        false => Err(Wrong::new(format!("`{text}` is not a member of etcd"), "scheme, host and port, without a path")),
    }
}

fn key_prefix(key: &str) -> Result<(), Wrong> {
    text(key)?;
    let fits = key.starts_with('/') && !key.contains("//") && key.bytes().all(|octet| octet.is_ascii_graphic());
    match fits {
        true => Ok(()),
        false => {
            Err(Wrong::new(format!("`{key}` is not a prefix of keys"), "it begins with `/` and holds printable ASCII"))
        }
    }
}

/// Whether a time is RFC 3339.
pub(super) fn time(text: &str) -> Result<(), Wrong> {
    parsed::<Wall>(text)
}
