//! Goes along with staged reloads: what the store says, what is seen here, what the pilot makes of it, and doing that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    core::CoreHandle,
    disk::Disk,
    herald::Herald,
    reload::{Ask, Kept, What},
    vitals, with_source,
};
use crate::{
    clock::Clock,
    control::rollout::{Act, Around, Peer, Pilot, Vitals},
    model::{Agreement, Company, Event, Happening, NodeId, Rollout, Stage},
    steer::Live,
    store::{
        AuditDraft, ControlStore, Slip, Slips, StoreError,
        held_back::{HeldBack, Mark},
        records::rollout::RolloutRecord,
        slips::ROLLOUT_SLIP,
    },
};

/// Looked at this often while one is under way, and this often while none is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What it works with.
struct Staged {
    node: NodeId,
    store: Arc<dyn ControlStore>,
    company: watch::Receiver<Arc<Company>>,
    live: Live,
    desk: mpsc::Sender<Ask>,
    held: Arc<HeldBack>,
    herald: Arc<Herald>,
    clock: Clock,
    /// How often deciding has panicked.
    panics: Arc<AtomicU64>,
}

/// Starts it, where others share the store.
pub(super) fn run(
    tasks: &mut JoinSet<&'static str>,
    disk: &Disk,
    handle: &CoreHandle,
    (node, clock): (&NodeId, Clock),
    (desk, herald): (&mpsc::Sender<Ask>, &Arc<Herald>),
    stop: &CancellationToken,
) {
    if !disk.shared {
        return;
    }
    let staged = Staged {
        node: node.clone(),
        store: Arc::clone(&disk.store),
        company: handle.company.clone(),
        live: handle.live.clone(),
        desk: desk.clone(),
        held: Arc::clone(&disk.held_back),
        herald: Arc::clone(herald),
        clock,
        panics: Arc::clone(&handle.panics),
    };
    let until = stop.child_token();
    tasks.spawn(async move {
        staged.run(until).await;
        "staged reload"
    });
}

