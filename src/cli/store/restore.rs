//! `store restore`: a backup becomes the store, where there is none.

use super::{
    super::{
        args::store::RestoreArgs,
        ending::{Exit, Failure},
        screen::{Screen, safe},
    },
    backup::{fields, page, summary},
    source::{Source, draft, of_store, whole},
};

/// Checks the whole backup before anything is touched.
pub(super) async fn run(args: &RestoreArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let source = Source::of(&args.whose)?;
    let backup = whole(Some(&args.file), &args.whose).await?;
    let raw = summary(&backup);
    if args.dry_run {
        screen.show(&raw.to_string(), |_| Ok(page(&backup)), || Ok(fields(&raw)))?;
        return Ok(Exit::Done);
    }
    if !args.yes {
        screen.note(page(&backup).trim_end());
        if !screen.interactive {
            return Err(Failure::usage("nothing was changed: without a terminal nobody can confirm")
                .hint("add --yes to do it, or --dry-run to only look"));
        }
        if !screen.confirm(&format!("Does this become {}?", safe::line(&source.place()))) {
            return Err(Failure::new(Exit::Failed, "nothing was changed"));
        }
    }
    let mut audit = draft("store.restore", args.reason.as_deref());
    audit.after = Some(raw.to_string());
    let made = source.restore(&backup, audit).await;
    let made = made.map_err(|error| of_store(&error))?;
    screen.show(&raw.to_string(), |_| Ok(page(&backup)), || Ok(fields(&raw)))?;
    screen.note(match (made, &source) {
        (false, _) => "it was there already",
        (true, Source::Embedded(_)) => "start the node: what it remembers of a later state, the store takes over then",
        (true, Source::Etcd(..)) => {
            "nodes that knew a later state hold now: nothing is lifted, and `wayshift store adopt` lets it go on"
        }
    });
    Ok(Exit::Done)
}
