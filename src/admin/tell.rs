//! How answers are written: JSON with an ETag, lists in pages.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{problem::Problem, views::Page};

/// Entries of a page unless asked otherwise.
pub(super) const PAGE_DEFAULT: usize = 100;
/// Most entries of a page.
pub(super) const PAGE_MAX: usize = 1000;

/// JSON with an ETag over its content, or one that is given.
pub(super) struct Told<T> {
    pub(super) view: T,
    pub(super) tag: Option<String>,
    pub(super) status: StatusCode,
}

impl<T> Told<T> {
    /// 200; the tag is made from the content.
    pub(super) fn of(view: T) -> Self {
        Self { view, tag: None, status: StatusCode::OK }
    }

    /// Under a tag that stands for more than the content, such as a generation.
    pub(super) fn tagged(view: T, tag: String) -> Self {
        Self { view, tag: Some(tag), status: StatusCode::OK }
    }
}

impl<T: Serialize> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        let Ok(body) = serde_json::to_vec(&self.view) else {
            return Problem::plain(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        };
        let tag = self.tag.unwrap_or_else(|| format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(&body)[..8])));
        let mut response = (self.status, body).into_response();
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            fields.insert(header::ETAG, tag);
        }
        response
    }
}

/// How many entries are wanted.
pub(super) fn page_limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(PAGE_DEFAULT) {
        0 => Err(Problem::bad("limit", "limit is at least 1")),
        limit if PAGE_MAX < limit => Err(Problem::bad("limit", format!("limit is at most {PAGE_MAX}"))),
        limit => Ok(limit),
    }
}

/// The place a cursor stands for. Opaque to clients, so that it can change.
pub(super) fn read_cursor(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let place = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok().and_then(|octets| String::from_utf8(octets).ok());
    let place = place.and_then(|place| place.strip_prefix("1:").map(str::to_owned));
    place.map(Some).ok_or_else(|| Problem::bad("cursor", "this cursor is none of ours; begin without one"))
}

/// The cursor behind an entry.
pub(super) fn write_cursor(place: &str) -> String {
    BASE64URL_NOPAD.encode(format!("1:{place}").as_bytes())
}

/// One page out of entries that are sorted by their key; only what is shown is made.
pub(super) fn page<'a, K: Ord + AsRef<str> + 'a, T>(
    keys: impl Iterator<Item = (K, usize)>,
    limit: Option<usize>,
    cursor: Option<&str>,
    mut view: impl FnMut(usize) -> T,
) -> Result<Page<T>, Problem> {
    let limit = page_limit(limit)?;
    let after = read_cursor(cursor)?;
    let mut keys: Vec<(K, usize)> =
        keys.filter(|(key, _)| after.as_deref().is_none_or(|after| after < key.as_ref())).collect();
    keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let more = limit < keys.len();
    keys.truncate(limit);
    let next = if more { keys.last().map(|(key, _)| write_cursor(key.as_ref())) } else { None };
    Ok(Page { items: keys.into_iter().map(|(_, place)| view(place)).collect(), next })
}
