//! Anchors, asked again and again: whether this node's own network works (DECIDING section 3, self-test).
//!
//! Any answer counts, an error page as well as any other, and so does a certificate that is not to be trusted: it came
//! over the network. No anchor is an endpoint, so what is heard here says nothing about any of them.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Settings, web};
use crate::{
    clock::Clock,
    model::{ANCHOR_INTERVAL, Anchor, AnchorAsk, Fleet, Mono},
};

/// An anchor that has not answered by then has not.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// What came of asking one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub anchor: Anchor,
    /// Whether it answered.
    pub answered: bool,
    /// When it did, or was given up.
    pub at: Mono,
}

/// Asks the anchors of a fleet, all of them every [`ANCHOR_INTERVAL`].
pub struct Anchors {
    settings: Settings,
    fleet: watch::Receiver<Arc<Fleet>>,
    out: mpsc::Sender<Asked>,
    clock: Clock,
}

impl Anchors {
    /// `fleet` says who is asked; what comes of it goes to `out`.
    #[must_use]
    pub fn new(settings: Settings, fleet: watch::Receiver<Arc<Fleet>>, out: mpsc::Sender<Asked>, clock: Clock) -> Self {
        Self { settings, fleet, out, clock }
    }

    /// Asks until told to stop, or until nobody is left who gives fleets or listens.
    pub async fn run(mut self, until: CancellationToken) {
        let mut asking = JoinSet::new();
        let (mut anchors, mut client) = self.adopt().await;
        let mut due = interval(ANCHOR_INTERVAL);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.out.closed() => return,
                changed = self.fleet.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let (now, with) = self.adopt().await;
                    if now != anchors {
                        (anchors, client) = (now, with);
                        asking.abort_all();
                        due.reset_immediately();
                    }
                }
                // Those that are still asked from the last time are given up before this one: an answer takes less.
                _ = due.tick(), if !anchors.is_empty() => for anchor in &anchors {
                    let (anchor, client, clock) = (anchor.clone(), client.clone(), self.clock);
                    asking.spawn(async move {
                        let answered = timeout(ANSWER_MAX, answers(&anchor, client.as_ref())).await.unwrap_or(false);
                        Asked { anchor, answered, at: clock.mono() }
                    });
                },
                Some(asked) = asking.join_next() => if let Ok(asked) = asked
                    && anchors.contains(&asked.anchor)
                    && self.out.send(asked).await.is_err()
                {
                    return;
                },
            }
        }
    }

    async fn adopt(&mut self) -> (Vec<Anchor>, Option<Client>) {
        let anchors = self.fleet.borrow_and_update().verdict.anchors.to_vec();
        let asks = |ask: AnchorAsk| anchors.iter().any(|anchor| anchor.ask == ask);
        let (http, https) = (asks(AnchorAsk::Http), asks(AnchorAsk::Https));
        if !(http || https) {
            return (anchors, None);
        }
        // Trust anchors come from the disk, which may be slow.
        let user_agent = self.settings.user_agent.clone();
        let made = tokio::task::spawn_blocking(move || web::client(https, &user_agent)).await;
        let client = made.map_err(|error| error.to_string()).and_then(|made| made);
        if let Err(why) = &client {
            tracing::error!(why, "anchors cannot be asked over HTTP");
        }
        (anchors, client.ok())
    }
}

async fn answers(anchor: &Anchor, client: Option<&Client>) -> bool {
    match (anchor.ask, client) {
        (AnchorAsk::Tcp, _) => TcpStream::connect((&*anchor.host, anchor.port)).await.is_ok(),
        (AnchorAsk::Http | AnchorAsk::Https, None) => false,
        (AnchorAsk::Http | AnchorAsk::Https, Some(client)) => match client.get(&*anchor.url).send().await {
            Ok(_) => true,
            // A TLS alert or a certificate is an answer; a connection that did not come about is none.
            Err(error) => error.is_connect() && spoke_tls(&error),
        },
    }
}

fn spoke_tls(error: &reqwest::Error) -> bool {
    let chain = std::iter::successors(std::error::Error::source(error), |error| error.source());
    chain.filter_map(|error| error.downcast_ref::<std::io::Error>()).any(|error| {
        error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some_and(|error| {
            matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
        })
    })
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    fn anchor(url: &str, ask: AnchorAsk, port: u16) -> Anchor {
        Anchor { url: url.into(), ask, host: "127.0.0.1".into(), port }
    }

    #[tokio::test]
    async fn any_answer_proves_the_network_and_silence_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(answers(&anchor("tcp", AnchorAsk::Tcp, port), None).await);
        let serve = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
            }
        });
        let client = web::client(false, "wayshift").unwrap();
        let web = anchor(&format!("http://127.0.0.1:{port}/"), AnchorAsk::Http, port);
        assert!(answers(&web, Some(&client)).await, "an error page came over the network");
        serve.abort();
        let _ = serve.await;
        assert!(!answers(&web, Some(&client)).await);
        assert!(!answers(&anchor("tcp", AnchorAsk::Tcp, port), None).await);
    }
}
