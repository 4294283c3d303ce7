//! Asks another node's admin API for its ballot.
//!
//! What protects it: the token crosses nothing but TLS, verified, or this machine's loopback, behind which a tunnel does
//! the same; redirects are not followed, and what is read has a size. Who could forge an address in the store is a node,
//! and knows that token already; it opens nothing but ballots.

use std::{path::PathBuf, time::Duration};

use reqwest::{Client, Url};

use super::{Settings, web};
use crate::model::{PeerUrl, Secret};

/// An answer is waited for this long, all of it.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Largest answer that is read, in octets: some hundred thousand votes.
const ANSWER_MAX: usize = 8 << 20;
/// What is asked for.
const PATH: &str = "/v1/ballot";

/// Why there is no ballot.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Its host is none: a number with too many dots, a name that decodes to nothing.
    #[error("{0} names no host")]
    Address(PeerUrl),
    /// TLS is not to be had here.
    #[error("{at} speaks TLS, and this node has nothing to verify it by: {why}")]
    Unverified {
        /// Who would have been asked.
        at: PeerUrl,
        /// What is missing.
        why: String,
    },
    /// Nobody there, or not to be believed.
    #[error("no answer from {at}")]
    Connection {
        /// Who was asked.
        at: PeerUrl,
        /// Why.
        source: reqwest::Error,
    },
    /// Not in time.
    #[error("no answer from {0} within {ANSWER_WITHIN:?}")]
    Late(PeerUrl),
    /// It was refused.
    #[error("{at} answered {status}{}", hint(*status))]
    Refused {
        /// Who was asked.
        at: PeerUrl,
        /// The status.
        status: u16,
    },
    /// More than a ballot can be.
    #[error("{0} answered more than {ANSWER_MAX} octets")]
    TooLong(PeerUrl),
}

fn hint(status: u16) -> &'static str {
    match status {
        401 => ": it has another token under [admin.peers], or none",
        404 => ": it has not spoken yet, or something else answers there",
        421 => ": it does not know itself by that name; see `at` under [admin.peers] there",
        _ => "",
    }
}

/// Asks peers, with one token for all.
#[derive(Debug, Clone)]
pub struct Peers {
    client: Client,
    /// Why `https` is not asked.
    unverified: Option<String>,
    token: Secret,
}

impl Peers {
    /// A client of its own, which trusts the machine's anchors and those of a file; reads them from the disk. Without any
    /// it still asks the near ends of tunnels.
    ///
    /// # Errors
    /// What is missing for any client.
    pub fn new(settings: &Settings, token: Secret, ca: Option<PathBuf>) -> Result<Self, String> {
        let (client, unverified) = match web::private_client(ca, &settings.user_agent) {
            Ok(client) => (client, None),
            Err(why) => (web::client(false, &settings.user_agent)?, Some(why)),
        };
        Ok(Self { client, unverified, token })
    }

    /// Why only the near ends of tunnels can be asked, if so.
    #[must_use]
    pub fn unverified(&self) -> Option<&str> {
        self.unverified.as_deref()
    }

