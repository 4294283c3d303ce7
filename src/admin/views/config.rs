//! The configuration: `GET /v1/config`, `POST /v1/config/validate`, `POST /v1/config/reload`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    admin::handles::{Condition, Reloaded},
    config::{Loaded, Problem},
    model::Wall,
    steer::outlook::{ThingChange, things},
};

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
    pub line: Option<u32>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to write.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// All of it in one line: place, severity, code, message.
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
    /// What was added, removed or changed; secrets count through their checks.
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

impl ConfigView {
    pub(in crate::admin) fn of(loaded: &Loaded, condition: &Condition) -> Self {
        Self {
            digest: loaded.fleet.digest.to_string(),
            files: loaded.files.iter().map(|file| file.path.display().to_string()).collect(),
            since: condition.config_since,
            stale: condition.config_stale.clone(),
            toml: as_toml(loaded.effective()),
        }
    }
}

/// TOML has no null: what is not set is left out.
fn as_toml(value: Value) -> String {
    fn convert(value: Value) -> Option<toml::Value> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(yes) => toml::Value::Boolean(yes),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => toml::Value::Integer(whole),
                None => toml::Value::Float(number.as_f64()?),
            },
            Value::String(text) => toml::Value::String(text),
            Value::Array(list) => toml::Value::Array(list.into_iter().filter_map(convert).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter().filter_map(|(name, value)| Some((name, convert(value)?)));
                toml::Value::Table(fields.collect())
            }
        })
    }
    convert(value).and_then(|value| toml::to_string(&value).ok()).unwrap_or_default()
}

impl From<&Problem> for ConfigProblemView {
    fn from(problem: &Problem) -> Self {
        let at = problem.at();
        Self {
            severity: problem.severity.word().to_owned(),
            code: problem.code.to_owned(),
            file: at.map(|spot| spot.file.clone()),
            line: at.map(|spot| spot.line),
            column: at.map(|spot| spot.column),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            text: problem.to_string(),
        }
    }
}

impl From<&Reloaded> for ReloadView {
    fn from(Reloaded { before, after, restart }: &Reloaded) -> Self {
        let warnings = after.warnings.iter().map(ToString::to_string);
        let restart = restart.iter().map(|setting| format!("{setting} needs a restart"));
        let (old, new) = (&before.fleet, &after.fleet);
        let changes = things(old, new).iter().map(ChangedView::from).collect();
        Self {
            changed: before.fleet.digest != after.fleet.digest || before.settings != after.settings,
            before: old.digest.to_string(),
            after: new.digest.to_string(),
            changes,
            warnings: warnings.chain(restart).collect(),
        }
    }
}

impl From<&ThingChange> for ChangedView {
    fn from(change: &ThingChange) -> Self {
        Self { how: change.how.word().to_owned(), kind: change.kind.to_owned(), id: change.id.clone() }
    }
}
