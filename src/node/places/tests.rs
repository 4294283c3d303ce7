//! Files that come, change, break and go, on a real file system.

use std::{fs, net::IpAddr};

use super::*;
use crate::{
    model::RegionId,
    steer::{Client, mmdb},
};

struct World {
    folder: tempfile::TempDir,
    settings: GeoSettings,
    places: Places,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| Some(folder.path().join(name));
    let settings = GeoSettings { database: at("city.mmdb"), asn: None, nets: at("nets.csv") };
    fs::write(folder.path().join("city.mmdb"), mmdb::city(&[("198.51.100.0/24", "EU-DE", 51.0, 9.0)])).unwrap();
    fs::write(folder.path().join("nets.csv"), "subnet,region\n10.0.0.0/8,eu\n").unwrap();
    let places = Places::start(&settings, &regions(), Arc::default());
    World { folder, settings, places }
}

fn regions() -> Vec<Region> {
    let id: RegionId = "eu".parse().unwrap();
    vec![Region { id, title: None, at: Some((53.3, -6.3)) }]
}

impl World {
    fn put(&self, name: &str, octets: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join("next"), octets).unwrap();
        fs::rename(self.folder.path().join("next"), self.folder.path().join(name)).unwrap();
    }

    /// Two looks: one sees the change, the next that it stands still.
    fn looks(&self) {
        self.places.look(&self.settings, &regions(), false);
        self.places.look(&self.settings, &regions(), false);
    }

    fn geo(&self, address: &str) -> Option<String> {
        let (locator, address) = (Arc::clone(&self.places.locator().borrow()), address.parse::<IpAddr>().unwrap());
        let place = Client::new(&locator, address, 32).locate();
        place.geo.map(|geo| geo.to_string()).or_else(|| place.at.map(|_| "somewhere".into()))
    }

    fn trouble(&self) -> String {
        self.places.trouble().borrow().clone().unwrap_or_default()
    }
}

#[test]
fn files_are_read_at_the_start_and_when_they_have_changed_and_stand_still() {
    let world = world();
    assert_eq!(world.geo("198.51.100.1").as_deref(), Some("EU-DE"));
    assert!(world.geo("10.1.1.1").is_some());
    assert_eq!(world.trouble(), "");
    let mut seen = world.places.locator();
    seen.mark_unchanged();
    world.looks();
    assert!(!seen.has_changed().unwrap(), "nothing changed, nothing is read");
    world.put("city.mmdb", mmdb::city(&[("198.51.100.0/24", "AS-JP", 36.0, 138.0)]));
    world.places.look(&world.settings, &regions(), false);
    assert_eq!(world.geo("198.51.100.1").as_deref(), Some("EU-DE"), "it may still be being written");
    world.places.look(&world.settings, &regions(), false);
    assert_eq!(world.geo("198.51.100.1").as_deref(), Some("AS-JP"));
    assert!(world.geo("10.1.1.1").is_some(), "the other file is not lost by it");
}

#[test]
fn a_broken_or_missing_file_keeps_what_was_read_and_is_told() {
    let world = world();
    world.put("city.mmdb", "not a database");
    world.looks();
    assert_eq!(world.geo("198.51.100.1").as_deref(), Some("EU-DE"));
    assert!(
        world.trouble().contains("geo.database") && world.trouble().contains("goes on serving"),
        "{}",
        world.trouble()
    );
    fs::remove_file(world.folder.path().join("city.mmdb")).unwrap();
    world.put("nets.csv", "10.0.0.0/8,nowhere\n");
    world.looks();
    assert_eq!(world.geo("198.51.100.1").as_deref(), Some("EU-DE"));
    assert!(world.geo("10.1.1.1").is_some());
    assert!(world.trouble().contains("geo.nets") && world.trouble().contains("line 1"), "{}", world.trouble());
    world.put("city.mmdb", mmdb::city(&[("198.51.100.0/24", "NA-US", 39.8, -98.6)]));
    world.put("nets.csv", "10.2.0.0/16,eu\n");
    world.looks();
    assert_eq!((world.geo("198.51.100.1").as_deref(), world.geo("10.1.1.1")), (Some("NA-US"), None));
    assert_eq!(world.trouble(), "");
}

#[test]
fn rows_that_are_emptied_go_on_locating_and_are_told() {
    let mut world = world();
    for empty in ["", "subnet,region\n", "# none\n\n"] {
        // Cut in place, as `: > nets.csv` does.
        fs::write(world.folder.path().join("nets.csv"), empty).unwrap();
        world.looks();
        assert!(world.geo("10.1.1.1").is_some(), "{empty:?}");
        let trouble = world.trouble();
        assert!(trouble.contains("nets.csv: it has no row; the one read before goes on serving"), "{trouble}");
    }
    world.settings.nets = None;
    world.looks();
    assert_eq!((world.geo("10.1.1.1"), world.trouble()), (None, String::new()), "the key was left out: it is meant");
    world.settings.nets = Some(world.folder.path().join("nets.csv"));
    world.looks();
    assert!(world.trouble().contains("it has no row; no client is located by it"), "{}", world.trouble());
}

#[test]
fn a_reload_reads_at_once_and_forgets_files_that_are_not_named_any_more() {
    let mut world = world();
    world.put("city.mmdb", mmdb::city(&[("198.51.100.0/24", "AS-JP", 36.0, 138.0)]));
    world.places.look(&world.settings, &regions(), true);
    assert_eq!(world.geo("198.51.100.1").as_deref(), Some("AS-JP"));
    world.places.look(&world.settings, &[], true);
    assert!(world.trouble().contains("geo.nets"), "the region is gone: {}", world.trouble());
    world.settings = GeoSettings { database: Some("/nonexistent.mmdb".into()), ..GeoSettings::default() };
    world.places.look(&world.settings, &regions(), true);
    assert_eq!((world.geo("198.51.100.1").as_deref(), world.geo("10.1.1.1")), (Some("AS-JP"), None));
    assert!(world.trouble().contains("No such file"), "{}", world.trouble());
    world.places.look(&GeoSettings::default(), &regions(), true);
    assert!(world.places.locator().borrow().is_nowhere());
    assert_eq!(world.trouble(), "");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let world = world();
    fs::remove_file(world.folder.path().join("nets.csv")).unwrap();
    nix::unistd::mkfifo(&world.folder.path().join("nets.csv"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.looks();
    assert!(world.trouble().contains("not a regular file"), "{}", world.trouble());
}
