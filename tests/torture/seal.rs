//! Certificates of the test's own authority: etcd's, the nodes', and one that has run out.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// Where they are.
#[derive(Debug, Clone)]
pub(crate) struct Seal(PathBuf);

impl Seal {
    /// For servers at these addresses.
    pub(crate) fn make(folder: &Path, addresses: Vec<String>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(vec![]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        let seal = Self(folder.to_owned());
        fs::write(seal.ca(), authority).unwrap();
        let made = |name: &str, expired: bool| {
            let key = KeyPair::generate().unwrap();
            let mut parameters = CertificateParams::new(addresses.clone()).unwrap();
            parameters.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            if expired {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let epoch = rcgen::date_time_ymd(1970, 1, 1);
                parameters.not_before = epoch + (now - Duration::from_secs(7200));
                parameters.not_after = epoch + (now - Duration::from_secs(3600));
            }
            let certificate = parameters.signed_by(&key, &issuer).unwrap();
            fs::write(seal.certificate(name), certificate.pem()).unwrap();
            fs::write(seal.key(name), key.serialize_pem()).unwrap();
        };
        made("server", false);
        made("expired", true);
        crate::setup::NODES.iter().for_each(|node| made(node.0, false));
        seal
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pem"))
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }

    /// Swaps what two have, as a renewal or its lack does.
    pub(crate) fn swap(&self, one: &str, other: &str) {
        let aside = self.0.join("aside");
        for path in [Self::certificate, Self::key] {
            fs::rename(path(self, one), &aside).unwrap();
            fs::rename(path(self, other), path(self, one)).unwrap();
            fs::rename(&aside, path(self, other)).unwrap();
        }
    }
}
