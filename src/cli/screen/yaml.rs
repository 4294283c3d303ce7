//! JSON values as YAML 1.2 block text, in few lines and without surprises.
//!
//! Why not a crate: the emitter of the common one is archived, and the only hard part of emitting YAML is which
//! strings may stand without quotes. Here only those do that no reader of YAML 1.1 or 1.2 takes for anything else;
//! the others are quoted as JSON, which YAML reads as it is.

use serde_json::Value;

/// The value as a document, with a line end.
pub(in crate::cli) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(&mut text, value, 0),
        Value::Array(list) if !list.is_empty() => block(&mut text, value, 0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
    text
}

/// Writes the lines of a filled list or table, each indented by `depth` steps of two.
fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                indent(text, depth);
                entry(text, key, value, depth);
            }
        }
        Value::Array(list) => {
            for value in list {
                indent(text, depth);
                text.push_str("- ");
                item(text, value, depth);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
}

fn entry(text: &mut String, key: &str, value: &Value, depth: usize) {
    text.push_str(&string(key));
    text.push(':');
    if filled(value) {
        text.push('\n');
        block(text, value, depth + 1);
    } else {
        text.push(' ');
        text.push_str(&scalar(value));
        text.push('\n');
    }
}

/// What stands behind `- `: a table begins on the same line.
fn item(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (position, (key, value)) in map.iter().enumerate() {
                if position > 0 {
                    indent(text, depth + 1);
                }
                entry(text, key, value, depth + 1);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (position, value) in list.iter().enumerate() {
                if position > 0 {
                    indent(text, depth + 1);
                }
                text.push_str("- ");
                item(text, value, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
}

fn filled(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(_) => "[]".into(),
        Value::Object(_) => "{}".into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Words that some reader takes for a truth value or for nothing.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];

fn string(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.into();
    }
    let quoted = serde_json::to_string(text).expect("a string is written as JSON without fail");
    super::safe::json(&quoted).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_become_block_text() {
        let value = json!({
            "answer": ["203.0.113.20"], "ttl": 20, "none": [], "empty": {}, "nothing": null, "on": "no",
            "steps": [{"pool": "eu", "endpoints": [{"id": "aws-euw", "up": true}, {"id": "gcp-euw"}]}, [1, [2, 3]]],
            "reason": "INC-123: \u{1b}[31mred\n", "time": "2026-11-23T10:42:00Z"
        });
        let expected = "\
answer:
  - \"203.0.113.20\"
empty: {}
none: []
nothing: null
\"on\": \"no\"
reason: \"INC-123: \\u001b[31mred\\n\"
steps:
  - endpoints:
      - id: aws-euw
        up: true
      - id: gcp-euw
    pool: eu
  - - 1
    - - 2
      - 3
time: \"2026-11-23T10:42:00Z\"
ttl: 20
";
        assert_eq!(document(&value), expected);
        assert_eq!(document(&json!("x")), "x\n");
        assert_eq!(document(&json!([])), "[]\n");
    }

    proptest! {
        #[test]
        fn a_string_is_plain_only_if_nothing_else_is_meant(text in any::<String>()) {
            let written = string(&text);
            if written.starts_with('"') {
                prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
            } else {
                prop_assert_eq!(&written, &text);
                prop_assert!(text.parse::<f64>().is_err());
            }
        }
    }
}
