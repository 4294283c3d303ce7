//! The effective configuration as one JSON value.

use super::Loaded;

pub(super) fn effective(_loaded: &Loaded) -> serde_json::Value {
    serde_json::json!({})
}
