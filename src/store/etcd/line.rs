//! The line to etcd: one member at a time, left for the next when it does not answer.
//!
//! Why not the client's own balancer: it goes on choosing a member that hangs. So there is one endpoint to a client,
//! it is kept while it answers, and the nearest (the first of the list) is returned to once it has answered for a
//! minute. Keep-alives come every 6 s and not more often: etcd ends connections that ask below every 5 s.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use etcd_client::{
    Certificate, Client, ConnectOptions, Error, GetOptions, GetResponse, Identity, KvClient, TlsOptions, Txn,
    TxnResponse,
};
use tokio::{sync::watch, time::timeout};

use super::Settings;
use crate::model::PrivateKey;

/// A transaction's answer is waited for this long.
const TXN_DEADLINE: Duration = Duration::from_secs(5);
/// Any other answer is waited for this long.
pub(super) const READ_DEADLINE: Duration = Duration::from_secs(3);
/// A connection must stand after this long.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// HTTP/2 pings, and how long one may remain unanswered.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(3));
/// So many failures in a row, and the next member is asked.
const STRIKES_MAX: u8 = 2;
/// A better member is tried this often, and returned to after so many answers in a row.
const HOME_EVERY: Duration = Duration::from_secs(10);
const HOME_AFTER: u8 = 6;
/// Largest answer that is read, in octets. Pages are far smaller; a single value is at most 1.5 MiB.
pub(super) const ANSWER_MAX: usize = 16 << 20;

/// Why there is no answer; variants by what may have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was not sent.
    Unreached(String),
    /// It may have been done.
    Unanswered(String),
    /// It was not done: etcd said no.
    Refused(Code, String),
}

/// What etcd said, where somebody acts on it (gRPC status codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// 5: a lease that has ended.
    NotFound,
    /// 11: the revision was compacted away, or the answer is larger than [`ANSWER_MAX`].
    OutOfRange,
    /// 7: these credentials may not.
    Denied,
    /// Quota, a request that is too large.
    Other,
}

impl Trouble {
    pub(super) fn why(&self) -> &str {
        let (Self::Unreached(why) | Self::Unanswered(why) | Self::Refused(_, why)) = self;
        why
    }

    pub(super) fn of(error: &Error) -> Self {
        let status = match error {
            Error::GRpcStatus(status) => status,
            Error::LeaseKeepAliveError(why) => return Self::Refused(Code::NotFound, why.clone()),
            Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::EndpointError(_) | Error::EndpointsNotManaged => {
                return Self::Unreached(error.to_string());
            }
            Error::IoError(_)
            | Error::TransportError(_)
            | Error::WatchError(_)
            | Error::Utf8Error(_)
            | Error::ElectError(_)
            | Error::InvalidMetadataValue(_)
            | Error::Internal(_) => return Self::Unanswered(error.to_string()),
        };
        let why = status.message().to_owned();
        if refused_to_connect(status) {
            return Self::Unreached("nobody listens there".into());
        }
        match i32::from(status.code()) {
            5 => Self::Refused(Code::NotFound, why),
            11 => Self::Refused(Code::OutOfRange, why),
            7 => Self::Refused(Code::Denied, why),
            // Argument, existence, quota, precondition, method, identity.
            3 | 6 | 8 | 9 | 12 | 16 => Self::Refused(Code::Other, why),
            // Cancelled, unknown, deadline, aborted, internal, unavailable, lost.
            _ => Self::Unanswered(why),
        }
    }

    /// Whether it speaks against the member that was asked.
    fn of_the_line(&self) -> bool {
        match self {
            Self::Unreached(_) | Self::Unanswered(_) => true,
            Self::Refused(..) => false,
        }
    }
}

/// Only making a connection ends this way, so nothing was sent.
fn refused_to_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The line; shared by everyone who asks.
pub(super) struct Line {
    settings: Settings,
    at: Mutex<At>,
    /// Rises with each change of the member; watches begin anew there.
    turn: watch::Sender<u64>,
}

#[derive(Default)]
struct At {
    index: usize,
    client: Option<Client>,
    strikes: u8,
    turn: u64,
}

