//! Following events.

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{Request, StatusCode};
use tower::ServiceExt as _;

use super::{As, House, now};
use crate::{
    admin::auth::Peer,
    model::{Event, Happening},
};

fn tell(house: &House, problems: u32) -> u64 {
    let event = Event { at: now(), generation: 1, what: Happening::ReloadRefused { problems } };
    house.handles.journal.append(vec![event])[0].seq
}

async fn follow(house: &House, query: &str, last: Option<u64>) -> (StatusCode, Body) {
    let mut request = Request::get(format!("/v1/events/stream{query}"))
        .header("host", "localhost")
        .header("authorization", house.bearer(As::Viewer).unwrap());
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer::Tcp([127, 0, 0, 1].into()));
    let response = house.router.clone().oneshot(request).await.unwrap();
    (response.status(), response.into_body())
}

async fn next(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_stream_begins_now_or_after_the_last_event_seen() {
    let house = House::new().await;
    let first = tell(&house, 1);
    tell(&house, 2);
    let (_, mut fresh) = follow(&house, "?kind=config", None).await;
    let (_, mut resumed) = follow(&house, "?kind=config", Some(first)).await;
    let third = tell(&house, 3);
    let message = next(&mut fresh).await.unwrap();
    assert!(message.contains(&format!("id: {third}\n")) && message.contains("event: config.refused\n"), "{message}");
    assert!(message.contains("\"problems\":3"), "{message}");
    assert!(next(&mut resumed).await.unwrap().contains("\"problems\":2"));
    assert!(next(&mut resumed).await.unwrap().contains("\"problems\":3"));
}

#[tokio::test]
async fn a_number_from_another_life_is_a_gap() {
    let house = House::new().await;
    tell(&house, 1);
    let (_, mut body) = follow(&house, "?kind=config", Some(u64::MAX / 2)).await;
    let gap = next(&mut body).await.unwrap();
    assert!(gap.contains("event: gap\n"), "{gap}");
    tell(&house, 2);
    assert!(next(&mut body).await.unwrap().contains("\"problems\":2"), "it goes on all the same");
}

#[tokio::test]
async fn streams_are_counted_bounded_and_end_with_the_api() {
    let house = House::new().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let (status, body) = follow(&house, "", None).await;
        assert_eq!(status, StatusCode::OK);
        streams.push(body);
    }
    assert_eq!(house.handles.metrics.followers(), 64);
    assert_eq!(follow(&house, "", None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    streams.pop();
    assert_eq!(house.handles.metrics.followers(), 63);
    let (status, mut last) = follow(&house, "?kind=node", None).await;
    assert_eq!(status, StatusCode::OK);
    house.handles.stop.cancel();
    assert_eq!(next(&mut last).await, None);
}
