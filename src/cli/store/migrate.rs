//! `store migrate`: the embedded store moves to etcd, step by step, while the node answers.

use super::super::{
    args::store::MigrateArgs,
    ending::{Exit, Failure},
    screen::Screen,
};

/// Moves it, goes on with it, gives it up, or shows what it would be.
#[cfg(feature = "etcd")]
pub(super) async fn run(args: &MigrateArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    use super::super::args::store::Destination;
    match args.to {
        Destination::Etcd => to_etcd::run(args, screen).await,
    }
}

/// The program was built without what it would move to.
#[cfg(not(feature = "etcd"))]
pub(super) async fn run(_: &MigrateArgs, _: &mut Screen) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Failed, "this program was built without etcd; nothing was changed"))
}

#[cfg(feature = "etcd")]
mod to_etcd {
    //! The one destination there is.

    use serde_json::json;

    use super::{
        super::{
            backup::{fields, page, summary},
            source::{self, checked, of_store},
        },
        *,
    };
    use crate::{
        cli::screen::safe,
        clock::Clock,
        store::{
            etcd::{Standing, Visit},
            migrate::{Move, Step},
            sqlite::{copy, seal},
        },
    };

    pub(super) async fn run(args: &MigrateArgs, screen: &mut Screen) -> Result<Exit, Failure> {
        let settings = source::settings(args.config.as_deref())?;
        let Some(etcd) = &settings.etcd else {
            return Err(Failure::new(Exit::Configuration, "the configuration names no etcd to move to").hint(
                "add [store.etcd] to the file; the running node goes on with what it has until it is started again",
            ));
        };
        let actor = source::actor();
        let order = Move {
            folder: &settings.path,
            settings: source::shared::settings(etcd),
            actor: &actor,
            reason: args.reason.as_deref(),
            now: Clock::wall,
        };
        if args.abort {
            return give_up(&order, screen).await;
        }
        if args.dry_run || !args.yes {
            look(&order, screen).await?;
        }
        if args.dry_run {
            return Ok(Exit::Done);
        }
        if !args.yes {
            if !screen.interactive {
                return Err(Failure::usage("nothing was changed: without a terminal nobody can confirm")
                    .hint("add --yes to do it, or --dry-run to only look"));
            }
            if !screen.confirm("Does the store move there? Orders are refused for a moment; answers go on.") {
                return Err(Failure::new(Exit::Failed, "nothing was changed"));
            }
        }
        let moved = order
            .run(&mut |step, text| {
                let number = Step::ALL.iter().position(|one| *one == step).map_or(0, |at| at + 1);
                screen.note(&format!("{number}/{} {}: {text}", Step::ALL.len(), step.word()));
                halt(step);
            })
            .await
            .map_err(|error| of_store(&error))?;
        let raw = json!({ "epoch": moved.epoch, "destination": moved.destination, "moved_before": moved.before });
        let text = format!(
            "{} {}, epoch {}\nstart the node again with this configuration: until then its orders are refused\n",
            if moved.before { "it had moved to" } else { "moved to" },
            safe::line(&moved.destination),
            safe::line(&moved.epoch),
        );
        screen.show(&raw.to_string(), |_| Ok(text), || Ok(fields(&raw)))?;
        Ok(Exit::Done)
    }

    async fn look(order: &Move<'_>, screen: &mut Screen) -> Result<(), Failure> {
        let told = |error| of_store(&error);
        let copy = copy::copy(order.folder, Clock::wall()).map_err(told)?;
        checked(&copy, &order.folder.display().to_string())?;
        let visit = Visit::new(order.settings.clone(), Clock::wall());
        let stands = match visit.stands().await.map_err(told)? {
            Standing::Empty => "nothing stands there yet".to_owned(),
            Standing::Claimed(from, at) => format!("{from} has been moving there since {at}"),
            Standing::State(epoch, generation) => {
                format!("a state stands there: epoch {epoch}, generation {generation}")
            }
        };
        let sealed = seal::sealed(order.folder).map_err(told)?;
        let mut raw = summary(&copy);
        raw["destination"] = json!(visit.place());
        raw["there"] = json!(stands);
        raw["sealed"] = json!(sealed.is_some());
        let text = format!("{}to {}: {}\n", page(&copy), safe::line(visit.place()), safe::line(&stands));
        screen.show(&raw.to_string(), |_| Ok(text), || Ok(fields(&raw)))
    }

    async fn give_up(order: &Move<'_>, screen: &mut Screen) -> Result<Exit, Failure> {
        let sealed = order.give_up().await.map_err(|error| of_store(&error))?;
        screen.note(match sealed {
            true => "the embedded store takes orders again; nothing was moved",
            false => "the embedded store was not sealed; nothing was moved",
        });
        Ok(Exit::Done)
    }

    /// Stops for good after a step, so that a test kills it there. Not in a program that is built to be shipped.
    #[cfg(debug_assertions)]
    fn halt(step: Step) {
        if std::env::var("WAYSHIFT_HALT_AFTER").is_ok_and(|word| word == step.word()) {
            loop {
                std::thread::park();
            }
        }
    }

    #[cfg(not(debug_assertions))]
    fn halt(_: Step) {}
}
