//! Where clients are, read offline as a running node reads it: the databases and rows that `[geo]` names.

use std::{path::Path, sync::Arc};

use crate::{
    config::{GeoSettings, Loaded, Problem, Problems, Severity, read_whole},
    model::Region,
    steer::{DATABASE_SIZE_MAX, Locator, LocatorError, NETS_SIZE_MAX, NetsError},
};

/// A configuration with what its clients are located with; refused where one of the files cannot be used, because what
/// a node would answer depends on them as on the rest. A file without rows is warned of.
pub(in crate::cli) fn located(mut loaded: Loaded) -> Result<(Loaded, Arc<Locator>), Problems> {
    let (locator, problems) = read(&loaded.settings.geo, &loaded.fleet.regions);
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    loaded.warnings = loaded.warnings.with(problems);
    if refused { Err(loaded.warnings) } else { Ok((loaded, Arc::new(locator))) }
}

/// What clients are located with, and every file of it that locates nobody, with what to write instead.
fn read(settings: &GeoSettings, regions: &[Region]) -> (Locator, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut locator = Locator::nowhere();
    let mut database = |key: &str, path: Option<&Path>, with: fn(Locator, Option<Vec<u8>>) -> Made| {
        let Some(path) = path else { return };
        let made = read_whole(path, DATABASE_SIZE_MAX)
            .and_then(|octets| with(locator.clone(), Some(octets)).map_err(|error| error.to_string()));
        match made {
            Ok(made) => locator = made,
            Err(why) => problems.push(useless(key, path, &why)),
        }
    };
    database("database", settings.database.as_deref(), Locator::with_city);
    database("asn", settings.asn.as_deref(), Locator::with_asn);
    if let Some(path) = &settings.nets {
        match rows(path, regions) {
            Ok(nets) if nets.is_empty() => {
                let message = format!("geo.nets {}: it has no row, and locates nobody", path.display());
                let hint = "write rows like 198.51.100.0/24,EU-DE, or leave geo.nets out".to_owned();
                problems.push(Problem::of_empty_geo(message, hint));
            }
            Ok(nets) => locator = locator.with_nets(nets),
            Err(found) => problems.extend(found),
        }
    }
    (locator, problems)
}

type Made = Result<Locator, LocatorError>;

fn rows(path: &Path, regions: &[Region]) -> Result<crate::steer::Nets, Vec<Problem>> {
    let text = read_whole(path, NETS_SIZE_MAX)
        .and_then(|octets| String::from_utf8(octets).map_err(|_| "it is not UTF-8".to_owned()))
        .map_err(|why| vec![useless("nets", path, &why)])?;
    Locator::nets_from_csv(&text, regions).map_err(|NetsError(rows)| {
        let file = path.display().to_string();
        let told = rows.into_iter().map(|row| Problem::of_geo(row.what, row.hint).in_line(&file, &text, row.line));
        told.collect()
    })
}

fn useless(key: &str, path: &Path, why: &str) -> Problem {
    let hint = format!("put another file there, or leave geo.{key} out: it locates nobody");
    Problem::of_geo(format!("geo.{key} {}: {why}", path.display()), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    const CONFIG: &str = r#"
[geo]
nets = "nets.csv"
[region]
eu-west = { at = [53.3, -6.3] }
[zone."gslb.example.com"]
ns = { ns1 = "192.0.2.53" }
"#;

    #[test]
    fn every_wrong_row_is_told_with_its_line_and_what_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let nets = folder.path().join("nets.csv");
        std::fs::write(folder.path().join("w.toml"), CONFIG).unwrap();
        let read_it = |text: &str| {
            std::fs::write(&nets, text).unwrap();
            let loaded = load(&folder.path().join("w.toml"), &|_| None).unwrap();
            let (locator, problems) = read(&loaded.settings.geo, &loaded.fleet.regions);
            (locator, loaded.warnings.with(problems).render(false))
        };
        let (locator, told) = read_it("subnet,region\n10.0.0.0/8,eu-west\n");
        assert!(!locator.is_nowhere() && !told.contains("E036"), "{told}");
        let (locator, told) =
            read_it("10.0.0.0/8,eu-wset\nwhat is this\n10.1.0.1/16,EU\n\u{1b}[2J,EU\n192.0.2.0/24,xx\n");
        assert!(locator.is_nowhere());
        for words in [
            "`eu-wset` is neither a region nor a geo code",
            "nets.csv:1:1",
            "did you mean `eu-west`?",
            "nets.csv:2:1",
            "write a network and a region or geo code: 198.51.100.0/24,EU-DE",
            "nets.csv:3:1",
            "write 10.1.0.0/16",
            "regions: eu-west; a geo code is continent first: EU-DE",
            "5 errors",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn rows_that_are_none_are_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.toml"), CONFIG).unwrap();
        for empty in ["", "subnet,region\n", "# none yet\n"] {
            std::fs::write(folder.path().join("nets.csv"), empty).unwrap();
            let (loaded, locator) = located(load(&folder.path().join("w.toml"), &|_| None).unwrap()).unwrap();
            let told = loaded.warnings.render(false);
            assert!(locator.is_nowhere() && told.contains("warning[W223]: geo.nets "), "{empty:?}: {told}");
            assert_eq!(loaded.warnings.errors().count(), 0, "{told}");
        }
    }

    #[test]
    fn a_database_that_is_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.mmdb");
        std::fs::write(&path, "no database").unwrap();
        let settings = GeoSettings { database: Some(path), ..GeoSettings::default() };
        let (_, problems) = read(&settings, &[]);
        assert!(problems[0].message.contains("City database is not in MaxMind's format"), "{problems:?}");
        let gone = GeoSettings { asn: Some(folder.path().join("asn.mmdb")), ..GeoSettings::default() };
        assert!(read(&gone, &[]).1[0].message.contains("geo.asn"));
    }
}
