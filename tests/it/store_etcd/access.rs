//! Who may do what on a real etcd: certificates, users and roles.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use super::*;

/// Certificates for loopback, of one authority.
fn certificates(folder: &std::path::Path) -> Certificates {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    parameters.extended_key_usages =
        vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    Certificates {
        ca: write("ca.pem", authority.pem()),
        cert: write("node.pem", certificate.pem()),
        key: write("node.key", key.serialize_pem()),
    }
}

/// Done now, or by an attempt whose answer was too late.
async fn done<F: Future<Output = Result<(), etcd_client::Error>>>(mut ask: impl FnMut() -> F) {
    until("etcd does it", || {
        let asked = ask();
        async {
            match asked.await {
                Err(error) if !error.to_string().contains("already") => None,
                Ok(()) | Err(_) => Some(()),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_users_and_roles_are_what_etcd_lets_us_do() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path());
    let server = Server::with(Some(files.clone()));
    let key = || std::fs::read_to_string(&files.key).unwrap();
    let tls = || {
        etcd_client::TlsOptions::new()
            .ca_certificate(etcd_client::Certificate::from_pem(std::fs::read(&files.ca).unwrap()))
            .identity(etcd_client::Identity::from_pem(std::fs::read(&files.cert).unwrap(), key()))
    };
    let options = etcd_client::ConnectOptions::new().with_tls(tls());
    let raw = Client::connect([server.url()], Some(options)).await.unwrap();
    let under = "/wayshift/test/";
    let permissions = [
        ("reader", etcd_client::Permission::read(under).with_prefix()),
        ("writer", etcd_client::Permission::read_write(under).with_prefix()),
    ];
    for (role, permission) in permissions {
        done(|| async { raw.clone().role_add(role).await.map(drop) }).await;
        done(|| async { raw.clone().role_grant_permission(role, permission.clone()).await.map(drop) }).await;
    }
    for (user, role) in [("root", "root"), ("edge", "reader"), ("control", "writer")] {
        done(|| async { raw.clone().user_add(user, "s3cret", None).await.map(drop) }).await;
        done(|| async { raw.clone().user_grant_role(user, role).await.map(drop) }).await;
    }
    done(|| async { raw.clone().auth_enable().await.map(drop) }).await;

    let as_user = |user: &str, password: &str| Settings {
        tls: Some(Tls {
            ca: Some(files.ca.clone()),
            identity: Some((files.cert.clone(), PrivateKey::Text(Secret::new(key())))),
        }),
        user: Some((user.into(), Secret::new(password.into()))),
        ..settings(&[server.url()])
    };
    let control = node(as_user("control", "s3cret"), None);
    create(&*control.store, 1).await.unwrap();
    let edge = node(as_user("edge", "s3cret"), None);
    assert_eq!(edge.sees(1).await, control.load().await.unwrap());
    let refused = create(&*edge.store, 2).await;
    assert!(matches!(&refused, Err(StoreError::ReadOnly { why }) if why.contains("permission")), "{refused:?}");
    let wrong = node(as_user("control", "wrong"), None);
    let refused = create(&*wrong.store, 3).await;
    assert!(matches!(refused, Err(StoreError::Away { .. })), "{refused:?}");
    let strange = node(
        Settings { tls: Some(Tls { ca: Some(files.ca.clone()), identity: None }), ..as_user("control", "s3cret") },
        None,
    );
    assert!(create(&*strange.store, 4).await.is_err(), "no certificate of ours");
    assert_eq!(control.load().await.unwrap().generation, 1);
}
