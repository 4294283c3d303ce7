//! The serials that zones had last, in a small file: after a restart no zone goes back, and an unchanged one stays.

use std::{collections::HashMap, fs, io, path::Path};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::database::sync_folder;
use crate::model::{Digest, DnsName, Serial};

/// The file in the store's folder.
const FILE: &str = "serials.json";
/// Longest file that is read, in octets: far more than all zones there may be.
const SIZE_MAX: u64 = 64 << 20;

/// What is kept of a zone: its serial, and the digest of what it had then.
pub type Known = HashMap<DnsName, (Serial, Digest)>;

#[derive(Serialize, Deserialize)]
struct Line {
    zone: String,
    serial: u32,
    content: String,
}

/// What was kept; nothing where there is no file.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn load(folder: &Path) -> io::Result<Known> {
    let path = folder.join(FILE);
    let text = match fs::metadata(&path) {
        Ok(about) if about.len() <= SIZE_MAX => fs::read_to_string(&path)?,
        Ok(_) => return Err(io::Error::other("the file of serials is far too long")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Known::new()),
        Err(error) => return Err(error),
    };
    let lines: Vec<Line> = serde_json::from_str(&text)?;
    let known = lines.into_iter().filter_map(|line| {
        let content = HEXLOWER.decode(line.content.as_bytes()).ok()?.try_into().ok()?;
        Some((line.zone.parse().ok()?, (Serial(line.serial), Digest(content))))
    });
    Ok(known.collect())
}

/// Keeps them: on disk when it returns.
///
/// # Errors
/// When the folder takes no more; the file there was stays.
pub fn save(folder: &Path, known: &Known) -> io::Result<()> {
    let line = |(zone, (serial, content)): (&DnsName, &(Serial, Digest))| Line {
        zone: zone.to_string(),
        serial: serial.0,
        content: HEXLOWER.encode(&content.0),
    };
    let mut lines: Vec<Line> = known.iter().map(line).collect();
    lines.sort_by(|a, b| a.zone.cmp(&b.zone));
    let fresh = folder.join(format!("{FILE}.new"));
    let file = fs::File::create(&fresh)?;
    serde_json::to_writer(&file, &lines)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(FILE))?;
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).unwrap().is_empty());
        let known = Known::from([
            ("example".parse().unwrap(), (Serial(7), Digest([1; 32]))),
            (r"a\032b.example".parse().unwrap(), (Serial(u32::MAX), Digest([0xab; 32]))),
        ]);
        save(folder.path(), &known).unwrap();
        assert_eq!(load(folder.path()).unwrap(), known);
        fs::write(folder.path().join(FILE), "[{").unwrap();
        assert!(load(folder.path()).is_err());
    }
}
