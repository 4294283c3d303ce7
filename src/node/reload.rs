//! The reload desk: one reload at a time, all or nothing, and nothing that goes beyond the reload guard unless somebody
//! has looked at its plan.

use std::{path::PathBuf, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{self, Loaded, Problems, ReadFile, SourceFile},
    control::Input,
    model::{Digest, Event, Fleet, Happening, Snapshot, Wall},
    node::{boot::Env, herald::Herald},
    steer::{Ground, Live, outlook::Plan},
    store::{accepted::AcceptedFolder, held_back::HeldBack},
    telemetry::control::ControlMetrics,
};

/// Reloads that may wait; a reload asked for while others wait adds nothing.
pub(super) const ASKS_MAX: usize = 4;

/// Someone wants the file read again.
#[derive(Debug)]
pub(super) struct Ask {
    /// What exactly.
    pub(super) what: What,
    /// Gets what came of it, if someone waits.
    pub(super) reply: Option<oneshot::Sender<Outcome>>,
}

impl Ask {
    /// Asked by SIGHUP: nobody waits, the log tells.
    #[must_use]
    pub(super) fn from_signal() -> Self {
        Self { what: What::Read { accept: None }, reply: None }
    }
}

/// What is asked of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Read the file, and take it.
    Read {
        /// The digest of the plan that was looked at.
        accept: Option<String>,
    },
    /// Read the file and judge it as for taking it; nothing changes.
    Look {
        /// The digest of the plan that was looked at.
        accept: Option<String>,
    },
    /// Back to the configuration that was accepted before.
    Previous,
    /// Read the file, and take it for now if it has this fleet: it is being tried.
    Stage(Digest),
    /// What was taken for now stays.
    Settle,
    /// What was taken for now goes, and the fleet before it is back.
    Unstage(Digest),
}

/// What came of a reload.
pub(super) type Outcome = Result<Done, Kept>;

/// Why the configuration in force was kept.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    /// The other one has errors.
    Problems(Arc<Problems>),
    /// It goes beyond the reload guard.
    Guarded(Box<Plan>),
    /// Another plan was accepted than that of this change.
    OtherPlan(Box<Plan>),
    /// There is none to go back to.
    NoPrevious,
    /// The file has another fleet than that which is to be tried.
    OtherFleet(Digest),
    /// A staged reload is under way.
    Staged,
}

/// A reload that took place.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// What served before.
    pub(super) before: Arc<Loaded>,
    /// What serves now.
    pub(super) after: Arc<Loaded>,
    /// Settings that differ and take effect at the next start only.
    pub(super) needs_restart: Vec<&'static str>,
}

/// What the desk works with.
pub(super) struct Desk {
    /// The file.
    pub(super) file: PathBuf,
    /// Time.
    pub(super) clock: Clock,
    /// Environment variables.
    pub(super) env: Env,
    /// The configuration in force.
    pub(super) config: watch::Sender<Arc<Loaded>>,
    /// What the file's problems are, while an older configuration serves.
    pub(super) stale: watch::Sender<Option<Arc<Problems>>>,
    /// What probes follow.
    pub(super) fleet: watch::Sender<Arc<Fleet>>,
    /// To the controller.
    pub(super) inbox: mpsc::Sender<Input>,
    /// The answers in force, to see what a reload would change.
    pub(super) live: Live,
    /// From the controller.
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Where accepted files are kept.
    pub(super) accepted: AcceptedFolder,
    /// Where events go.
    pub(super) herald: Arc<Herald>,
    /// Counts reloads.
    pub(super) metrics: Arc<ControlMetrics>,
    /// What a restart must not put in force.
    pub(super) held: Arc<HeldBack>,
    /// What is in force for now, and what was before it.
    pub(super) trial: Option<Trial>,
}

/// A configuration that is tried.
pub(super) struct Trial {
    before: Arc<Loaded>,
    copies: Vec<SourceFile>,
}

impl Desk {
    /// Serves asks in a task of its own.
    pub(super) fn start(self, tasks: &mut JoinSet<&'static str>, asks: mpsc::Receiver<Ask>, until: CancellationToken) {
        tasks.spawn(async move {
            self.run(asks, until).await;
            "reload"
        });
    }

    /// Serves asks until told to stop.
    async fn run(mut self, mut asks: mpsc::Receiver<Ask>, until: CancellationToken) {
        loop {
            let ask = tokio::select! {
                () = until.cancelled() => return,
                ask = asks.recv() => ask,
            };
            let Some(ask) = ask else { return until.cancelled().await };
            let outcome = match ask.what {
                What::Read { .. } if self.is_tried() => Err(Kept::Staged),
                What::Read { accept } => self.reload(accept, true).await,
                What::Look { accept } => self.reload(accept, false).await,
                What::Previous => self.go_back().await,
                What::Stage(fleet) => self.stage(fleet).await,
                What::Settle => self.settle().await,
                What::Unstage(before) => self.unstage(before).await,
            };
            if let (Err(Kept::Staged), None) = (&outcome, &ask.reply) {
                tracing::warn!("not reloaded: a staged reload is under way");
            }
            if let Some(reply) = ask.reply {
                // Whoever asked may have gone; the log and the journal have it.
                let _ = reply.send(outcome);
            }
        }
    }

