//! `completions`, `man` and `version`.

use serde_json::json;

use super::super::{
    args::{
        command,
        operate::{CompletionsArgs, ManArgs},
    },
    client::door::said,
    ending::{Exit, Failure},
    screen::{Screen, table::Table},
};

/// Prints the completions of a shell.
pub(in crate::cli) fn completions(args: &CompletionsArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "wayshift", &mut script);
    screen.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Writes a page for each verb, or prints the main one.
pub(in crate::cli) fn man(args: &ManArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command()).render(&mut page)?;
        screen.data(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command(), folder));
    written.map_err(|error| {
        Failure::new(Exit::Failed, format!("no manual pages in {}: {}", folder.display(), said(&error)))
    })?;
    screen.note(&format!("manual pages are in {}", folder.display()));
    Ok(Exit::Done)
}

/// Prints the version.
pub(in crate::cli) fn version(screen: &mut Screen) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    let system = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let raw =
        json!({ "name": "wayshift", "version": version, "api": "v1", "rust": rust, "system": system }).to_string();
    let fields = || {
        let mut table = Table::new(&["NAME", "VERSION"]);
        table.row(["wayshift".into(), version.into()]);
        Ok(table)
    };
    screen.show(&raw, |_| Ok(format!("wayshift {version}\n")), fields)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Format, screen::doubles};
    use clap::ValueEnum as _;

    #[test]
    fn every_shell_gets_its_completions() {
        for shell in clap_complete::Shell::value_variants() {
            let (mut screen, out, _) = doubles::screen(Format::Table, None);
            let args = CompletionsArgs { shell: *shell, manner: Default::default() };
            completions(&args, &mut screen).unwrap();
            assert!(out.text().contains("drain"), "{shell}");
        }
    }

    #[test]
    fn there_is_a_page_for_each_verb() {
        let folder = tempfile::tempdir().unwrap();
        let (mut screen, ..) = doubles::screen(Format::Table, None);
        let args = ManArgs { folder: Some(folder.path().join("man1")), manner: Default::default() };
        man(&args, &mut screen).unwrap();
        for page in ["wayshift.1", "wayshift-drain.1", "wayshift-override-set.1"] {
            assert!(folder.path().join("man1").join(page).exists(), "{page}");
        }
    }

    #[test]
    fn the_version_is_a_line_or_a_document() {
        let (mut screen, out, _) = doubles::screen(Format::Table, None);
        version(&mut screen).unwrap();
        assert_eq!(out.text(), format!("wayshift {}\n", env!("CARGO_PKG_VERSION")));
        let (mut screen, out, _) = doubles::screen(Format::Json, None);
        version(&mut screen).unwrap();
        let value: serde_json::Value = serde_json::from_str(&out.text()).unwrap();
        assert_eq!(value["api"], "v1");
    }
}
