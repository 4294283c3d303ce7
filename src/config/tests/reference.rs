//! The files people copy: each loads, and the reference says of every key what holds without it.

use toml::{Table, Value};

use super::*;
use crate::config::{
    keys::ROOT,
    kind::{Key, Kind, Section},
};

const REFERENCE: &str = include_str!("../../../config/reference.toml");

#[test]
fn the_minimal_configuration_loads_without_a_warning() {
    let loaded = loaded(include_str!("../../../config/minimal.toml"));
    assert_eq!(loaded.fleet.services.len(), 1);
    let ids: Vec<_> = loaded.fleet.endpoints.iter().map(|endpoint| endpoint.id.to_string()).collect();
    assert_eq!(ids, ["www-203-0-113-10", "www-198-51-100-20"]);
    assert_eq!(loaded.fleet.find_endpoint("203.0.113.10"), loaded.fleet.find_endpoint("www-203-0-113-10"));
    assert_eq!(loaded.warnings.render(false), "no problems in 1 file.");
}

#[test]
fn the_typical_configuration_loads() {
    let loaded = loaded(include_str!("../../../config/typical.toml"));
    assert_eq!((loaded.fleet.pools.len(), loaded.fleet.endpoints.len()), (3, 5));
    let codes: Vec<_> = loaded.warnings.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["W202", "W214"], "the pool `ap` has one endpoint, and there is no database beside it");
    let test = &loaded.tests[3];
    assert_eq!((test.name.as_str(), test.place.as_str()), ("losing AWS moves Europe to GCP Dublin", "test.toml:61"));
    assert_eq!(loaded.tests.len(), 7);
}

/// Where the demo's configuration stands, with its networks beside it.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo.toml");

#[test]
fn the_demo_configuration_loads_alone() {
    let loaded = load(Path::new(DEMO), &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((loaded.fleet.endpoints.len(), loaded.fleet.regions.len()), (6, 3));
    assert_eq!(loaded.warnings.len(), 0, "{}", loaded.warnings);
}

#[test]
fn the_demo_puts_its_endpoints_in_place() {
    let env = |name: &str| (name == "DEMO_EP_2").then(|| "127.0.0.1:4242".to_owned());
    let loaded = load(Path::new(DEMO), &env).unwrap_or_else(|problems| panic!("{problems}"));
    let at = loaded.fleet.endpoint(loaded.fleet.find_endpoint("gcp-use").unwrap()).check_at;
    assert_eq!(at, Some(crate::model::CheckAt::Socket("127.0.0.1:4242".parse().unwrap())));
}

/// Every written key of the reference with its description, as a path.
fn written(
    table: &Table,
    section: &'static Section,
    path: &[String],
    into: &mut Vec<(Vec<String>, &'static Key, Value)>,
) {
    for (name, value) in table {
        let key = section.key(name).unwrap_or_else(|| panic!("`{name}` in {path:?}"));
        let path: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
        into.push((path.clone(), key, value.clone()));
        match (key.kind, value) {
            (Kind::Table(section), Value::Table(inner)) => written(inner, section, &path, into),
            (Kind::Map(_, Kind::Table(section)), Value::Table(entities)) => {
                for (id, entity) in entities {
                    let path: Vec<String> = path.iter().cloned().chain([id.clone()]).collect();
                    written(entity.as_table().unwrap(), section, &path, into);
                }
            }
            _ => {}
        }
    }
}

fn without(table: &mut Table, path: &[String]) {
    match path {
        [last] => drop(table.remove(last)),
        [first, rest @ ..] => without(table.get_mut(first).unwrap().as_table_mut().unwrap(), rest),
        [] => {}
    }
}

#[test]
fn each_default_in_the_reference_is_what_holds_without_the_key() {
    let whole = loaded(REFERENCE);
    assert_eq!(whole.warnings.render(false), "no problems in 1 file.");
    let table: Table = REFERENCE.parse().unwrap();
    // Written anew its keys are sorted, and so are the name servers.
    let whole = loaded(&toml::to_string(&table).unwrap());
    let mut keys = Vec::new();
    written(&table, &ROOT, &[], &mut keys);
    let mut checked = 0;
    for (path, key, value) in keys {
        let conditional = ["answer", "count"].contains(&key.name);
        // Only the endpoint `spare` is where an endpoint is that says nothing.
        if path[0] == "endpoint"
            && path.get(1).is_some_and(|id| id != "spare")
            && ["provider", "region"].contains(&key.name)
        {
            continue;
        }
        if key.default.is_empty() && !conditional {
            continue;
        }
        if !conditional {
            assert_eq!(serde_json::to_value(&value).ok(), key.default(), "{path:?} differs from the table of keys");
        }
        let mut less = table.clone();
        without(&mut less, &path);
        let less = loaded(&toml::to_string(&less).unwrap());
        assert_eq!(less.effective(), whole.effective(), "{path:?} is not the default");
        checked += 1;
    }
    assert!(checked > 60, "only {checked} keys were checked");
}

/// Every key of every section, with the sections below.
fn all(section: &'static Section, into: &mut Vec<&'static Key>) {
    for key in section.keys {
        into.push(key);
        below(&key.kind, into);
    }
}

fn below(kind: &'static Kind, into: &mut Vec<&'static Key>) {
    match kind {
        Kind::Table(section) => all(section, into),
        Kind::Map(_, item) | Kind::Many(item) | Kind::List(item, ..) => below(item, into),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| below(kind, into)),
        Kind::Text(_)
        | Kind::Word(..)
        | Kind::Bool
        | Kind::Whole(..)
        | Kind::Coordinates
        | Kind::Time
        | Kind::Secret => {}
    }
}

#[test]
fn the_reference_names_every_key_and_the_schema_describes_it() {
    let mut keys = Vec::new();
    all(&ROOT, &mut keys);
    let words: std::collections::HashSet<&str> =
        REFERENCE.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for key in &keys {
        assert!(words.contains(key.name), "config/reference.toml does not name `{}`", key.name);
        assert!(key.doc.ends_with(['.', '!']), "`{}` is described by a sentence", key.name);
    }
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let check = &schema["properties"]["check"]["additionalProperties"];
    assert_eq!(check["required"], serde_json::json!(["url"]));
    assert_eq!(check["properties"]["interval"]["default"], "10s");
    assert_eq!(schema["properties"]["service"]["additionalProperties"]["additionalProperties"], false);
}

#[test]
fn no_key_is_both_accepted_and_of_a_later_version() {
    fn check(section: &Section) {
        for key in section.keys {
            assert!(!section.later.contains(&key.name), "{}", key.name);
        }
    }
    check(&ROOT);
    let mut keys = Vec::new();
    all(&ROOT, &mut keys);
    for key in keys {
        if let Kind::Table(section) = key.kind {
            check(section);
        }
        if let Kind::Map(_, &Kind::Table(section)) = key.kind {
            check(section);
        }
    }
}
