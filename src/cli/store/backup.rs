//! `store backup`: one moment of the store in a file.

use serde_json::{Value, json};

use super::{
    super::{
        args::store::BackupArgs,
        ending::{Exit, Failure},
        screen::{Screen, safe, table::Table},
        status::counted,
    },
    source::{of_file, whole},
};
use crate::store::backup::{self, Backup};

/// Copies, looks whether it is whole, and writes it.
pub(super) async fn run(args: &BackupArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    if !args.replace && args.file.symlink_metadata().is_ok() {
        // Said before a large audit is read.
        let path = args.file.display().to_string();
        return Err(of_file(&backup::BackupError::Exists { path }));
    }
    let copy = whole(None, &args.whose).await?;
    let saved = backup::save(&copy, &args.file, args.replace).map_err(|error| of_file(&error))?;
    let file = args.file.display().to_string();
    let mut raw = summary(&copy);
    raw["file"] = json!(file);
    raw["size"] = json!(saved.size);
    raw["sha256"] = json!(saved.sum);
    let page = format!("{}wrote {} ({} octets)\nsha256 {}\n", page(&copy), safe::line(&file), saved.size, saved.sum);
    screen.show(&raw.to_string(), |_| Ok(page), || Ok(fields(&raw)))?;
    Ok(Exit::Done)
}

/// What a backup is of.
pub(super) fn summary(backup: &Backup) -> Value {
    json!({
        "from": backup.from.word(), "made": backup.made.to_string(), "epoch": backup.epoch,
        "generation": backup.generation, "overrides": backup.overrides.len(), "audit": backup.audit.len(),
        "head": backup.head.1, "answers": backup.answers.len(),
    })
}

/// The same for people.
pub(super) fn page(backup: &Backup) -> String {
    format!(
        "{} of {}, epoch {}, generation {}: {} and {} audit entries\n",
        backup.from.word(),
        backup.made,
        safe::line(&backup.epoch),
        backup.generation,
        counted(backup.overrides.len(), "override"),
        backup.audit.len(),
    )
}

/// Names and values, a line each.
pub(super) fn fields(raw: &Value) -> Table {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    for (name, value) in raw.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        table.row([name.as_str().into(), text.into()]);
    }
    table
}
