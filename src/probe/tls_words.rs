//! Why a TLS handshake came to nothing, in words for people.

use rustls::{CertificateError, Error, pki_types::ServerName};

/// Longest text that an endpoint can bring into results, in characters.
pub(super) const WORDS_MAX: usize = 160;
/// So many names of a certificate are shown.
const NAMES_SHOWN: usize = 3;

/// The reason of a TLS error.
#[expect(clippy::wildcard_enum_match_arm, reason = "what has no words of ours has the library's")]
pub(super) fn of(error: &Error) -> String {
    let words = match error {
        Error::InvalidCertificate(why) => of_certificate(why),
        Error::InvalidMessage(_) => "what came is not TLS".into(),
        Error::AlertReceived(alert) => format!("the endpoint refused with alert {alert:?}"),
        Error::NoCertificatesPresented => "no certificate was shown".into(),
        Error::PeerIncompatible(_) => "no TLS version or cipher in common".into(),
        other => other.to_string(),
    };
    harmless(&words)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what has no words of ours has the library's")]
fn of_certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".into()
        }
        CertificateError::UnknownIssuer => "the certificate comes from an unknown issuer".into(),
        CertificateError::NotValidForName => "the certificate is for another name".into(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = match expected {
                ServerName::DnsName(name) => name.as_ref().to_owned(),
                ServerName::IpAddress(address) => std::net::IpAddr::from(*address).to_string(),
                other => format!("{other:?}"),
            };
            let names = presented.iter().take(NAMES_SHOWN).map(|name| bare(name)).collect::<Vec<_>>().join(", ");
            let more = if NAMES_SHOWN < presented.len() { " and more" } else { "" };
            format!("the certificate is not for {expected}, but for {names}{more}")
        }
        CertificateError::BadEncoding => "the certificate cannot be read".into(),
        CertificateError::BadSignature => "the signature of the certificate does not fit".into(),
        CertificateError::Revoked => "the certificate was revoked".into(),
        other => other.to_string(),
    }
}

/// rustls shows a name with its kind around it: `DnsName("app.test")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

/// Names in certificates are the endpoint's text: no line breaks, no control characters, no essays.
fn harmless(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { '?' } else { c }).take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_short_and_on_one_line() {
        let expected = ServerName::try_from("app.test").unwrap();
        let presented = vec!["a\nINFO all is well".into(), "b".repeat(10_000)];
        let error = Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented });
        let words = of(&error);
        assert!(words.starts_with("the certificate is not for app.test, but for a?INFO"), "{words}");
        assert!(words.chars().count() <= WORDS_MAX && !words.contains('\n'));
    }
}