    /// A file that is being tried is not taken by the way.
    fn is_tried(&self) -> bool {
        self.trial.is_some()
    }

    /// Takes the file for now, if it is the one that is meant.
    async fn stage(&mut self, fleet: Digest) -> Outcome {
        let before = Arc::clone(&self.config.borrow());
        let mut loaded = self.read().await?;
        if loaded.fleet.digest != fleet {
            return Err(Kept::OtherFleet(loaded.fleet.digest));
        }
        let copies = std::mem::take(&mut loaded.copies);
        let done = self.adopt(Arc::new(loaded), None).await;
        self.trial = Some(Trial { before, copies });
        Ok(done)
    }

    async fn settle(&mut self) -> Outcome {
        let now = Arc::clone(&self.config.borrow());
        if let Some(Trial { before, copies }) = self.trial.take() {
            self.keep(copies).await;
            return Ok(Done { before, after: now, needs_restart: Vec::new() });
        }
        Ok(Done { before: Arc::clone(&now), after: now, needs_restart: Vec::new() })
    }

    async fn unstage(&mut self, fleet: Digest) -> Outcome {
        if let Some(Trial { before, .. }) = self.trial.take() {
            tracing::warn!(fleet = %before.fleet.digest, "going back to the configuration before the one that was tried");
            return Ok(self.adopt(before, None).await);
        }
        let (accepted, env) = (self.accepted.clone(), Arc::clone(&self.env));
        let found = tokio::task::spawn_blocking(move || accepted_with(&accepted, &*env, fleet)).await;
        match found {
            Ok(Some(loaded)) => Ok(self.adopt(Arc::new(loaded), None).await),
            Ok(None) | Err(_) => Err(Kept::NoPrevious),
        }
    }

    async fn read(&self) -> Result<Loaded, Kept> {
        let (file, env) = (self.file.clone(), Arc::clone(&self.env));
        match tokio::task::spawn_blocking(move || config::load(&file, &*env)).await {
            Ok(Ok(loaded)) => Ok(loaded),
            Ok(Err(problems)) => Err(Kept::Problems(self.refuse(problems))),
            Err(panic) => {
                tracing::error!(%panic, "reading the configuration panicked; nothing changed");
                Err(Kept::Problems(self.refuse(Problems::default())))
            }
        }
    }

    async fn reload(&mut self, accept: Option<String>, take: bool) -> Outcome {
        let mut loaded = self.read().await?;
        let copies = std::mem::take(&mut loaded.copies);
        let loaded = Arc::new(loaded);
        let ground = self.guard(&loaded, accept.as_deref()).await?;
        if !take {
            let before = Arc::clone(&self.config.borrow());
            let needs_restart = before.settings.needs_restart(&loaded.settings);
            return Ok(Done { before, after: loaded, needs_restart });
        }
        // A person says so: what was held back is not any more.
        if let Err(error) = self.held.set(None) {
            tracing::warn!(%error, "the mark of a staged reload stays");
        }
        // Taking it costs no second compilation.
        ground.into_iter().for_each(|ground| self.live.prepare(ground));
        Ok(self.adopt(loaded, Some(copies)).await)
    }

    /// Whether a change is so small that nobody needs to have looked at it, or somebody has. What was compiled to see it.
    async fn guard(&self, loaded: &Loaded, accept: Option<&str>) -> Result<Option<Ground>, Kept> {
        let (table, fleet) = (self.live.load(), Arc::clone(&loaded.fleet));
        if accept.is_none() && table.snapshot().fleet.digest == fleet.digest {
            return Ok(None);
        }
        let planned = tokio::task::spawn_blocking(move || {
            let after = Plan::table(&table, &fleet);
            (Box::new(Plan::between(&table, &after)), after.ground())
        });
        let (plan, ground) = planned.await.map_err(|panic| {
            tracing::error!(%panic, "planning the reload panicked; nothing changed");
            Kept::Problems(self.refuse(Problems::default()))
        })?;
        let digest = plan.digest.to_string();
        match accept {
            Some(accepted) if accepted == digest => return Ok(Some(ground)),
            Some(_) => {}
            None if plan.exceeded.is_empty() => return Ok(Some(ground)),
            None => {}
        }
        self.metrics.reload(false);
        let beyond: Vec<String> = plan.exceeded.iter().map(ToString::to_string).collect();
        let file = self.file.display();
        tracing::error!(%file, plan = digest, ?beyond, ?accept, "reload held by the reload guard, nothing changed");
        self.happened(Happening::ReloadRefused { problems: 0 });
        Err(if accept.is_some() { Kept::OtherPlan(plan) } else { Kept::Guarded(plan) })
    }

