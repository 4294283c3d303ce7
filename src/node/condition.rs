//! How the node is, in one value for status, readiness and banners; each change is an event.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{disk::Disk, herald::Herald, rollout::rollout_of, shared::Ails};
use crate::{
    admin::Condition,
    clock::Clock,
    config::Problems,
    dns::Doors,
    model::{Event, Happening, Snapshot, Wall},
    store::{ControlStore as _, Durable, Slips, held_back::HeldBack, journal::Journal},
};

/// Conditions without a channel of their own are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches everything that can be wrong with a node.
pub(super) struct Conditions {
    stale: watch::Receiver<Option<Arc<Problems>>>,
    places: watch::Receiver<Option<String>>,
    store: Ails,
    local: Option<watch::Receiver<Arc<Durable>>>,
    held_back: Arc<HeldBack>,
    slips: watch::Receiver<Arc<Slips>>,
    snapshot_file: watch::Receiver<Option<String>>,
    journal: Arc<Journal>,
    fast_door: Option<watch::Receiver<Option<String>>>,
    /// Found at the start; they stay until a restart finds them gone.
    lasting: Vec<(&'static str, String)>,
    doors_bound: bool,
    config_since: Wall,
    out: watch::Sender<Arc<Condition>>,
}

impl Conditions {
    /// Of this disk and configuration.
    pub(super) fn new(
        disk: &Disk,
        stale: &watch::Receiver<Option<Arc<Problems>>>,
        places: watch::Receiver<Option<String>>,
        started: Wall,
        doors: Option<&Doors>,
        doors_bound: bool,
    ) -> Self {
        let mut lasting = disk.notes.clone();
        lasting.extend(disk.broken.iter().map(|why| ("store-unusable", why.clone())));
        let conditions = Self {
            stale: stale.clone(),
            places,
            store: Arc::clone(&disk.ails),
            local: disk.local.as_ref().map(|local| local.watch()),
            held_back: Arc::clone(&disk.held_back),
            slips: disk.store.slips(),
            snapshot_file: disk.keeper.trouble(),
            journal: Arc::clone(&disk.journal),
            fast_door: doors.map(Doors::fast_door),
            lasting,
            doors_bound,
            config_since: started,
            out: watch::Sender::new(Arc::default()),
        };
        let found = conditions.found();
        conditions.out.send_replace(Arc::new(conditions.condition(&found)));
        conditions
    }

    /// The newest value.
    #[must_use]
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Condition>> {
        self.out.subscribe()
    }

    /// Follows all sources until told to stop.
    pub(super) async fn run(
        mut self,
        herald: Arc<Herald>,
        snapshot: watch::Receiver<Arc<Snapshot>>,
        clock: Clock,
        until: CancellationToken,
    ) {
        let mut known: BTreeMap<&'static str, String> = BTreeMap::new();
        loop {
            let found = self.found();
            let generation = snapshot.borrow().generation;
            let tell = |condition: &str, active, detail: &str| Event {
                at: clock.now().wall,
                generation,
                what: Happening::Node { condition: condition.into(), active, detail: detail.into() },
            };
            let begun = found.iter().filter(|(word, _)| !known.contains_key(*word)).map(|(w, d)| tell(w, true, d));
            let ended = known.iter().filter(|(word, _)| !found.contains_key(*word)).map(|(w, d)| tell(w, false, d));
            let events: Vec<Event> = begun.chain(ended).collect();
            if !events.is_empty() {
                herald.tell(events);
            }
            let condition = Arc::new(self.condition(&found));
            self.out.send_if_modified(|old| {
                let changed = *old != condition;
                *old = condition;
                changed
            });
            known = found;
            let stale = &mut self.stale;
            tokio::select! {
                () = until.cancelled() => return,
                changed = stale.changed() => {
                    if changed.is_err() {
                        return until.cancelled().await;
                    }
                    self.config_since = clock.now().wall;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Everything that holds now: a stable word, and words.
    fn found(&self) -> BTreeMap<&'static str, String> {
        let mut found: BTreeMap<_, _> = self.lasting.iter().cloned().collect();
        if let Some(problems) = self.stale.borrow().as_ref() {
            let detail =
                format!("the configuration file has problems, the last accepted one serves: {}", problems.summary());
            found.insert("config-stale", detail);
        }
        if let Some(why) = self.places.borrow().clone() {
            found.insert("geo-stale", format!("where clients are is not known from the files as they are now: {why}"));
        }
        found.extend((self.store)());
        if let Some(why) = self.local.as_ref().and_then(|local| on_this_node_alone(&local.borrow())) {
            found.insert("local-overrides", why);
        }
        if let Some(why) = self.snapshot_file.borrow().clone() {
            found.insert("snapshot-unwritten", why);
        }
        if let Some(why) = self.fast_door.as_ref().and_then(|door| door.borrow().clone()) {
            found.insert("fast-door-closed", why);
        }
        let journal = self.journal.health();
        if let Some(why) = journal.trouble {
            found.insert("journal-unwritten", format!("events are kept in memory only: {why}"));
        }
        found
    }

    /// The staged reload that is under way, or what has become of it while this node holds its file back.
    fn staged(&self) -> Option<String> {
        let rollout = rollout_of(&self.slips.borrow()).map(|(_, rollout)| rollout);
        let mark = self.held_back.mark();
        let rollout = rollout
            .filter(|rollout| !rollout.stage.is_over() || mark.as_ref().is_some_and(|mark| mark.id == rollout.id))?;
        let why = rollout.why.map(|why| format!(": {why}")).unwrap_or_default();
        let held = if rollout.stage.is_over() { "; the file here is held back until `wayshift reload`" } else { "" };
        let (canary, stage, author) = (rollout.canary, rollout.stage, rollout.author);
        Some(format!(
            "staged reload of configuration {} by {author}, {canary} first: {stage}{why}{held}",
            rollout.fleet
        ))
    }

    fn condition(&self, found: &BTreeMap<&'static str, String>) -> Condition {
        let words = ["store-unusable", "store-refuses", "store-held", "store-away"];
        let store = words.iter().find_map(|word| found.get(word));
        Condition {
            doors_bound: self.doors_bound,
            table_loaded: true,
            config_stale: found.get("config-stale").cloned(),
            config_since: Some(self.config_since),
            store_broken: store.cloned(),
            banners: self.staged().into_iter().chain(found.values().cloned()).collect(),
        }
    }
}

/// What a person should know of orders that no other node follows.
fn on_this_node_alone(own: &Durable) -> Option<String> {
    let now = Clock::wall();
    let held: Vec<_> = own.overrides.iter().filter(|order| now < order.expires).collect();
    let last = held.iter().map(|order| order.expires).max()?;
    let count = if held.len() == 1 {
        "1 local override holds".to_owned()
    } else {
        format!("{} local overrides hold", held.len())
    };
    Some(format!(
        "{count} on this node alone, at most until {last}: no other node follows; `wayshift override promote` makes them the fleet's"
    ))
}
