//! Secrets by reference: a file, a systemd credential or a variable. The value itself is taken too, with a warning,
//! because configurations are copied, committed and shown.

use std::path::{Path, PathBuf};

use crate::model::{PrivateKey, Secret};

use super::{
    document::{Node, Value},
    files::{From, Reader, read_bounded},
    report::{Place, Raw},
};

/// Longest secret, in octets.
const SECRET_MAX: u64 = 16 * 1024;
/// The ways to write one.
const WAYS: &str = "{ file = \"...\" }, { credential = \"...\" } or { env = \"...\" }";

/// What a reference leads to.
struct Found {
    text: String,
    /// Where it may be read again.
    path: Option<PathBuf>,
    place: Place,
}

/// The secret a value names; says what is wrong when there is none.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Secret> {
    let found = find(node, reader)?;
    checked(&found.text, found.place, reader)
}

/// The private key a value names: lines in PEM (RFC 7468), where any other secret is a single one.
pub(super) fn read_key(node: &Node, reader: &mut Reader<'_>) -> Option<PrivateKey> {
    let Found { text, path, place } = find(node, reader)?;
    if !(text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----")) {
        let hint = "it begins with -----BEGIN PRIVATE KEY-----";
        reader.report.add(Raw::error("E014", "there is no private key in PEM").at(place, hint));
        return None;
    }
    Some(path.map_or_else(|| PrivateKey::Text(Secret::new(text)), PrivateKey::File))
}

fn find(node: &Node, reader: &mut Reader<'_>) -> Option<Found> {
    let table = match &node.value {
        Value::Text(text) => {
            reader.report.add(
                Raw::warning("W201", "a secret stands in the configuration").at(node.place, format!("write {WAYS}")),
            );
            return Some(Found { text: text.clone(), path: None, place: node.place });
        }
        Value::Table(table) => table,
        Value::Whole(_) | Value::Float(_) | Value::Bool(_) | Value::Time(_) | Value::List(_) => return None,
    };
    let [entry] = table.entries.as_slice() else {
        reader
            .report
            .add(Raw::error("E014", "a secret is named in exactly one way").at(node.place, format!("write {WAYS}")));
        return None;
    };
    let Some(name) = entry.node.text().filter(|name| !name.is_empty()) else {
        let message = format!("`{}` is {} here", entry.key, entry.node.what());
        reader.report.add(Raw::error("E005", message).at(entry.node.place, "write a string"));
        return None;
    };
    if !["file", "credential", "env"].contains(&entry.key.as_str()) {
        let message = format!("a secret has no key `{}`", entry.key);
        reader.report.add(Raw::error("E003", message).at(entry.place, format!("write {WAYS}")));
        return None;
    }
    if matches!(reader.from, From::Sealed) {
        let message = format!("a secret by `{}` is not available here", entry.key);
        reader.report.add(Raw::error("E028", message).at(entry.place, ""));
        return None;
    }
    let path = match entry.key.as_str() {
        "env" => Ok(None),
        "file" => Ok(Some(reader.beside(entry.node.place, name))),
        _ => credential(name, reader).map(Some),
    };
    let found = path.and_then(|path| {
        let text = match &path {
            None => (reader.env)(name).ok_or_else(|| format!("the variable {name} is not set"))?,
            Some(path) => from_file(path)?,
        };
        Ok((text, path))
    });
    match found {
        Ok((text, path)) => Some(Found { text, path, place: entry.node.place }),
        Err(message) => {
            reader.report.add(Raw::error("E014", message).at(entry.node.place, ""));
            None
        }
    }
}

/// Where systemd puts it (`LoadCredential=`, systemd.exec(5)).
fn credential(name: &str, reader: &Reader<'_>) -> Result<PathBuf, String> {
    if name.contains('/') || name == ".." {
        return Err(format!("`{name}` is not a credential's name"));
    }
    let folder = (reader.env)("CREDENTIALS_DIRECTORY")
        .ok_or("the variable CREDENTIALS_DIRECTORY is not set; systemd sets it for units with LoadCredential=")?;
    Ok(Path::new(&folder).join(name))
}

fn from_file(path: &Path) -> Result<String, String> {
    read_bounded(path, SECRET_MAX).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Files end with a line feed that belongs to no secret; control characters would break a header field.
fn checked(text: &str, place: Place, reader: &mut Reader<'_>) -> Option<Secret> {
    let text = text.trim_end_matches(['\n', '\r']);
    let complaint = match text {
        "" => "the secret is empty",
        text if !text.chars().all(|c| c.is_ascii_graphic()) => "a secret consists of visible ASCII characters",
        _ => return Some(Secret::new(text.to_owned())),
    };
    reader.report.add(Raw::error("E014", complaint).at(place, ""));
    None
}
