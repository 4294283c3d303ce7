//! `store dump`: overrides and audit as a person reads them, without what could be used elsewhere.
//!
//! Why there is anything to leave out: a reason is free text, and people paste what they have at hand.

use serde_json::{Map, Value, json};

use super::{
    super::{
        args::store::DumpArgs,
        ending::{Exit, Failure},
        screen::{Screen, safe, table::Table},
    },
    backup::summary,
    source::{of_store, whole},
};
use crate::{
    model::is_token,
    store::{AuditDraft, backup::Backup},
};

/// What stands for what was left out.
const REDACTED: &str = "(redacted)";
/// Names of fields whose values are left out, wherever they stand.
const SECRET_NAMES: [&str; 6] = ["password", "passwd", "secret", "token", "authorization", "api_key"];

/// Prints it: TOML for people, the same as JSON or YAML on request.
pub(super) async fn run(args: &DumpArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let backup = whole(args.file.as_deref(), &args.whose).await?;
    let value = value(&backup)?;
    let page = |_| {
        let text = toml::to_string(&value)
            .map_err(|error| Failure::new(Exit::Failed, format!("the state cannot be written as TOML: {error}")))?;
        Ok(safe::lines(&text).into_owned())
    };
    screen.show(&value.to_string(), page, || Ok(fields(&value)))?;
    Ok(Exit::Done)
}

fn value(backup: &Backup) -> Result<Value, Failure> {
    let mut value = summary(backup);
    let order = |text: &String| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    // Answers are not shown: what was answered stands in the overrides, and whose keys they are is nobody's business.
    let entries: Vec<Value> = backup
        .drafts()
        .map_err(|error| of_store(&error))?
        .into_iter()
        .zip(&backup.audit)
        .map(|((sequence, generation, draft), entry)| entry_value(sequence, generation, draft, &entry.hash))
        .collect();
    value["overrides"] = backup.overrides.values().map(order).collect();
    value["audit"] = Value::Array(entries);
    Ok(cleaned(value, ""))
}

fn entry_value(sequence: u64, generation: u64, draft: AuditDraft, hash: &str) -> Value {
    let read = |text: Option<String>| text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    json!({
        "sequence": sequence, "generation": generation, "at": draft.at.to_string(), "actor": draft.actor,
        "from": draft.from, "action": draft.action, "target": draft.target, "reason": draft.reason,
        "before": read(draft.before), "after": read(draft.after), "request_id": draft.request_id, "hash": hash,
    })
}

/// Without secrets, and without fields that say nothing: TOML has no null.
fn cleaned(value: Value, name: &str) -> Value {
    let name = name.to_ascii_lowercase();
    match value {
        Value::String(_) if SECRET_NAMES.iter().any(|secret| name.contains(secret)) => REDACTED.into(),
        Value::String(text) => redacted(&text).into(),
        Value::Array(values) => {
            values.into_iter().filter(|value| !value.is_null()).map(|value| cleaned(value, &name)).collect()
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                fields
                    .map(|(name, value)| {
                        let clean = cleaned(value, &name);
                        (name, clean)
                    })
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// A text without tokens of ours and without passwords in addresses.
fn redacted(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for word in
        text.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '=' | '(' | ')'))
    {
        clean.push_str(&redacted_word(word));
    }
    clean
}

fn redacted_word(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((user, place)) = rest.split_once('@')
        && user.contains(':')
        && !user.contains('/')
    {
        return format!("{scheme}://{REDACTED}@{place}");
    }
    let body = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
    let secret = body.find("ws_").map(|at| &body[at..]).filter(|found| is_token(found));
    secret.map_or_else(|| word.to_owned(), |secret| word.replace(secret, REDACTED))
}

fn fields(value: &Value) -> Table {
    let mut table = Table::new(&["KIND", "WHAT", "AT", "ACTION", "TARGET", "WHO", "REASON"]);
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    for order in value["overrides"].as_array().into_iter().flatten() {
        let cells = ["id", "created", "action", "target", "author", "reason"].map(|name| text(order, name).into());
        let [id, at, action, target, who, reason] = cells;
        table.row(["override".into(), id, at, action, target, who, reason]);
    }
    for entry in value["audit"].as_array().into_iter().flatten() {
        let cells = ["at", "action", "target", "actor", "reason"].map(|name| text(entry, name).into());
        let [at, action, target, who, reason] = cells;
        table.row(["audit".into(), entry["sequence"].to_string().into(), at, action, target, who, reason]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_used_elsewhere_is_left_out() {
        let token = crate::model::new_token("web", &[7; 32]).unwrap();
        let check = |text: &str, expected: &str| assert_eq!(redacted(text), expected, "{text}");
        check("INC-1: nothing to hide", "INC-1: nothing to hide");
        check(&format!("used {token}, sorry"), "used (redacted), sorry");
        check(&format!("bearer=\"{token}\""), "bearer=\"(redacted)\"");
        check("see https://ann:pw@example.com/x now", "see https://(redacted)@example.com/x now");
        check("see https://example.com/a:b@c", "see https://example.com/a:b@c");
        let value = json!({ "a": [{ "etcd_password": "x", "n": 1, "none": null }], "reason": token });
        assert_eq!(cleaned(value, ""), json!({ "a": [{ "etcd_password": REDACTED, "n": 1 }], "reason": REDACTED }));
    }
}
