//! Endpoints on loopback that behave or misbehave, and certificates to show.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What an endpoint does with a connection.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Reads the request, sends this, ends the connection properly.
    Say(Vec<u8>),
    /// Sends this, then the rest again and again.
    Repeat(Vec<u8>, Vec<u8>),
    /// Sends this octet by octet, slowly.
    Drip(Vec<u8>),
    /// Sends this, then nothing, and keeps the connection.
    Hang(Vec<u8>),
    /// Breaks the connection with RST before it reads.
    Reset,
    /// Sends this before it reads anything, TLS or not.
    Shout(Vec<u8>),
    /// Ends TLS without saying so.
    Rude(Vec<u8>),
}

/// An answer with a body of known length.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Manner {
    let length = body.len();
    Manner::Say(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes())
}

/// An endpoint that lives as long as this value.
#[derive(Debug)]
pub(crate) struct Zoo {
    pub(crate) at: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    /// Names that were asked for in TLS.
    pub(crate) names: Arc<Mutex<Vec<Option<String>>>>,
    /// Connections accepted and not yet ended.
    pub(crate) open: watch::Receiver<usize>,
    /// The most of them at once.
    pub(crate) peak: watch::Receiver<usize>,
    /// Octets sent.
    pub(crate) sent: watch::Receiver<usize>,
    _task: JoinSet<()>,
}

#[derive(Clone)]
struct Desk {
    manner: Manner,
    acceptor: Option<TlsAcceptor>,
    requests: Arc<Mutex<Vec<String>>>,
    names: Arc<Mutex<Vec<Option<String>>>>,
    open: Arc<watch::Sender<usize>>,
    peak: Arc<watch::Sender<usize>>,
    sent: Arc<watch::Sender<usize>>,
}

impl Zoo {
    pub(crate) async fn http(manner: Manner) -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into(), manner, None).await
    }

    pub(crate) async fn on(ip: IpAddr, manner: Manner, shown: Option<&Shown>) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (open_in, open) = watch::channel(0);
        let (peak_in, peak) = watch::channel(0);
        let (sent_in, sent) = watch::channel(0);
        let desk = Desk {
            manner,
            acceptor: shown.map(|shown| TlsAcceptor::from(shown.server())),
            requests: Arc::default(),
            names: Arc::default(),
            open: Arc::new(open_in),
            peak: Arc::new(peak_in),
            sent: Arc::new(sent_in),
        };
        let (requests, names) = (Arc::clone(&desk.requests), Arc::clone(&desk.names));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let desk = desk.clone();
                connections.spawn(async move {
                    desk.open.send_modify(|open| *open += 1);
                    let open = *desk.open.borrow();
                    desk.peak.send_modify(|peak| *peak = open.max(*peak));
                    // What an endpoint makes of a prober that leaves does not matter here.
                    let _ = desk.meet(stream).await;
                    desk.open.send_modify(|open| *open -= 1);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { at, requests, names, open, peak, sent, _task: task }
    }

    /// All connections have ended.
    pub(crate) async fn is_alone(&mut self) {
        self.open.wait_for(|open| *open == 0).await.unwrap();
    }

    pub(crate) fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Desk {
    async fn meet(&self, mut stream: TcpStream) -> std::io::Result<()> {
        match (&self.manner, &self.acceptor) {
            (Manner::Reset, _) => {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                Ok(())
            }
            (Manner::Shout(words), _) => {
                stream.write_all(words).await?;
                until_left(&mut stream).await
            }
            (_, None) => self.talk(stream).await,
            (_, Some(acceptor)) => {
                let stream = acceptor.accept(stream).await?;
                self.names.lock().unwrap().push(stream.get_ref().1.server_name().map(ToOwned::to_owned));
                self.talk(stream).await
            }
        }
    }

    async fn talk(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await?);
        }
        self.requests.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
        match &self.manner {
            Manner::Say(words) => {
                self.say(&mut stream, words).await?;
                stream.shutdown().await?;
                until_left(&mut stream).await
            }
            Manner::Repeat(words, more) => {
                self.say(&mut stream, words).await?;
                loop {
                    self.say(&mut stream, more).await?;
                }
            }
            Manner::Drip(words) => {
                for octet in words {
                    self.say(&mut stream, &[*octet]).await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(())
            }
            Manner::Hang(words) => {
                self.say(&mut stream, words).await?;
                until_left(&mut stream).await
            }
            Manner::Rude(words) => self.say(&mut stream, words).await,
            Manner::Reset | Manner::Shout(_) => Ok(()),
        }
    }

    async fn say(&self, stream: &mut (impl AsyncWrite + Unpin), words: &[u8]) -> std::io::Result<()> {
        stream.write_all(words).await?;
        stream.flush().await?;
        self.sent.send_modify(|sent| *sent += words.len());
        Ok(())
    }
}

async fn until_left(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? != 0 {}
    Ok(())
}

/// A private authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate with its key, as an endpoint shows it.
#[derive(Debug)]
pub(crate) struct Shown {
    cert: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these names, good until the start of a year.
    pub(crate) fn issue(&self, names: &[&str], until: i32) -> Shown {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.not_before = rcgen::date_time_ymd(1999, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Shown { cert, key: key.serialize_der() }
    }
}

impl Shown {
    fn server(&self) -> Arc<rustls::ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.cert.clone()], key)
            .unwrap();
        Arc::new(config)
    }
}
