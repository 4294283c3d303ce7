//! The configuration: `GET /v1/config`, `POST /v1/config/validate`, `POST /v1/config/reload`.

use serde::{Deserialize, Serialize};

use crate::model::Wall;

/// The configuration in effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigView {
    /// Digest of the fleet it makes.
    pub digest: String,
    /// Files it was read from.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<String>,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Wall>,
    /// Why it is not what the file says now, if so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stale: Option<String>,
    /// The whole configuration with every default as TOML, secrets redacted.
    pub toml: String,
}

/// What is wrong with a configuration, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigProblemView {
    /// `error` or `warning`.
    pub severity: String,
    /// A stable code: `E012`, `W203`.
    pub code: String,
    /// The file as named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<usize>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// As `wayshift check` prints it, with the line and a caret.
    pub text: String,
}

/// The outcome of `POST /v1/config/validate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidateView {
    /// There is no error; there may be warnings.
    pub ok: bool,
    /// All errors and warnings.
    pub problems: Vec<ConfigProblemView>,
}

/// The outcome of `POST /v1/config/reload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReloadView {
    /// Whether the new configuration makes another fleet.
    pub changed: bool,
    /// Digest of the fleet before.
    pub before: String,
    /// Digest of the fleet now.
    pub after: String,
    /// What was added, removed or changed.
    pub changes: Vec<ChangedView>,
    /// Warnings of the new configuration, and settings that need a restart.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

/// One thing that a reload changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedView {
    /// `added`, `removed` or `changed`.
    pub how: String,
    /// `endpoint`, `pool`, `service`, `check`, `zone`, `provider`, `region`.
    pub kind: String,
    /// Its id.
    pub id: String,
}
