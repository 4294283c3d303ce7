//! `config show|schema`: the configuration in force on a node or in a file, and its schema. Secrets were replaced before
//! anything comes here.

use serde_json::Value;

use super::{
    super::{
        args::change::ShowConfigArgs,
        client::{Ask, Client},
        ending::{Exit, Failure},
        screen::{Screen, paint::Paint, safe, table::Table},
        wire::Configuration,
    },
    check, place,
};
use crate::config;

/// What the node runs: its TOML for people, the API's body otherwise.
pub(in crate::cli) async fn show_node(client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let reply = client.send(Ask::get(&["v1", "config"])).await?;
    let configuration: Configuration = reply.parsed()?;
    let text = safe::lines(&configuration.toml).into_owned();
    screen.show(&reply.body, |_| Ok(text.clone()), || toml_fields(&configuration.toml))?;
    if let Some(stale) = &configuration.stale {
        screen.say(&format!("warning: this is not what the file says now: {stale}"));
    }
    if !configuration.files.is_empty() {
        screen.note(&format!("from {}", configuration.files.join(", ")));
    }
    Ok(Exit::Done)
}

fn toml_fields(text: &str) -> Result<Table, Failure> {
    let unread = |error| Failure::new(Exit::Failed, format!("the node's answer is not understood: {error}"));
    let value: toml::Table = text.parse().map_err(|error: toml::de::Error| unread(error.to_string()))?;
    Ok(fields(&serde_json::to_value(value).map_err(|error| unread(error.to_string()))?))
}

/// What a file means, with every default; offline.
pub(in crate::cli) fn show_file(args: &ShowConfigArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let path = place::config_file(args.path())
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()).hint("name one"))?;
    match config::load(&path, &place::variable) {
        Ok(loaded) => effective(&loaded.effective(), screen),
        Err(problems) => {
            screen.say(check::rendered(&problems, Paint(false)).trim_end());
            Err(Failure::silent(Exit::Configuration))
        }
    }
}

fn effective(value: &Value, screen: &mut Screen) -> Result<Exit, Failure> {
    let page = |_| {
        let text = toml(value).map_err(|error| Failure::new(Exit::Failed, format!("not shown as TOML: {error}")))?;
        Ok(safe::lines(&text).into_owned())
    };
    screen.show(&value.to_string(), page, || Ok(fields(value)))?;
    Ok(Exit::Done)
}

/// The JSON schema, for editors.
pub(in crate::cli) fn schema(screen: &mut Screen) -> Result<Exit, Failure> {
    let schema = config::schema();
    let page = |_| Ok(format!("{schema:#}\n"));
    screen.show(&schema.to_string(), page, || Ok(fields(&schema)))?;
    Ok(Exit::Done)
}

/// A JSON value as TOML, which knows no null: what is not set is left out.
fn toml(value: &Value) -> Result<String, toml::ser::Error> {
    fn set(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                Value::Object(map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), set(v))).collect())
            }
            Value::Array(list) => Value::Array(list.iter().filter(|value| !value.is_null()).map(set).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    toml::to_string_pretty(&toml::Value::try_from(set(value))?)
}

/// One line for each value: its path and the value as JSON.
fn fields(value: &Value) -> Table {
    fn walk(path: &str, value: &Value, table: &mut Table) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| walk(&below(key), value, table));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                table.row([path.into(), value.to_string().into()]);
            }
        }
    }
    let mut table = Table::new(&["KEY", "VALUE"]);
    walk("", value, &mut table);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Format, screen::doubles};
    use serde_json::json;

    #[test]
    fn a_configuration_is_shown_as_toml_lines_or_a_document() {
        let value =
            json!({"node": {"name": "eu-1", "region": null}, "pool": {"eu": {"endpoints": ["a", "b"], "count": 1}}});
        let rows = [
            (
                Format::Plain,
                "node.name\t\"eu-1\"\nnode.region\tnull\npool.eu.count\t1\npool.eu.endpoints\t[\"a\",\"b\"]\n",
            ),
            (
                Format::Json,
                "{\"node\":{\"name\":\"eu-1\",\"region\":null},\"pool\":{\"eu\":{\"count\":1,\"endpoints\":[\"a\",\"b\"]}}}\n",
            ),
        ];
        for (format, expected) in rows {
            let (mut screen, out, _) = doubles::screen(format, None);
            effective(&value, &mut screen).unwrap();
            assert_eq!(out.text(), expected, "{format:?}");
        }
        let (mut screen, out, _) = doubles::screen(Format::Table, None);
        effective(&value, &mut screen).unwrap();
        let read: toml::Table = out.text().parse().unwrap();
        assert_eq!(read["pool"]["eu"]["endpoints"][1].as_str(), Some("b"));
        assert!(!out.text().contains("region"));
    }

    #[test]
    fn the_schema_is_a_document() {
        let (mut screen, out, _) = doubles::screen(Format::Table, None);
        schema(&mut screen).unwrap();
        let value: Value = serde_json::from_str(&out.text()).unwrap();
        assert!(value.get("$schema").is_some());
    }
}