    /// Adopts the newest accepted configuration that is another than the one in force and still loads.
    async fn go_back(&mut self) -> Outcome {
        let (accepted, env) = (self.accepted.clone(), Arc::clone(&self.env));
        let now = Arc::clone(&self.config.borrow());
        let found = tokio::task::spawn_blocking(move || {
            accepted.list().ok()?.iter().find_map(|name| {
                let files = accepted.load(name).ok()?.files.into_iter();
                let copies: Vec<SourceFile> = files.map(|(path, text)| SourceFile { path, text }).collect();
                if is_of(&copies, &now) { None } else { config::load_copies(&copies, &*env).ok() }
            })
        });
        match found.await {
            Ok(Some(mut loaded)) => {
                let copies = std::mem::take(&mut loaded.copies);
                tracing::warn!(file = %self.file.display(), "going back to the configuration accepted before; the file still says otherwise");
                self.trial = None;
                Ok(self.adopt(Arc::new(loaded), Some(copies)).await)
            }
            Ok(None) | Err(_) => {
                self.metrics.reload(false);
                Err(Kept::NoPrevious)
            }
        }
    }

    fn refuse(&self, problems: Problems) -> Arc<Problems> {
        self.metrics.reload(false);
        let count = problems.errors().count();
        tracing::error!(file = %self.file.display(), problems = count, "reload refused, nothing changed\n{problems}");
        self.happened(Happening::ReloadRefused { problems: u32::try_from(count).unwrap_or(u32::MAX) });
        let problems = Arc::new(problems);
        self.stale.send_replace(Some(Arc::clone(&problems)));
        problems
    }

    /// Puts it in force; without copies it is not kept as accepted.
    async fn adopt(&mut self, loaded: Arc<Loaded>, copies: Option<Vec<SourceFile>>) -> Done {
        let before = self.config.send_replace(Arc::clone(&loaded));
        self.stale.send_replace(None);
        let digest = loaded.fleet.digest;
        let changed = before.fleet.digest != digest;
        self.fleet.send_replace(Arc::clone(&loaded.fleet));
        let sent = self.inbox.send(Input::Reloaded(Arc::clone(&loaded.fleet))).await;
        let shown = self.snapshot.wait_for(|snapshot| snapshot.fleet.digest == digest);
        // Both fail only when the control loop has ended, which ends the node.
        let generation = match (sent, shown.await) {
            (Ok(()), Ok(snapshot)) => snapshot.generation,
            (Err(_), _) | (_, Err(_)) => 0,
        };
        // A disk that is slow holds nobody's answers up, only the word that the reload is done.
        if let Some(copies) = copies {
            self.keep(copies).await;
        }
        self.metrics.reload(true);
        let needs_restart = before.settings.needs_restart(&loaded.settings);
        tracing::info!(file = %self.file.display(), %digest, changed, generation, "configuration reloaded");
        if !needs_restart.is_empty() {
            tracing::warn!(settings = ?needs_restart, "these take effect at the next start");
        }
        // Reading the same again is in the log and the audit; nothing happened that others must see.
        let texts = |of: &Loaded| of.files.iter().map(|file| file.digest).collect::<Vec<_>>();
        if changed || texts(&before) != texts(&loaded) {
            self.happened(Happening::Reloaded { digest });
        }
        Done { before, after: loaded, needs_restart }
    }

    async fn keep(&self, copies: Vec<SourceFile>) {
        let (accepted, at) = (self.accepted.clone(), self.clock.now().wall);
        if let Err(panic) = tokio::task::spawn_blocking(move || keep(&accepted, copies, at)).await {
            tracing::error!(%panic, "keeping the configuration panicked; it serves and is not kept");
        }
    }

    fn happened(&self, what: Happening) {
        let generation = self.snapshot.borrow().generation;
        self.herald.tell(vec![Event { at: self.clock.now().wall, generation, what }]);
    }
}

/// Keeps the files of a configuration that serves. Without them a later bad file would find nothing to go back to, so
/// trouble is said, but it stops nothing.
pub(super) fn keep(accepted: &AcceptedFolder, copies: Vec<SourceFile>, at: Wall) {
    let files = copies.into_iter().map(|file| (file.path, file.text)).collect();
    if let Err(error) = accepted.save(files, at) {
        tracing::warn!(error = %super::with_source(&error), "the accepted configuration is not kept");
    }
}

/// The newest accepted configuration with a fleet that still loads.
fn accepted_with(accepted: &AcceptedFolder, env: &dyn Fn(&str) -> Option<String>, fleet: Digest) -> Option<Loaded> {
    accepted.list().ok()?.iter().find_map(|name| {
        let files = accepted.load(name).ok()?.files.into_iter();
        let copies: Vec<SourceFile> = files.map(|(path, text)| SourceFile { path, text }).collect();
        config::load_copies(&copies, env).ok().filter(|loaded| loaded.fleet.digest == fleet)
    })
}

/// Whether a configuration was read from these texts.
fn is_of(copies: &[SourceFile], loaded: &Loaded) -> bool {
    copies.iter().map(ReadFile::from).eq(loaded.files.iter().cloned())
}