impl Line {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, at: Mutex::default(), turn: watch::Sender::new(0) }
    }

    /// Whom it asks now.
    pub(super) fn endpoint(&self) -> String {
        self.settings.endpoints[self.at().index].clone()
    }

    /// Rises with each change of the member.
    pub(super) fn turns(&self) -> watch::Receiver<u64> {
        self.turn.subscribe()
    }

    /// A linear read.
    pub(super) async fn get(&self, key: &str, options: GetOptions) -> Result<GetResponse, Trouble> {
        self.call(READ_DEADLINE, |client| async move { kv(&client).get(key, Some(options)).await }).await
    }

    pub(super) async fn txn(&self, txn: Txn) -> Result<TxnResponse, Trouble> {
        self.call(TXN_DEADLINE, |client| async move { kv(&client).txn(txn).await }).await
    }

    /// Asks the member of the moment; failures count against it.
    pub(super) async fn call<T, F: Future<Output = Result<T, Error>>>(
        &self,
        deadline: Duration,
        ask: impl FnOnce(Client) -> F,
    ) -> Result<T, Trouble> {
        let (turn, client) = self.client().await?;
        let answer = match timeout(deadline, ask(client)).await {
            Ok(answer) => answer.map_err(|error| Trouble::of(&error)),
            Err(_) => Err(Trouble::Unanswered(format!("no answer within {} s", deadline.as_secs()))),
        };
        match &answer {
            Err(trouble) if trouble.of_the_line() => self.strike(turn),
            Ok(_) | Err(_) => self.well(turn),
        }
        answer
    }

    async fn client(&self) -> Result<(u64, Client), Trouble> {
        let (turn, index) = {
            let at = self.at();
            if let Some(client) = &at.client {
                return Ok((at.turn, client.clone()));
            }
            (at.turn, at.index)
        };
        match self.connect(index).await {
            Ok(client) => {
                let mut at = self.at();
                if at.turn == turn && at.client.is_none() {
                    at.client = Some(client.clone());
                }
                Ok((turn, client))
            }
            Err(why) => {
                self.strike(turn);
                Err(Trouble::Unreached(why))
            }
        }
    }

    /// Certificates are read each time, so that new ones are taken up with the next connection.
    async fn connect(&self, index: usize) -> Result<Client, String> {
        let options = options(&self.settings).await?;
        match timeout(CONNECT_DEADLINE, Client::connect([&self.settings.endpoints[index]], Some(options))).await {
            Ok(client) => client.map_err(|error| Trouble::of(&error).why().to_owned()),
            Err(_) => Err(format!("no connection within {} s", CONNECT_DEADLINE.as_secs())),
        }
    }

    fn strike(&self, turn: u64) {
        let mut at = self.at();
        if at.turn == turn {
            at.strikes += 1;
            if STRIKES_MAX <= at.strikes {
                let next = (at.index + 1) % self.settings.endpoints.len();
                self.move_to(at, next);
            }
        }
    }

    fn well(&self, turn: u64) {
        let mut at = self.at();
        if at.turn == turn {
            at.strikes = 0;
        }
    }

    /// Leaves the member of the moment for the next: what it should have told did not come.
    pub(super) fn leave(&self) {
        let at = self.at();
        let next = (at.index + 1) % self.settings.endpoints.len();
        self.move_to(at, next);
    }

    fn move_to(&self, mut at: MutexGuard<'_, At>, index: usize) {
        *at = At { index, client: None, strikes: 0, turn: at.turn + 1 };
        self.turn.send_replace(at.turn);
        let (from_now_on, turn) = (&self.settings.endpoints[index], at.turn);
        tracing::debug!(endpoint = %from_now_on, turn, "another member of etcd is asked");
    }

    /// Returns to a better member once it has answered for a minute.
    pub(super) async fn home(&self, key: String) {
        let mut answered = (0, 0_u8);
        loop {
            tokio::time::sleep(HOME_EVERY).await;
            let index = self.at().index;
            let mut better = None;
            for candidate in 0..index {
                if self.answers(candidate, &key).await {
                    better = Some(candidate);
                    break;
                }
            }
            answered = match better {
                Some(found) if found == answered.0 => (found, answered.1 + 1),
                Some(found) => (found, 1),
                None => (0, 0),
            };
            if HOME_AFTER <= answered.1 {
                let at = self.at();
                if at.index == index {
                    self.move_to(at, answered.0);
                }
                answered = (0, 0);
            }
        }
    }

    async fn answers(&self, index: usize, key: &str) -> bool {
        let Ok(client) = self.connect(index).await else { return false };
        let mut client = kv(&client);
        matches!(timeout(READ_DEADLINE, client.get(key, None)).await, Ok(Ok(_)))
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kv(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(ANSWER_MAX)
}

async fn options(settings: &Settings) -> Result<ConnectOptions, String> {
    let mut options = ConnectOptions::new()
        .with_keep_alive(KEEP_ALIVE.0, KEEP_ALIVE.1)
        .with_connect_timeout(CONNECT_DEADLINE)
        .with_require_leader(true)
        .with_auto_token_refresh(true);
    if let Some((user, password)) = &settings.user {
        options = options.with_user(user, password.reveal());
    }
    if let Some(tls) = &settings.tls {
        let mut with = TlsOptions::new();
        with = match &tls.ca {
            Some(path) => with.ca_certificate(Certificate::from_pem(read(path).await?)),
            None => with.with_native_roots(),
        };
        if let Some((certificate, key)) = &tls.identity {
            let key = match key {
                PrivateKey::File(path) => read(path).await?,
                PrivateKey::Text(key) => key.reveal().as_bytes().to_vec(),
            };
            with = with.identity(Identity::from_pem(read(certificate).await?, key));
        }
        options = options.with_tls(with);
    }
    Ok(options)
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(path).await.map_err(|error| format!("cannot read {}: {error}", path.display()))
}
