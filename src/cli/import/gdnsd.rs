//! gdnsd's folder: `config`, and in `zones/` master files with DYNA and DYNC records.

mod resource;
mod text;

use std::{collections::BTreeMap, path::Path};

use self::{
    resource::Resources,
    text::{Node, parse},
};
use super::{
    super::ending::{Exit, Failure},
    bind,
    draft::{Draft, Service, id, quoted},
    text as file_text,
};

/// Zones of one folder.
const ZONES_MAX: usize = 10_000;

/// Reads the folder.
pub(super) fn read(folder: &Path) -> Result<Draft, Failure> {
    let config = file_text(&folder.join("config"))?;
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", folder.display()));
    let mut zones: BTreeMap<String, String> = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join("zones")).map_err(failed)?.take(ZONES_MAX) {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            zones.insert(entry.file_name().to_string_lossy().into_owned(), file_text(&entry.path())?);
        }
    }
    convert(&config, &zones)
}

/// A steered name in a zone.
struct Dynamic {
    name: String,
    ttl: Option<String>,
    /// `plugin!resource`.
    resource: String,
}

pub(super) fn convert(config: &str, zones: &BTreeMap<String, String>) -> Result<Draft, Failure> {
    let config = parse(config).map_err(|error| Failure::new(Exit::Configuration, format!("config {error}")))?;
    let mut resources = Resources::new(&config);
    let mut by_resource: BTreeMap<(String, Option<String>), Vec<String>> = BTreeMap::new();
    for (file, text) in zones {
        // gdnsd writes a slash of a zone's name as @.
        let zone = file.replace('@', "/").trim_end_matches('.').to_owned();
        let (fixed, dynamic) = split(text, &zone, &mut resources.draft.left_out);
        for one in dynamic {
            by_resource.entry((one.resource, one.ttl)).or_default().push(one.name);
        }
        let parsed = bind::parsed(&fixed, &zone, &Path::new("zones").join(file))?;
        let path = format!("zones/{zone}.zone");
        resources.draft.zones.push(format!("[zone.{}]\nfile = {}\n", quoted(&zone), quoted(&path)));
        resources.draft.files.push((path, bind::master(&parsed, &[])));
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for ((resource, ttl), names) in by_resource {
        let Some(made) = resources.service(&resource) else {
            resources.draft.left_out.push(format!("{resource}, for {}", names.join(", ")));
            continue;
        };
        let mut service = Service { names, ..made };
        // One resource under two TTLs is two services of the same pools.
        let count = taken.entry(service.id.clone()).or_default();
        *count += 1;
        if 1 < *count {
            service.id = id(&format!("{}-{count}", service.id));
        }
        service.lines.extend(ttls(ttl.as_deref()));
        resources.draft.services.push(service);
    }
    if let Some(options) = config.get("options")
        && !options.entries().is_empty()
    {
        let keys: Vec<&str> = options.entries().iter().map(|(key, _)| key.as_str()).collect();
        resources.draft.left_out.push(format!("options: {}; see [dns] and [node]", keys.join(", ")));
    }
    Ok(resources.draft)
}

/// `ttl` and `ttl_min` of `600/60` (largest, then smallest).
fn ttls(ttl: Option<&str>) -> Vec<String> {
    let Some(ttl) = ttl else { return Vec::new() };
    let (max, min) = ttl.split_once('/').unwrap_or((ttl, ""));
    let mut lines = vec![format!("ttl   = \"{max}s\"")];
    if !min.is_empty() {
        lines.push(format!("ttl_min = \"{min}s\""));
    }
    lines
}

/// Parts a zone's steered records from the others; each stands on a line of its own.
fn split(text: &str, zone: &str, left_out: &mut Vec<String>) -> (String, Vec<Dynamic>) {
    let (mut fixed, mut dynamic) = (String::new(), Vec::new());
    let mut origin = format!("{zone}.");
    let mut owner = origin.clone();
    for line in text.lines() {
        let bare = line.split(';').next().unwrap_or_default();
        let words: Vec<&str> = bare.split_whitespace().collect();
        if let ["$ORIGIN", name, ..] = words.as_slice() {
            origin = absolute(name, &origin);
        }
        let begins = !line.starts_with(char::is_whitespace);
        if let (true, Some(first)) = (begins, words.first().filter(|word| !word.starts_with('$'))) {
            owner = absolute(first, &origin);
        }
        let at = words.iter().position(|word| matches!(*word, "DYNA" | "DYNC"));
        let Some(at) = at else {
            fixed.push_str(line);
            fixed.push('\n');
            continue;
        };
        let number = |word: &&&str| word.starts_with(|c: char| c.is_ascii_digit());
        let ttl = words[usize::from(begins).min(at)..at].iter().find(number).map(|ttl| (*ttl).to_owned());
        match words.get(at + 1) {
            Some(resource) => dynamic.push(Dynamic {
                name: owner.trim_end_matches('.').to_owned(),
                ttl,
                resource: (*resource).to_owned(),
            }),
            None => left_out.push(format!("{zone}: `{}`", line.trim())),
        }
    }
    (fixed, dynamic)
}

fn absolute(name: &str, origin: &str) -> String {
    match name {
        "@" => origin.to_owned(),
        name if name.ends_with('.') => name.to_owned(),
        name => format!("{name}.{origin}"),
    }
}

/// A number of a table, if it is one.
fn number(node: &Node, key: &str) -> Option<u32> {
    node.get(key)?.text()?.parse().ok()
}
