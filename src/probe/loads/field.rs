//! Which number of an answer is the load: a field of a JSON object, or a metric in Prometheus' text format.
//!
//! An answer that begins with `{` is JSON, any other is Prometheus text (exposition format 0.0.4); a page of metrics
//! never begins so. Of a metric all samples whose labels fit are summed: a server that counts its connections by
//! listener is as loaded as all of them together.

use serde_json::Value;

use super::PollError;
use crate::model::Load;

/// Most labels that a selector may name.
const LABELS_MAX: usize = 16;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// As written; the path in JSON.
    text: String,
    /// The metric's name, and labels that must have these values.
    name: String,
    labels: Vec<(String, String)>,
}

impl Field {
    /// `a.b` or `metric{label="value"}`. `None` if the braces do not hold labels.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, labels) = match text.split_once('{') {
            Some((name, inside)) => {
                let (labels, rest) = labels(inside)?;
                (name, Some(labels).filter(|labels| rest.is_empty() && labels.len() <= LABELS_MAX)?)
            }
            None => (text, Vec::new()),
        };
        (!name.is_empty()).then(|| Self { text: text.into(), name: name.into(), labels })
    }

    /// The load in an answer.
    pub(super) fn read(&self, body: &str) -> Result<Load, PollError> {
        let found = if body.trim_start().starts_with('{') { self.in_json(body) } else { self.in_metrics(body) }?;
        if found.is_finite() && 0.0 <= found { Ok(Load(found)) } else { Err(PollError::Value) }
    }

    fn in_json(&self, body: &str) -> Result<f64, PollError> {
        let whole: Value = serde_json::from_str(body).map_err(|_| PollError::Unreadable)?;
        let found = self.text.split('.').try_fold(&whole, |at, step| at.get(step)).ok_or(PollError::Missing)?;
        found.as_f64().ok_or(PollError::Value)
    }

    fn in_metrics(&self, body: &str) -> Result<f64, PollError> {
        let mut sum = None;
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some(value) = self.sample(line) else { continue };
            *sum.get_or_insert(0.0) += value?;
        }
        sum.ok_or(PollError::Missing)
    }

    /// The value of a line, if it is a sample that was looked for: `name{labels} value [time]`.
    fn sample(&self, line: &str) -> Option<Result<f64, PollError>> {
        let rest = line.strip_prefix(self.name.as_str())?;
        let (found, rest) = match rest.strip_prefix('{') {
            Some(inside) => match labels(inside) {
                Some(pair) => pair,
                None => return Some(Err(PollError::Unreadable)),
            },
            None if rest.starts_with([' ', '\t']) => (Vec::new(), rest),
            // A longer name.
            None => return None,
        };
        if !self.labels.iter().all(|wanted| found.contains(wanted)) {
            return None;
        }
        let value = rest.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
        Some(value.ok_or(PollError::Value))
    }
}

/// The labels up to the closing brace, and what follows it. In values `\\`, `\"` and `\n` are escaped.
fn labels(mut text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches([',', ' ', '\t']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((found, rest));
        }
        let (name, rest) = text.split_once('=')?;
        let (value, rest) = quoted(rest.trim_start().strip_prefix('"')?)?;
        found.push((name.trim().to_owned(), value));
        text = rest;
    }
}

/// A value up to its closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(field: &str, body: &str, expected: Result<f64, PollError>) {
        let found = Field::new(field).unwrap().read(body);
        assert_eq!(found, expected.map(Load), "{field} in {body}");
    }

    #[test]
    fn fields_of_json() {
        check("connections", r#"{"connections": 17}"#, Ok(17.0));
        check("load.now", r#" {"load": {"now": 0.25}, "now": 9}"#, Ok(0.25));
        check("load.now", r#"{"load.now": 1}"#, Err(PollError::Missing));
        check("load", r#"{"load": "17"}"#, Err(PollError::Value));
        check("load", r#"{"load": -1}"#, Err(PollError::Value));
        check("load", r#"{"load": null}"#, Err(PollError::Value));
        check("load", r#"{"load": 1e999}"#, Err(PollError::Unreadable));
        check("load", r#"{"load": 17"#, Err(PollError::Unreadable));
    }

    #[test]
    fn metrics_in_prometheus_text() {
        let page = "# HELP active Connections.\n# TYPE active gauge\nactive{listener=\"a\",tls=\"yes\"} 3\n\
                    active{listener=\"b \\\"}\\\\\"} 4 1700000000000\nactive_total 900\n up 1\nbroken NaN\nnegative -2\nempty\n";
        check("active", page, Ok(7.0));
        check("active{listener=\"a\"}", page, Ok(3.0));
        check("active{ tls = \"yes\", listener=\"a\", }", page, Ok(3.0));
        check("active{listener=\"b \\\"}\\\\\"}", page, Ok(4.0));
        check("active{listener=\"c\"}", page, Err(PollError::Missing));
        check("active_total", page, Ok(900.0));
        check("up", page, Ok(1.0));
        check("act", page, Err(PollError::Missing));
        check("broken", page, Err(PollError::Value));
        check("negative", page, Err(PollError::Value));
        check("empty", page, Err(PollError::Missing));
        check("active", "active{listener=\"a 3\n", Err(PollError::Unreadable));
        check("active", "", Err(PollError::Missing));
    }

    #[test]
    fn what_is_no_field_is_told() {
        for text in ["", "  ", "{a=\"b\"}", "up{", "up{a}", "up{a=b}", "up{a=\"b\"} 1", "up{a=\"b}"] {
            assert_eq!(Field::new(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_without_panic(field in ".{0,20}", body in ".{0,200}") {
            if let Some(field) = Field::new(&field) {
                let _ = field.read(&body);
            }
        }
    }
}
