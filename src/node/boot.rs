//! Which configuration a node starts from: the file, or the last one it accepted.

use std::{fmt, path::PathBuf, sync::Arc};

use crate::{
    config::{self, Loaded, Problems, SourceFile},
    probe::{Lookup, System},
    store::{accepted::AcceptedFolder, held_back::HeldBack},
};

/// The places the file is looked for, in this order, after `--config` and `WAYSHIFT_CONFIG`.
pub const PLACES: [&str; 2] = ["./wayshift.toml", "/etc/wayshift/wayshift.toml"];
/// Where accepted configurations are looked for when the file cannot say where its store is.
const STORE_DEFAULT: &str = "/var/lib/wayshift";

/// Looks environment variables up.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a node starts from.
#[derive(Clone)]
pub struct Boot {
    /// The configuration that serves.
    pub loaded: Arc<Loaded>,
    /// The texts it was read from, to be kept.
    pub copies: Vec<SourceFile>,
    /// The file that reloads read.
    pub file: PathBuf,
    /// The file has these problems, and `loaded` is the last accepted one instead.
    pub stale: Option<Arc<Problems>>,
    /// The file has a configuration that is being tried or was rolled back, and `loaded` is the last accepted one
    /// instead; in words.
    pub held_back: Option<String>,
    /// What reloads look variables up in.
    pub env: Env,
    /// Where targets of endpoints are looked up.
    pub lookup: Arc<dyn Lookup>,
}

/// No configuration to start from: exit 78.
#[derive(Debug)]
pub struct NoConfiguration {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problems: Problems,
}

impl fmt::Display for NoConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problems)
    }
}

/// The file to read: as told, or the first place that has one, or the last place for the error to name.
#[must_use]
pub fn find(told: Option<PathBuf>) -> PathBuf {
    let found = || PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    told.or_else(found).unwrap_or_else(|| PLACES[1].into())
}

/// Loads the file; where it has problems, the newest accepted configuration, unless `strict`.
///
/// # Errors
/// When neither serves.
pub fn boot(file: PathBuf, env: Env, strict: bool) -> Result<Boot, NoConfiguration> {
    let lookup = Arc::new(System::new());
    let (mut loaded, stale) = match config::load(&file, &*env) {
        Ok(loaded) => (loaded, None),
        Err(problems) if strict => return Err(NoConfiguration { file, problems }),
        Err(problems) => match last_accepted(&file, &*env) {
            Some(loaded) => (loaded, Some(Arc::new(problems))),
            None => return Err(NoConfiguration { file, problems }),
        },
    };
    let mut held_back = None;
    let mark = HeldBack::open(&loaded.settings.store.path).mark().filter(|mark| mark.fleet == loaded.fleet.digest);
    if let (Some(mark), None) = (mark, &stale) {
        match last_accepted(&file, &*env).filter(|before| before.fleet.digest != mark.fleet) {
            Some(before) => {
                loaded = before;
                held_back = Some(format!(
                    "the configuration file has what a staged reload tries or has rolled back ({}); the one before it \
                     serves, and `wayshift reload` takes the file all the same",
                    mark.fleet
                ));
            }
            None => tracing::warn!("a staged reload is not over, and no configuration from before it is there"),
        }
    }
    let copies = std::mem::take(&mut loaded.copies);
    Ok(Boot { loaded: Arc::new(loaded), copies, file, stale, held_back, env, lookup })
}

/// The newest accepted configuration that still loads; an older one where the newest does not (a certificate or secret
/// that it refers to may be gone).
fn last_accepted(file: &std::path::Path, env: &dyn Fn(&str) -> Option<String>) -> Option<Loaded> {
    let accepted = AcceptedFolder::new(&store_of(file).unwrap_or_else(|| STORE_DEFAULT.into()));
    accepted.list().ok()?.iter().find_map(|name| {
        let files = accepted.load(name).ok()?.files;
        let copies: Vec<SourceFile> = files.into_iter().map(|(path, text)| SourceFile { path, text }).collect();
        config::load_copies(&copies, env).ok()
    })
}

/// The store's folder as a broken file still tells it: by TOML if that much is sound, else by its lines.
fn store_of(file: &std::path::Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(file).ok()?;
    if let Ok(table) = text.parse::<toml::Table>() {
        return table.get("store")?.get("path")?.as_str().map(PathBuf::from);
    }
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[store]").skip(1);
    let path = lines.by_ref().take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "path").then(|| value.trim().split('"').nth(1)).flatten()
    });
    path.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_still_tells_where_its_store_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wayshift.toml");
        let check = |text: &str, expected: Option<&str>| {
            std::fs::write(&file, text).unwrap();
            assert_eq!(store_of(&file), expected.map(PathBuf::from), "{text}");
        };
        check("[store]\npath = \"/x\"\n", Some("/x"));
        check("broken = = 1\n[store]\n  path = \"/x\" # here\n", Some("/x"));
        check("broken = = 1\n[other]\npath = \"/x\"\n", None);
        check("[dns]\n", None);
    }
}
