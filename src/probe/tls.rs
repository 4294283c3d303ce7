//! TLS of probes: who is trusted, under which name, and what the certificate said.
//!
//! Every probe makes a full handshake: no session is kept, so the certificate is looked at each time, by the verifier,
//! which sees it whatever comes of it. Verifiers and trust anchors are built once for a fleet and shared.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{cert, trace::Trace};
use crate::model::TlsCheck;

/// Who is believed: the machine's trust anchors, and private ones by file.
#[derive(Debug)]
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// Ready-made verifiers, or why there is none; `None` for the machine's anchors alone.
    verifiers: HashMap<Option<PathBuf>, Result<Arc<WebPkiServerVerifier>, String>>,
}

impl Trust {
    /// Reads what these checks need from the disk; blocks.
    pub(super) fn gather<'c>(checks: impl Iterator<Item = &'c TlsCheck>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let wanted: HashSet<Option<PathBuf>> = checks.filter(|tls| !tls.insecure).map(|tls| tls.ca.clone()).collect();
        let native = if wanted.is_empty() { RootCertStore::empty() } else { native_anchors() };
        let verifiers = wanted
            .into_iter()
            .map(|ca| {
                let verifier = verifier(native.clone(), ca.as_deref(), &provider);
                (ca, verifier)
            })
            .collect();
        Self { provider, verifiers }
    }

    /// How to speak TLS under a check. The error says what is missing on this node.
    pub(super) fn profile(&self, tls: &TlsCheck, host: &str) -> Result<Profile, String> {
        let inner = if tls.insecure {
            None
        } else {
            let ready = self.verifiers.get(&tls.ca).cloned();
            Some(ready.unwrap_or_else(|| Err("the trust anchors were not read".into()))?)
        };
        let name = tls.sni.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` cannot be asked for in TLS"))?;
        let judge = Arc::new(Judge { provider: Arc::clone(&self.provider), inner });
        Ok(Profile { base: self.base(&judge)?, judge, name })
    }

    /// How to speak TLS to whatever a URL names, verified by a check's anchors; a client that never does is given
    /// something that verifies nothing, because it asks for something.
    pub(super) fn client(&self, verified: Option<&TlsCheck>) -> Result<ClientConfig, String> {
        let inner = match verified {
            Some(tls) => {
                let ready = self.verifiers.get(&tls.ca).cloned();
                Some(ready.unwrap_or_else(|| Err("the trust anchors were not read".into()))?)
            }
            None => None,
        };
        self.base(&Arc::new(Judge { provider: Arc::clone(&self.provider), inner }))
    }

    fn base(&self, judge: &Arc<Judge>) -> Result<ClientConfig, String> {
        let verifier: Arc<dyn ServerCertVerifier> = Arc::<Judge>::clone(judge);
        let mut base = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        base.alpn_protocols = vec![b"http/1.1".to_vec()];
        base.resumption = Resumption::disabled();
        Ok(base)
    }
}

/// How to speak TLS under one check.
#[derive(Debug)]
pub(super) struct Profile {
    base: ClientConfig,
    judge: Arc<Judge>,
    name: ServerName<'static>,
}

impl Profile {
    /// Shakes hands: SNI and verification go by the check's name, whatever the address; an address as a name is not sent
    /// (RFC 6066 section 3). The end of the certificate is noted, accepted or not.
    pub(super) async fn connect(&self, stream: TcpStream, trace: &Arc<Trace>) -> io::Result<TlsStream<TcpStream>> {
        let mut config = self.base.clone();
        let witness = Witness { judge: Arc::clone(&self.judge), trace: Arc::clone(trace) };
        config.dangerous().set_certificate_verifier(Arc::new(witness));
        TlsConnector::from(Arc::new(config)).connect(self.name.clone(), stream).await
    }
}

fn native_anchors() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the machine's trust anchors cannot be read");
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    store
}

fn verifier(
    mut anchors: RootCertStore,
    ca: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    if let Some(path) = ca {
        let name = path.display();
        let certs = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certs = certs.map_err(|error| format!("trust anchor {name}: {error}"))?;
        if certs.is_empty() {
            return Err(format!("trust anchor {name} holds no certificate"));
        }
        for cert in certs {
            anchors.add(cert).map_err(|error| format!("trust anchor {name}: {error}"))?;
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), Arc::clone(provider))
        .build()
        .map_err(|_| "this machine has no trust anchors (package ca-certificates)".into())
}

/// Verifies, or under `insecure` accepts whatever is shown.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    inner: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.inner {
            Some(inner) => inner.verify_server_cert(end_entity, intermediates, name, ocsp, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.inner {
            Some(inner) => inner.verify_tls12_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.inner {
            Some(inner) => inner.verify_tls13_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Notes the certificate's end, and hands it to the judge.
#[derive(Debug)]
struct Witness {
    judge: Arc<Judge>,
    trace: Arc<Trace>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.trace.cert_ends(cert::not_after(end_entity));
        self.judge.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