impl Staged {
    /// Goes along until told to stop.
    async fn run(self, until: CancellationToken) {
        let mut slips = self.store.slips();
        let mut pilot = Pilot::default();
        let mut told: Option<(String, Stage)> = None;
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                Ok(()) = slips.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let found = rollout_of(&slips.borrow_and_update());
            let Some((slip, rollout)) = found else { continue };
            self.tell(&mut told, &rollout);
            self.turn(&mut pilot, &slip, &rollout).await;
        }
    }

    async fn turn(&self, pilot: &mut Pilot, slip: &Slip, rollout: &Rollout) {
        let mark = self.held.mark().filter(|mark| mark.id == rollout.id);
        if rollout.stage.is_over() && mark.is_none() {
            return;
        }
        let company = Arc::clone(&self.company.borrow());
        let Some(own) = &company.own else { return };
        let table = self.live.load();
        let fleet = table.snapshot().fleet.digest;
        let mark = match mark {
            Some(mark) => Some(mark),
            // From now on a restart alone does not put it in force.
            None if fleet != rollout.fleet => {
                let mark = Mark { id: rollout.id.clone(), fleet: rollout.fleet, applied: false };
                if !self.mark(Some(mark.clone())) {
                    return;
                }
                Some(mark)
            }
            None => None,
        };
        let panics = self.panics.load(Ordering::Relaxed);
        let over = rollout.stage.is_over();
        // What is over asks for no more than an act or none; looking costs a decision for each service.
        let look = move || if over { Vitals::default() } else { vitals::of(&table, panics) };
        let looked = tokio::task::spawn_blocking(look).await;
        let vitals = looked.unwrap_or_else(|_| Vitals { panics: u64::MAX, ..Vitals::default() });
        let peers: Vec<Peer> = company
            .others
            .iter()
            .map(|other| {
                let said = other.presence.as_ref();
                Peer {
                    node: other.node.clone(),
                    heard: other.agreement != Agreement::Unheard,
                    boot: said.map(|said| said.process.boot),
                    fleet: said.map(|said| said.fleet),
                }
            })
            .collect();
        let around = Around {
            me: &self.node,
            boot: own.process.boot,
            writes: *self.store.takes_orders().borrow(),
            fleet,
            applied: mark.as_ref().is_some_and(|mark| mark.applied),
            joined: mark.is_some(),
            vitals: &vitals,
            peers: &peers,
        };
        for act in pilot.turn(self.clock.mono(), rollout, &around) {
            match act {
                Act::Apply => {
                    let applied = Mark { id: rollout.id.clone(), fleet: rollout.fleet, applied: true };
                    if self.mark(Some(applied.clone()))
                        && let Err(why) = self.ask(What::Stage(rollout.fleet)).await
                    {
                        self.mark(Some(Mark { applied: false, ..applied }));
                        pilot.failed(why);
                    }
                }
                Act::Return => match self.ask(What::Unstage(rollout.before)).await {
                    Ok(()) => {
                        let back = Mark { id: rollout.id.clone(), fleet: rollout.fleet, applied: false };
                        self.mark(Some(back));
                    }
                    Err(why) => tracing::error!(why, "this node could not go back to the configuration before"),
                },
                Act::Settle => {
                    if self.ask(What::Settle).await.is_ok() {
                        self.mark(None);
                    }
                }
                Act::Write(stage, why) => self.write(slip, rollout, stage, why, own.process.boot).await,
            }
        }
    }

    async fn write(&self, slip: &Slip, rollout: &Rollout, stage: Stage, why: Option<String>, boot: u64) {
        let boot = if stage == Stage::Watched { Some(boot) } else { rollout.boot };
        let next = Rollout { stage, boot, why: why.clone(), ..rollout.clone() };
        let audit = AuditDraft {
            at: self.clock.now().wall,
            actor: "node".into(),
            from: self.node.to_string(),
            action: format!("config.rollout.{stage}"),
            target: format!("config:{}", rollout.fleet),
            before: None,
            after: None,
            reason: why,
            request_id: rollout.id.clone(),
        };
        let text = RolloutRecord::text(&next);
        match self.store.write_slip(ROLLOUT_SLIP.into(), slip.revision, text, audit).await {
            // Somebody else was faster: what they wrote counts.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => {
                tracing::warn!(error = %with_source(&error), %stage, "the stage of the reload is not written")
            }
        }
    }

    fn mark(&self, mark: Option<Mark>) -> bool {
        let set = tokio::task::block_in_place(|| self.held.set(mark));
        set.map_err(|error| tracing::error!(%error, "the mark of a staged reload is not written")).is_ok()
    }

    async fn ask(&self, what: What) -> Result<(), String> {
        let (tell, told) = oneshot::channel();
        let ended = || "the reload desk has ended".to_owned();
        self.desk.send(Ask { what, reply: Some(tell) }).await.map_err(|_| ended())?;
        match told.await.map_err(|_| ended())? {
            Ok(_) => Ok(()),
            Err(Kept::Problems(problems)) => Err(format!("its file has problems: {}", problems.summary())),
            Err(Kept::OtherFleet(found)) => Err(format!("its file says something else ({found})")),
            Err(Kept::NoPrevious) => Err("there is nothing to go back to".into()),
            Err(Kept::Guarded(_) | Kept::OtherPlan(_) | Kept::Staged) => Err("it was refused".into()),
        }
    }

    fn tell(&self, told: &mut Option<(String, Stage)>, rollout: &Rollout) {
        let now = (rollout.id.clone(), rollout.stage);
        let first = told.is_none();
        if told.as_ref() == Some(&now) {
            return;
        }
        *told = Some(now);
        // What was over when this process began is history.
        if first && rollout.stage.is_over() {
            return;
        }
        let why = rollout.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        self.herald.tell(vec![Event {
            at: self.clock.now().wall,
            generation: self.live.load().snapshot().generation,
            what: Happening::Node {
                condition: "rollout".into(),
                active: rollout.stage != Stage::Done,
                detail: format!(
                    "staged reload of {} by {}, {} first: {}{why}",
                    rollout.fleet, rollout.author, rollout.canary, rollout.stage
                ),
            },
        }]);
    }
}

/// The staged reload that the slips tell of.
pub(super) fn rollout_of(slips: &Slips) -> Option<(Slip, Rollout)> {
    let slip = slips.get(ROLLOUT_SLIP)?;
    let rollout = RolloutRecord::parse(&slip.text)
        .map_err(|error| tracing::warn!(%error, "the staged reload is not read"))
        .ok()?;
    Some((slip.clone(), rollout))
}
