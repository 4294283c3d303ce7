//! The files that say where clients are (`[geo]`), in memory and replaced while the node runs.
//!
//! A file that comes in broken or empty, or goes away, changes nothing: the one read before goes on serving, and a
//! person is told. A file is read once it has stood still for a look, so that one being copied is not read half; at the start and
//! at a reload it is read at once. All of it happens on a thread that may block, never on the control task.
//!
//! Memory: databases are held as they are on disk (GeoLite City about 60 MB, ASN about 10 MB), and while one is
//! replaced both are there.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{GeoSettings, Loaded, read_whole},
    model::Region,
    steer::{DATABASE_SIZE_MAX, Locator, NETS_SIZE_MAX, Nets},
    telemetry::geo::GeoMetrics,
};

/// The files are looked at this often: a look asks the file system for three times and sizes.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Watches the files. Clones are the same.
#[derive(Clone)]
pub(super) struct Places {
    desk: Arc<Mutex<Desk>>,
    locator: Arc<watch::Sender<Arc<Locator>>>,
    trouble: Arc<watch::Sender<Option<String>>>,
    metrics: Arc<GeoMetrics>,
}

impl Places {
    /// Reads the files for the first time; blocks.
    pub(super) fn start(settings: &GeoSettings, regions: &[Region], metrics: Arc<GeoMetrics>) -> Self {
        let places = Self {
            desk: Arc::default(),
            locator: Arc::new(watch::Sender::new(Arc::default())),
            trouble: Arc::new(watch::Sender::new(None)),
            metrics,
        };
        places.look(settings, regions, true);
        places
    }

    /// What clients are located with, now and whenever it changes.
    pub(super) fn locator(&self) -> watch::Receiver<Arc<Locator>> {
        self.locator.subscribe()
    }

    /// Why something older than the files serves, while it does.
    pub(super) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    /// Follows the files and the configuration until told to stop.
    pub(super) async fn run(self, mut config: watch::Receiver<Arc<Loaded>>, until: CancellationToken) {
        loop {
            let loaded = Arc::clone(&config.borrow_and_update());
            let watches = loaded.settings.geo != GeoSettings::default();
            let at_once = tokio::select! {
                () = until.cancelled() => return,
                changed = config.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return until.cancelled().await,
                },
                () = tokio::time::sleep(LOOK_EVERY), if watches => false,
            };
            let (places, loaded) = (self.clone(), Arc::clone(&config.borrow()));
            let look = move || places.look(&loaded.settings.geo, &loaded.fleet.regions, at_once);
            if tokio::task::spawn_blocking(look).await.is_err() {
                tracing::error!("reading where clients are panicked; what was read before goes on serving");
            }
        }
    }

    /// Reads what changed; blocks.
    fn look(&self, settings: &GeoSettings, regions: &[Region], at_once: bool) {
        // After a panic in here the desk holds what it held before.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.look(settings, regions, at_once, &self.metrics) {
            self.locator.send_replace(Arc::new(desk.locator.clone()));
        }
        let trouble = desk.trouble();
        self.metrics.stale(trouble.is_some());
        self.trouble.send_if_modified(|known| {
            let changed = *known != trouble;
            *known = trouble;
            changed
        });
    }
}

#[derive(Default)]
struct Desk {
    locator: Locator,
    database: Sheet,
    asn: Sheet,
    nets: Sheet,
    /// What the rows of own networks were read against.
    regions: Vec<Region>,
}

