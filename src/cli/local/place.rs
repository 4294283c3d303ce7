//! Where the configuration stands, and the variables it may name.

use std::path::{Path, PathBuf};

/// Looked for in this order when nothing is named.
const FILES: [&str; 2] = ["wayshift.toml", "/etc/wayshift/wayshift.toml"];

/// No file was named and none is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no configuration: neither ./wayshift.toml nor /etc/wayshift/wayshift.toml is there")]
pub struct NoFile;

/// The file that is named, or the first of `WAYSHIFT_CONFIG`, `./wayshift.toml` and `/etc/wayshift/wayshift.toml`. A
/// file that is named need not exist: the loader says what is wrong with it.
///
/// # Errors
/// [`NoFile`], when there is nothing to name.
pub fn config_file(named: Option<&Path>) -> Result<PathBuf, NoFile> {
    let named = named.map(Path::to_path_buf).or_else(|| variable("WAYSHIFT_CONFIG").map(PathBuf::from));
    named.or_else(|| FILES.iter().map(PathBuf::from).find(|path| path.exists())).ok_or(NoFile)
}

/// A variable of the environment as the configuration sees it: an empty one is as good as none, and `HOSTNAME` is the
/// machine's name even where no shell exported it.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let set = std::env::var(name).ok().filter(|value| !value.is_empty());
    if set.is_some() || name != "HOSTNAME" {
        return set;
    }
    let text =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    text.ok().map(|text| text.trim().to_owned()).filter(|name| !name.is_empty())
}
