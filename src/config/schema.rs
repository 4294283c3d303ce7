//! The JSON Schema of the configuration, for editors: draft-07, because that is what TOML editors read.

use serde_json::{Map, Value, json};

use super::{
    keys::ROOT,
    kind::{Key, Kind, Section},
};

/// The schema, made from the same table as the loader.
#[must_use]
pub fn schema() -> Value {
    let mut schema = section(&ROOT);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        fields.insert("title".into(), json!("wayshift configuration"));
    }
    schema
}

fn section(section: &Section) -> Value {
    let properties: Map<String, Value> = section.keys.iter().map(|key| (key.name.into(), property(key))).collect();
    let required: Vec<&str> = section.keys.iter().filter(|key| key.need).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    schema["description"] = json!(key.doc);
    if let Some(default) = key.default() {
        schema["default"] = default;
    }
    schema
}

fn kind(of: &Kind) -> Value {
    match of {
        Kind::Text(form) => match form.pattern {
            // Values with a variable in them fit no pattern before it is put in.
            "" => json!({ "type": "string", "examples": [form.example] }),
            pattern => json!({ "type": "string", "pattern": format!("{pattern}|\\$\\{{"), "examples": [form.example] }),
        },
        Kind::Word(words, _) => json!({ "enum": words }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Whole(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Kind::Coordinates => json!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 }),
        Kind::Time => json!({ "type": "string", "examples": ["2027-03-31T00:00:00Z"] }),
        Kind::List(item, low, high) => {
            json!({ "type": "array", "items": kind(item), "minItems": low, "maxItems": high })
        }
        Kind::Many(item) => json!({ "anyOf": [kind(item), { "type": "array", "items": kind(item) }] }),
        Kind::Table(inner) => section(inner),
        Kind::Map(form, item) => {
            let mut schema = json!({ "type": "object", "additionalProperties": kind(item) });
            if !form.pattern.is_empty() {
                schema["propertyNames"] = json!({ "pattern": form.pattern });
            }
            schema
        }
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(kind).collect::<Vec<_>>() }),
        Kind::Secret => {
            let way = |name: &str| {
                json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name],
                        "additionalProperties": false })
            };
            json!({ "anyOf": [way("file"), way("credential"), way("env"), { "type": "string" }] })
        }
    }
}