impl Desk {
    /// Whether the locator is another now.
    fn look(&mut self, settings: &GeoSettings, regions: &[Region], at_once: bool, metrics: &GeoMetrics) -> bool {
        let before = &self.locator;
        let city = self.database.look(settings.database.as_deref(), DATABASE_SIZE_MAX, at_once, metrics, |octets| {
            before.clone().with_city(octets).map_err(|error| super::with_source(&error))
        });
        let mut changed = self.put(city);
        let before = &self.locator;
        let asn = self.asn.look(settings.asn.as_deref(), DATABASE_SIZE_MAX, at_once, metrics, |octets| {
            before.clone().with_asn(octets).map_err(|error| super::with_source(&error))
        });
        changed |= self.put(asn);
        if self.regions != regions {
            self.regions = regions.to_vec();
            self.nets.forget();
        }
        let before = &self.locator;
        let nets = self.nets.look(settings.nets.as_deref(), NETS_SIZE_MAX, at_once, metrics, |octets| {
            let Some(octets) = octets else { return Ok(before.clone().with_nets(Nets::default())) };
            let text = String::from_utf8(octets).map_err(|_| "it is not UTF-8".to_owned())?;
            let nets = Locator::nets_from_csv(&text, regions).map_err(|error| error.to_string())?;
            // A file that was cut to nothing looks the same as one that means it: who means it leaves the key out.
            if nets.is_empty() { Err("it has no row".to_owned()) } else { Ok(before.clone().with_nets(nets)) }
        });
        changed | self.put(nets)
    }

    fn put(&mut self, next: Option<Locator>) -> bool {
        let Some(next) = next else { return false };
        self.locator = next;
        true
    }

    fn trouble(&self) -> Option<String> {
        let sheets = [("database", &self.database), ("asn", &self.asn), ("nets", &self.nets)];
        let told = sheets.into_iter().filter_map(|(key, sheet)| {
            let (path, why) = (sheet.path.as_ref()?.display(), sheet.trouble.as_ref()?);
            let after = if sheet.serves { "the one read before goes on serving" } else { "no client is located by it" };
            Some(format!("geo.{key} {path}: {why}; {after}"))
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// One of the files.
#[derive(Default)]
struct Sheet {
    path: Option<PathBuf>,
    /// Of the file as it was read, or could not be.
    read: Option<Stamp>,
    /// Of the file at the last look, when it was another than that.
    seen: Option<Stamp>,
    /// Something of a file of this kind is in the locator.
    serves: bool,
    trouble: Option<String>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    Missing,
    File { device: u64, inode: u64, size: u64, seconds: i64, nanoseconds: i64 },
}

impl Sheet {
    /// Makes a locator of the file where it changed; of nothing where there is no file to read any more.
    fn look(
        &mut self,
        path: Option<&Path>,
        size_max: usize,
        at_once: bool,
        metrics: &GeoMetrics,
        made: impl FnOnce(Option<Vec<u8>>) -> Result<Locator, String>,
    ) -> Option<Locator> {
        if self.path.as_deref() != path {
            self.forget();
            self.path = path.map(Path::to_owned);
        }
        let Some(path) = path else {
            self.trouble = None;
            return std::mem::take(&mut self.serves).then(|| made(None).ok()).flatten();
        };
        let stamp = stamp(std::fs::metadata(path).ok().as_ref());
        if self.read == Some(stamp) {
            self.seen = None;
            return None;
        }
        if self.seen != Some(stamp) && !at_once {
            self.seen = Some(stamp);
            return None;
        }
        // Before anything can go wrong: what cannot be read is read again when it changes.
        (self.read, self.seen) = (Some(stamp), None);
        self.trouble = Some("reading it panicked".into());
        let result = read_whole(path, size_max).and_then(|octets| made(Some(octets)));
        metrics.read(result.is_ok());
        match result {
            Ok(locator) => {
                tracing::info!(file = %path.display(), "where clients are: read");
                (self.serves, self.trouble) = (true, None);
                Some(locator)
            }
            Err(why) => {
                self.trouble = Some(why);
                None
            }
        }
    }

    /// The next look reads at once.
    fn forget(&mut self) {
        (self.read, self.seen) = (None, None);
    }
}

fn stamp(metadata: Option<&Metadata>) -> Stamp {
    metadata.map_or(Stamp::Missing, |file| Stamp::File {
        device: file.dev(),
        inode: file.ino(),
        size: file.size(),
        seconds: file.mtime(),
        nanoseconds: file.mtime_nsec(),
    })
}

#[cfg(test)]
mod tests;
