//! How requests are read: strictly. What is not understood is refused, because a typo in `dry_run` must not execute.

use std::{str::FromStr, time::Duration};

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Deserialize, de::DeserializeOwned};

use super::problem::Problem;

/// Largest body, in octets; beyond it the answer is 413.
pub(super) const BODY_SIZE_MAX: usize = 1024 * 1024;
/// A body must be complete within this long.
pub(super) const BODY_READ_MAX: Duration = Duration::from_secs(10);

/// Query parameters; the type denies unknown ones.
pub(super) struct Asked<T>(pub(super) T);

/// No query parameter at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => {
                let text = error.body_text();
                let detail = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Problem::bad(&name_in(detail).unwrap_or_default(), detail))
            }
        }
    }
}

/// The name of a field, where serde's message is about one; other messages have values between their backticks.
fn name_in(text: &str) -> Option<String> {
    let (before, rest) = text.split_once('`')?;
    if !before.ends_with(" field ") {
        return None;
    }
    rest.split_once('`').map(|(name, _)| name.to_owned())
}

/// An id in the path. What cannot be an id does not exist: 404 either way.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::plain(StatusCode::NOT_FOUND))?;
        text.parse().map(Self).map_err(|_| Problem::plain(StatusCode::NOT_FOUND))
    }
}

/// A JSON object as body, with its octets for fingerprints.
pub(super) struct Body<T> {
    pub(super) value: T,
    pub(super) octets: bytes::Bytes,
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let octets = read(request).await?;
        // serde also fills a struct from a list, by position: that would let `["drain", "all"]` act.
        match octets.iter().find(|octet| !matches!(octet, b' ' | b'\t' | b'\n' | b'\r')) {
            Some(b'{') => {}
            Some(_) => return Err(Problem::bad("", "the body is not a JSON object: it does not begin with `{`")),
            None => return Err(Problem::bad("", "the body is empty; a JSON object is expected")),
        }
        let mut json = serde_json::Deserializer::from_slice(&octets);
        let value = T::deserialize(&mut json).and_then(|value| json.end().map(|()| value));
        let value = value.map_err(|error| {
            let text = error.to_string();
            let pointer = name_in(&text).map(|name| format!("/{name}")).unwrap_or_default();
            Problem::bad(&pointer, text)
        })?;
        Ok(Self { value, octets })
    }
}

/// A body of text.
pub(super) struct Text(pub(super) String);

impl<S: Sync> FromRequest<S> for Text {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let octets = read(request).await?;
        String::from_utf8(octets.into()).map(Self).map_err(|_| Problem::bad("", "the body is not UTF-8"))
    }
}

async fn read(request: Request) -> Result<bytes::Bytes, Problem> {
    let too_large = || Problem::plain(StatusCode::PAYLOAD_TOO_LARGE);
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|octets: u64| (BODY_SIZE_MAX as u64) < octets) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), BODY_SIZE_MAX);
    match tokio::time::timeout(BODY_READ_MAX, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad("", "the body ended early")),
        Err(_) => Err(Problem::plain(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// `application/json`, or anything `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let essence = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
