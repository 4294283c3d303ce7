//! HTTPS probes: whose certificates are believed, under which name, and what is told about them.

use std::net::Ipv4Addr;

use tempfile::NamedTempFile;

use super::*;
use crate::{
    model::{CertLimit, OwnFault, TlsCheck},
    probe::testing::zoo::{Authority, Shown},
};

const FAR: i32 = 2090;

struct Realm {
    authority: Authority,
    ca: NamedTempFile,
}

impl Realm {
    fn new() -> Self {
        let authority = Authority::new("realm");
        let ca = NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), &authority.pem).unwrap();
        Self { authority, ca }
    }

    fn tls(&self) -> TlsCheck {
        TlsCheck { ca: Some(self.ca.path().to_owned()), ..TlsCheck::default() }
    }

    fn check(&self) -> HttpCheck {
        http_check("https://app.test/", Some(self.tls()))
    }
}

async fn show(shown: &Shown, http: HttpCheck) -> Observation {
    let zoo = Zoo::on(Ipv4Addr::LOCALHOST.into(), answer(200, "", "ok"), Some(shown)).await;
    probe(http, zoo.at).await
}

fn words(seen: &Observation) -> &str {
    let Outcome::Fail(Failure::Tls(words)) = &seen.outcome else { panic!("no TLS failure: {seen:?}") };
    words
}

#[tokio::test]
async fn a_certificate_of_the_private_authority_passes_with_its_end_and_all_phases() {
    let realm = Realm::new();
    let seen = show(&realm.authority.issue(&["app.test"], FAR), realm.check()).await;
    assert_eq!((&seen.outcome, seen.status), (&Outcome::Pass, Some(200)));
    let years = seen.cert_left.unwrap().as_secs() / (365 * 86_400);
    assert!((50..70).contains(&years), "{years}");
    let phases = seen.phases;
    let parts = [phases.connect, phases.tls, phases.first_byte];
    assert!(parts.iter().all(Option::is_some), "{phases:?}");
    assert!(parts.into_iter().flatten().sum::<Duration>() <= phases.total, "{phases:?}");
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused_with_the_reason() {
    let realm = Realm::new();
    let seen = show(&realm.authority.issue(&["app.test"], 2001), realm.check()).await;
    assert_eq!(words(&seen), "the certificate has expired");
    assert_eq!(seen.cert_left, Some(Duration::ZERO));

    let seen = show(&realm.authority.issue(&["wrong.test"], FAR), realm.check()).await;
    assert_eq!(words(&seen), "the certificate is not for app.test, but for wrong.test");

    let stranger = Authority::new("stranger");
    let seen = show(&stranger.issue(&["app.test"], FAR), realm.check()).await;
    assert_eq!(words(&seen), "the certificate comes from an unknown issuer");
}

#[tokio::test]
async fn an_insecure_check_accepts_anything_and_still_tells_the_end() {
    let tls = TlsCheck { insecure: true, ..TlsCheck::default() };
    let seen =
        show(&Authority::new("stranger").issue(&["wrong.test"], 2001), http_check("https://app.test/", Some(tls)))
            .await;
    assert_eq!((seen.outcome, seen.cert_left), (Outcome::Pass, Some(Duration::ZERO)));
}

#[tokio::test]
async fn another_sni_is_asked_for_and_verified_while_the_host_stays() {
    let realm = Realm::new();
    let tls = TlsCheck { sni: Some("inner.test".into()), ..realm.tls() };
    let zoo =
        Zoo::on(Ipv4Addr::LOCALHOST.into(), answer(200, "", "ok"), Some(&realm.authority.issue(&["inner.test"], FAR)))
            .await;
    assert_eq!(probe(http_check("https://app.test/", Some(tls)), zoo.at).await.outcome, Outcome::Pass);
    assert!(zoo.last_request().to_ascii_lowercase().contains("host: app.test\r\n"), "{}", zoo.last_request());
    assert_eq!(*zoo.names.lock().unwrap(), vec![Some("inner.test".to_owned())]);
}

#[tokio::test]
async fn a_host_that_is_an_address_is_verified_as_that_address() {
    let realm = Realm::new();
    let http = || http_check("https://192.0.2.1/", Some(realm.tls()));
    let seen = show(&realm.authority.issue(&["192.0.2.1"], FAR), http()).await;
    assert_eq!(seen.outcome, Outcome::Pass);
    let seen = show(&realm.authority.issue(&["127.0.0.1"], FAR), http()).await;
    assert!(words(&seen).starts_with("the certificate is not for 192.0.2.1"), "{seen:?}");
}

#[tokio::test]
async fn a_certificate_near_its_end_is_a_complaint_or_a_failure_as_told() {
    let realm = Realm::new();
    let shown = realm.authority.issue(&["app.test"], FAR);
    let century = Duration::from_secs(100 * 365 * 86_400);
    for (fail, expected) in
        [(false, Outcome::Complaint(Complaint::Certificate)), (true, Outcome::Fail(Failure::Certificate))]
    {
        let cert = Some(CertLimit { min: century, fail });
        let http = HttpCheck { expect: Expect { cert, ..expect() }, ..realm.check() };
        assert_eq!(show(&shown, http).await.outcome, expected);
    }
}

#[tokio::test]
async fn what_is_not_tls_is_told_as_such() {
    let realm = Realm::new();
    let plain = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    for noise in [plain, vec![0xff; 300], vec![0x16, 0x03, 0x01, 0xff, 0xff, 0x00]] {
        let zoo = Zoo::http(Manner::Shout(noise.clone())).await;
        let seen = probe(realm.check(), zoo.at).await;
        assert!(matches!(seen.outcome, Outcome::Fail(Failure::Tls(_))), "{noise:02x?} gave {seen:?}");
    }
    let zoo = Zoo::http(Manner::Reset).await;
    let seen = probe(realm.check(), zoo.at).await;
    assert_eq!(seen.outcome, Outcome::Fail(Failure::Reset));
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_deadline() {
    let realm = Realm::new();
    let mut zoo = Zoo::http(Manner::Shout(vec![])).await;
    let seen = probe_as(realm.check(), zoo.at, SHORT).await;
    assert_eq!(seen.outcome, Outcome::Fail(Failure::Timeout));
    assert!(seen.phases.connect.is_some() && seen.phases.tls.is_none());
    zoo.is_alone().await;
}

#[tokio::test]
async fn a_body_without_a_length_may_end_rudely_and_one_with_a_length_may_not() {
    let realm = Realm::new();
    let shown = realm.authority.issue(&["app.test"], FAR);
    for (words, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\nall well", Outcome::Pass),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nall well", Outcome::Fail(Failure::Reset)),
    ] {
        let manner = Manner::Rude(words.as_bytes().to_vec());
        let zoo = Zoo::on(Ipv4Addr::LOCALHOST.into(), manner, Some(&shown)).await;
        assert_eq!(probe(realm.check(), zoo.at).await.outcome, expected, "{words}");
    }
}

#[tokio::test]
async fn a_missing_trust_anchor_is_this_nodes_own_fault() {
    let realm = Realm::new();
    for ca in ["/nonexistent/ca.pem", "/dev/null"] {
        let tls = TlsCheck { ca: Some(ca.into()), ..TlsCheck::default() };
        let seen = show(&realm.authority.issue(&["app.test"], FAR), http_check("https://app.test/", Some(tls))).await;
        assert_eq!(seen.outcome, Outcome::Abstain(OwnFault::NoResources), "{ca}");
    }
}