    /// What is answered there.
    ///
    /// # Errors
    /// Why there is nothing, see [`PeerError`].
    pub async fn ballot(&self, at: &PeerUrl) -> Result<Vec<u8>, PeerError> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.ask(at)).await;
        answer.unwrap_or_else(|_| Err(PeerError::Late(at.clone())))
    }

    async fn ask(&self, at: &PeerUrl) -> Result<Vec<u8>, PeerError> {
        if let Some(why) = self.unverified.as_ref().filter(|_| at.is_https()) {
            return Err(PeerError::Unverified { at: at.clone(), why: why.clone() });
        }
        let failed = |source: reqwest::Error| PeerError::Connection { at: at.clone(), source };
        let url = Url::parse(&format!("{at}{PATH}")).map_err(|_| PeerError::Address(at.clone()))?;
        let request = self.client.get(url).bearer_auth(self.token.reveal());
        let mut response = request.send().await.map_err(|error| failed(error.without_url()))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(PeerError::Refused { at: at.clone(), status });
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failed(error.without_url()))? {
            if ANSWER_MAX < body.len() + piece.len() {
                return Err(PeerError::TooLong(at.clone()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        path::Path,
    };

    use super::*;
    use crate::probe::testing::zoo::{Authority, Manner, Zoo, answer};

    fn peers(ca: Option<&Path>) -> Peers {
        let settings = Settings::new("n1".parse().unwrap());
        Peers::new(&settings, Secret::new("ws_peers_x".into()), ca.map(Into::into)).unwrap()
    }

    async fn ask(peers: &Peers, at: &str) -> Result<String, String> {
        let answer = peers.ballot(&at.parse().unwrap()).await;
        answer.map(|body| String::from_utf8(body).unwrap()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_answers_well_is_read_and_nothing_else() {
        let peers = peers(None);
        let check = async |manner: Manner, expected: Result<&str, &str>| {
            let zoo = Zoo::http(manner).await;
            let found = ask(&peers, &format!("http://{}", zoo.at)).await;
            let found = found.as_ref().map(String::as_str).map_err(|why| why.replace(&zoo.at.to_string(), "it"));
            assert_eq!(found.as_ref().map(|text| *text).map_err(String::as_str), expected);
            zoo
        };
        let zoo = check(answer(200, "", "a ballot"), Ok("a ballot")).await;
        let request = zoo.last_request().to_lowercase();
        assert!(request.starts_with("get /v1/ballot http/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: bearer ws_peers_x\r\n"), "{request}");

        let elsewhere = Zoo::http(answer(200, "", "stolen")).await;
        let location = format!("Location: http://{}/\r\n", elsewhere.at);
        check(answer(302, &location, ""), Err("http://it answered 302")).await;
        assert_eq!(elsewhere.last_request(), "", "the token goes nowhere else");
        check(answer(401, "", ""), Err("http://it answered 401: it has another token under [admin.peers], or none"))
            .await;
        check(Manner::Reset, Err("no answer from http://it")).await;
        let endless = Manner::Repeat(b"HTTP/1.1 200 X\r\n\r\n".to_vec(), vec![b'x'; 1 << 20]);
        check(endless, Err("http://it answered more than 8388608 octets")).await;
        check(Manner::Hang(b"HTTP/1.1 200 X\r\n".to_vec()), Err("no answer from http://it within 2s")).await;
    }

    #[tokio::test]
    async fn a_token_is_shown_to_those_alone_whose_certificate_is_verified() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &ours.pem).unwrap();
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let name = ["127.0.0.1"];
        for (shown, expected) in [
            (ours.issue(&name, 2100), Ok("a ballot")),
            (ours.issue(&["eu-1.example.com"], 2100), Err(())),
            (ours.issue(&name, 2000), Err(())),
            (theirs.issue(&name, 2100), Err(())),
        ] {
            let zoo = Zoo::on(local, answer(200, "", "a ballot"), Some(&shown)).await;
            let found = ask(&peers(Some(&ca)), &format!("https://{}", zoo.at)).await;
            assert_eq!(found.as_ref().map(String::as_str).map_err(|_| ()), expected, "{found:?}");
            assert_eq!(zoo.last_request().is_empty(), expected.is_err());
        }
        // Without anything to verify it by it is not asked at all.
        let missing = peers(Some(Path::new("/nonexistent/ca.pem")));
        assert!(missing.unverified().is_some());
        let shown = ours.issue(&name, 2100);
        let zoo = Zoo::on(local, answer(200, "", "a ballot"), Some(&shown)).await;
        assert!(ask(&missing, &format!("https://{}", zoo.at)).await.unwrap_err().contains("nothing to verify it by"));
        assert_eq!(zoo.last_request(), "");
        let clear = Zoo::http(answer(200, "", "a ballot")).await;
        assert_eq!(ask(&missing, &format!("http://{}", clear.at)).await, Ok("a ballot".into()));
        assert!(ask(&missing, "https://1.2.3.4.5").await.is_err(), "such a text is no host, and no reason to panic");
    }
}
