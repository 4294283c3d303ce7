//! What happened: history in pages, and a stream of what happens.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::sse::{Event as Message, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{
        ask::Asked,
        auth::Viewer,
        problem::Problem,
        refusal,
        tell::{Told, page_limit, read_cursor, write_cursor},
        views::{EventView, Page},
    },
    model::Wall,
    store::journal::{EventFilter, Journal, Recorded},
    telemetry::http::HttpMetrics,
};

/// Most streams at once; further ones are refused with 503.
const STREAMS_MAX: usize = 64;
/// A comment is sent after this long without an event, so that both ends notice a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Kinds of events; a filter of another one is a typo.
const KINDS: [&str; 9] = [
    "verdict",
    "answers",
    "override.began",
    "override.ended",
    "override.expiring",
    "ordered",
    "config.reloaded",
    "config.refused",
    "node",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    limit: Option<usize>,
    cursor: Option<String>,
    kind: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

/// The kinds of a filter: `verdict,override`, where a kind stands for those below it.
fn kinds(text: Option<&str>) -> Result<Vec<String>, Problem> {
    let known = |kind: &str| KINDS.iter().any(|one| *one == kind || one.split('.').next() == Some(kind));
    let read = |kind: &str| match known(kind.trim()) {
        true => Ok(kind.trim().to_owned()),
        false => {
            let hint = super::did_you_mean(kind, KINDS).unwrap_or_else(|| format!("kinds are {}", KINDS.join(", ")));
            Err(Problem::bad("kind", format!("`{kind:.40}` is no kind of event")).hint(hint))
        }
    };
    text.map(|text| text.split(',').map(read).collect()).unwrap_or_else(|| Ok(Vec::new()))
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Wall>, Problem> {
    text.map(|text| text.parse::<Wall>().map_err(|error| Problem::bad(name, error.to_string()))).transpose()
}

/// Newest first.
pub(super) async fn events(
    _: Viewer,
    Asked(which): Asked<Which>,
    State(journal): State<Arc<Journal>>,
) -> Result<Told<Page<EventView>>, Problem> {
    let before = match read_cursor(which.cursor.as_deref())? {
        None => None,
        Some(place) => Some(place.parse().map_err(|_| Problem::bad("cursor", "this cursor is of another list"))?),
    };
    let filter = EventFilter {
        kinds: kinds(which.kind.as_deref())?,
        since: time("since", which.since.as_deref())?,
        until: time("until", which.until.as_deref())?,
        before,
        limit: page_limit(which.limit)?,
    };
    let page = journal.events(filter).await.map_err(|error| refusal::of_store(&error))?;
    let next = page.next.map(|before| write_cursor(&before.to_string()));
    Ok(Told::of(Page { items: page.events.iter().map(EventView::from).collect(), next }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Live {
    kind: Option<String>,
}

/// How many follow; shared by all streams of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Followers(Arc<AtomicUsize>);

/// One that follows; counted while it lives.
struct Follower {
    count: Arc<AtomicUsize>,
    metrics: Arc<HttpMetrics>,
}

impl Followers {
    fn join(&self, metrics: Arc<HttpMetrics>) -> Result<Follower, Problem> {
        let room = |now: usize| (now < STREAMS_MAX).then_some(now + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "events.full",
                format!("{STREAMS_MAX} clients follow already"),
            )
            .retry_after(Duration::from_secs(10))
        })?;
        metrics.follows(1);
        Ok(Follower { count: Arc::clone(&self.0), metrics })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.metrics.follows(-1);
    }
}

/// Server-sent events from now on, or from the event after `Last-Event-ID`. A stream that lost events says so with an
/// event `gap`; a client too slow for the ring gets one and goes on.
pub(super) async fn live(
    _: Viewer,
    Asked(Live { kind }): Asked<Live>,
    headers: HeaderMap,
    State(journal): State<Arc<Journal>>,
    Extension(followers): Extension<Followers>,
    State(metrics): State<Arc<HttpMetrics>>,
    State(stop): State<CancellationToken>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let kinds = kinds(kind.as_deref())?;
    let last = match headers.get("last-event-id") {
        None => None,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.trim().parse::<u64>().ok());
            Some(id.ok_or_else(|| Problem::bad("Last-Event-ID", "an event's id is a number"))?)
        }
    };
    let follower = followers.join(metrics)?;
    let (missed, coming) = match last {
        Some(last) => {
            let (since, coming) = journal.follow(last);
            (since, coming)
        }
        None => journal.follow(journal.newest()),
    };
    let following = Following {
        gap: missed.gap && last.is_some(),
        // A number this journal never gave says nothing about what comes.
        sent: if missed.gap { 0 } else { last.unwrap_or(0) },
        waiting: missed.events.into(),
        coming,
        kinds,
        journal,
        stop,
        _follower: follower,
    };
    let messages = stream::unfold(following, |mut following| async {
        let message = following.next().await?;
        Some((Ok(message), following))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Following {
    /// From the ring, not yet sent. At most as many as the ring holds, shared with it.
    waiting: VecDeque<Recorded>,
    gap: bool,
    /// The last number that was passed on.
    sent: u64,
    coming: broadcast::Receiver<Recorded>,
    kinds: Vec<String>,
    journal: Arc<Journal>,
    stop: CancellationToken,
    _follower: Follower,
}

impl Following {
    async fn next(&mut self) -> Option<Message> {
        loop {
            if std::mem::take(&mut self.gap) {
                return Some(
                    Message::default().event("gap").data("{\"detail\":\"events in between are no longer here\"}"),
                );
            }
            let one = match self.waiting.pop_front() {
                Some(one) => one,
                None => match self.stop.run_until_cancelled(self.coming.recv()).await? {
                    Ok(one) => one,
                    Err(RecvError::Closed) => return None,
                    // Too slow for what comes: take up from the ring, which reaches further back.
                    Err(RecvError::Lagged(_)) => {
                        let (since, coming) = self.journal.follow(self.sent);
                        (self.waiting, self.gap, self.coming) = (since.events.into(), since.gap, coming);
                        continue;
                    }
                },
            };
            if one.seq <= self.sent {
                continue;
            }
            self.sent = one.seq;
            let kind = one.event.what.kind();
            let wanted = |filter: &String| {
                kind == filter || kind.strip_prefix(filter.as_str()).is_some_and(|rest| rest.starts_with('.'))
            };
            if !self.kinds.is_empty() && !self.kinds.iter().any(wanted) {
                continue;
            }
            let data = serde_json::to_string(&EventView::from(&one)).unwrap_or_default();
            return Some(Message::default().id(one.seq.to_string()).event(kind).data(data));
        }
    }
}
