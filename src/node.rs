//! One running wayshift: binds everything, wires the rooms to each other, spawns, stops.
//!
//! Nothing is decided here. The DNS doors have threads of their own and the admin API a run time of its own, so that
//! nothing sent to one slows the other. Every task is in one set: the first to end ends the node, and says which it was.

mod answers;
pub mod boot;
mod bridge;
mod carry;
mod chores;
mod condition;
mod core;
mod direct;
mod disk;
mod durable;
mod herald;
mod map;
mod news;
mod places;
mod probing;
mod recall;
mod reload;
mod rollout;
mod rooms;
mod secondaries;
mod serve;
mod service;
mod shared;
mod vantage;
mod vitals;

use std::{future::Future, net::SocketAddr, sync::Arc};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub use self::{
    boot::{Boot, NoConfiguration},
    serve::serve,
    service::asked_to_stop,
    vantage::Vantage,
};
use self::{
    condition::Conditions,
    core::{Core, CoreHandle, CoreParts},
    disk::Disk,
    herald::Herald,
    places::Places,
    probing::Probing,
    reload::Desk,
    rooms::Room,
    secondaries::Secondaries,
};
use crate::{
    admin::{self, Admin, Recent, auth::Keys},
    clock::Clock,
    control::Identity,
    dns::{self, Doors},
    model::Snapshot,
    steer::Live,
    store::{BallotBus, StoreError, journal::Journal},
    telemetry::Metrics,
};

/// Threads of the admin API. One is enough for people, and all that an attacker of it can keep busy.
const ADMIN_THREADS: usize = 1;
/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the store.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// A DNS address is not to be had.
    #[error("the DNS doors cannot be opened")]
    Dns(#[from] dns::BindError),
    /// An admin address is not to be had.
    #[error("the admin API cannot be opened")]
    Admin(#[from] admin::BindError),
    /// The system gives no threads.
    #[error("the system gives no threads")]
    Threads(#[source] std::io::Error),
}

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to.
    Asked,
    /// A task ended by itself, which none should.
    Broken(&'static str),
}

/// A node with everything bound and the first answers compiled; [`Node::run`] serves.
pub struct Node {
    tasks: JoinSet<&'static str>,
    stop: CancellationToken,
    admin_room: Room,
    handle: CoreHandle,
    keeper: Arc<disk::Keeper>,
    journal: Arc<Journal>,
    dns: Vec<SocketAddr>,
    admin: Vec<admin::Local>,
}

impl Node {
    /// Opens the disk, decides and compiles once, binds every listener, and starts all but the doors' answering.
    ///
    /// # Errors
    /// See [`StartError`]; nothing stays bound then.
    pub async fn start(mut boot: Boot, bus: Arc<dyn BallotBus>) -> Result<Self, StartError> {
        let clock = Clock::start();
        let started = clock.now().wall;
        let settings = boot.loaded.settings.clone();
        let copies = std::mem::take(&mut boot.copies);
        let mut disk = Disk::open(&settings.store, boot.stale.is_none().then_some(copies), started).await?;
        let bus = disk.bus.clone().unwrap_or(bus);
        let (metrics, mut registry) = Metrics::new();
        let herald = Arc::new(Herald::new(Arc::clone(&disk.journal)));
        let identity = map::identity(&settings.node);
        let places = read_places(&boot, &metrics).await?;
        let mut parts = core_parts(&boot, &disk, &herald, identity.clone(), clock, bus, &metrics);
        parts.process = disk.shared.then(|| map::process(&settings));
        parts.locator = places.locator();
        let (editions, editions_seen) = watch::channel(Arc::default());
        parts.editions = editions_seen;
        let (core, handle) = Core::new(parts);

        let doors = settings
            .node
            .roles
            .answer
            .then(|| Doors::bind(map::dns(&settings.dns), handle.live.clone(), clock, Arc::clone(&metrics.dns)));
        let doors = doors.transpose()?;
        let dns = doors.as_ref().map(Doors::local_addrs).unwrap_or_default();

        let secondaries = doors.as_ref().map(|doors| {
            let (transfers, metrics) = (Arc::clone(doors.transfers()), Arc::clone(&metrics.dns));
            Secondaries::start(&boot.loaded, &handle, transfers, metrics, editions)
        });

        let stop = CancellationToken::new();
        let (config, config_seen) = watch::channel(Arc::clone(&boot.loaded));
        let (stale, stale_seen) = watch::channel(boot.stale.clone());
        let (fleet, fleet_seen) = watch::channel(Arc::clone(&boot.loaded.fleet));
        let (reload_in, reload_asks) = mpsc::channel(reload::ASKS_MAX);
        let keys = Arc::new(Keys::new(bridge::known_tokens(&settings)));
        let conditions = Conditions::new(
            &disk,
            &stale_seen,
            places.trouble(),
            started,
            doors.as_ref(),
            doors.is_some() || !settings.node.roles.answer,
        );
        let recent = Arc::new(Recent::new());
        let (api_reload, reload_requests) = mpsc::channel(reload::ASKS_MAX);
        let (api_probe, probe_requests) = mpsc::channel(bridge::PROBE_REQUESTS_MAX);
        let handles = admin::Handles {
            identity: Arc::new(identity),
            clock,
            started,
            snapshot: handle.snapshot.clone(),
            company: handle.company.clone(),
            live: handle.live.clone(),
            store: Arc::clone(&disk.store),
            local: disk.local.clone(),
            turn: admin::Turn::default(),
            recent: Arc::clone(&recent),
            journal: Arc::clone(&disk.journal),
            config: config_seen.clone(),
            reload: api_reload,
            inbox: handle.inbox.clone(),
            probe: api_probe,
            condition: conditions.watch(),
            ballot: handle.ballot.clone(),
            registry: Arc::new(std::mem::take(&mut registry)),
            metrics: Arc::clone(&metrics.http),
            keys: Arc::clone(&keys),
            stop: stop.child_token(),
        };
        let admin_room = Room::start("admin", ADMIN_THREADS).map_err(StartError::Threads)?;
        let api_settings = settings.admin.clone();
        let bound = admin_room.run(async move { Admin::bind(&api_settings, &handles) });
        let api = bound.await.expect("binding does not panic")?;
        api.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        let admin = api.local_addrs();

        let mut tasks = JoinSet::new();
        bridge::tokens(&mut tasks, keys, config_seen.clone(), stop.child_token());
        bridge::reloads(&mut tasks, reload_requests, reload_in.clone(), stop.child_token());
        let (asks_in, asks) = mpsc::channel(bridge::PROBE_REQUESTS_MAX);
        bridge::probe_requests(&mut tasks, probe_requests, asks_in, stop.child_token());
        let probing = Probing {
            node: settings.node.name.clone(),
            roles: settings.node.roles,
            fleet: fleet_seen,
            lookup: Arc::clone(&boot.lookup),
            asks,
            recent,
            clock,
            metrics: Arc::clone(&metrics.probe),
        };
        if disk.shared {
            let parts =
                direct::Parts { settings: &settings, core: &handle, clock, herald: &herald, metrics: &metrics.control };
            direct::start(&mut tasks, &parts, &stop);
        }
        probing.start(&mut tasks, &handle, &stop);
        let (config_of_places, until) = (config_seen.clone(), stop.child_token());
        tasks.spawn(async move {
            places.run(config_of_places, until).await;
            "places"
        });
        let desk = Desk {
            file: boot.file.clone(),
            clock,
            env: Arc::clone(&boot.env),
            config,
            stale,
            fleet,
            inbox: handle.inbox.clone(),
            live: handle.live.clone(),
            snapshot: handle.snapshot.clone(),
            accepted: disk.accepted.clone(),
            herald: Arc::clone(&herald),
            metrics: Arc::clone(&metrics.control),
            held: Arc::clone(&disk.held_back),
            trial: None,
        };
        rollout::run(&mut tasks, &disk, &handle, (&settings.node.name, clock), (&reload_in, &herald), &stop);
        desk.start(&mut tasks, reload_asks, stop.child_token());
        let hangups = service::hangups(reload_in, stop.child_token());
        tasks.spawn(async move {
            hangups.await;
            "signals"
        });
        let (beat, until) = (handle.beat.clone(), stop.child_token());
        tasks.spawn(async move {
            service::watchdog(beat, until).await;
            "watchdog"
        });
        let until = stop.child_token();
        let snapshot = handle.snapshot.clone();
        tasks.spawn(async move {
            conditions.run(herald, snapshot, clock, until).await;
            "conditions"
        });
        let (until, kept) = (stop.child_token(), disk.kept.take());
        tasks.spawn(async move {
            if let Some(kept) = kept
                && let Err(panic) = kept.await
            {
                tracing::error!(%panic, "keeping the configuration panicked");
            }
            until.cancelled().await;
            "accepted"
        });
        if let Some(secondaries) = secondaries {
            secondaries.follow(&mut tasks, &handle, config_seen.clone(), &stop);
        }
        chores::remember(&mut tasks, Arc::clone(&disk.keeper), handle.memory.clone(), stop.child_token());
        carry::run(&mut tasks, &disk, settings.node.name.clone(), stop.child_token());
        chores::prune(&mut tasks, &disk, config_seen, clock, stop.child_token());
        if let Some(doors) = doors {
            let until = stop.child_token();
            tasks.spawn(async move {
                if let Err(error) = doors.run(until).await {
                    tracing::error!(error = %with_source(&error), "the DNS doors ended");
                }
                "doors"
            });
        }
        let until = stop.child_token();
        let serving = admin_room.run(async move { api.run(until.cancelled_owned()).await });
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the admin API ended");
            }
            "admin"
        });
        let until = stop.child_token();
        tasks.spawn(async move {
            core.run(until).await;
            "control"
        });
        Ok(Self { tasks, stop, admin_room, handle, keeper: disk.keeper, journal: disk.journal, dns, admin })
    }

    /// Where DNS is answered, with true ports.
    #[must_use]
    pub fn dns(&self) -> &[SocketAddr] {
        &self.dns
    }

    /// Where the admin API is served, with true ports.
    #[must_use]
    pub fn admin(&self) -> &[admin::Local] {
        &self.admin
    }

    /// The newest picture.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.handle.snapshot.clone()
    }

    /// What the doors read.
    #[must_use]
    pub fn live(&self) -> Live {
        self.handle.live.clone()
    }

    /// History.
    #[must_use]
    pub fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    /// Serves until asked to stop or until something breaks, then drains: doors first take no more, finish what is in
    /// flight, and what is remembered is written.
    pub async fn run(mut self, until: impl Future<Output = ()>) -> Exit {
        let at = self.dns.first().map(ToString::to_string).unwrap_or_default();
        let api = self
            .admin
            .iter()
            .find_map(|local| if let admin::Local::Tcp(at) = local { Some(at.to_string()) } else { None });
        tracing::info!(dns = at, admin = api.unwrap_or_default(), "serving");
        service::ready(&format!("answering on {at}"));
        let exit = tokio::select! {
            () = until => Exit::Asked,
            ended = self.tasks.join_next() => Exit::Broken(match ended {
                Some(Ok(name)) => name,
                Some(Err(_)) => "a task that panicked",
                None => "everything",
            }),
        };
        if let Exit::Broken(name) = &exit {
            tracing::error!(task = name, "ended by itself; the node stops");
        }
        tracing::info!("stopping: open doors are drained first");
        service::stopping();
        self.stop.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(service::DRAIN_MAX, drained).await.is_err() {
            tracing::warn!("not everything ended in time");
        }
        let memory = self.handle.memory.borrow().whole();
        self.keeper.save(&memory);
        drop(self.admin_room);
        exit
    }
}

/// Databases are tens of megabytes: they are not read on a thread that serves.
async fn read_places(boot: &Boot, metrics: &Metrics) -> Result<Places, StartError> {
    let (loaded, metrics) = (Arc::clone(&boot.loaded), Arc::clone(&metrics.geo));
    let read = move || Places::start(&loaded.settings.geo, &loaded.fleet.regions, metrics);
    tokio::task::spawn_blocking(read).await.map_err(|error| StartError::Threads(std::io::Error::other(error)))
}

fn core_parts(
    boot: &Boot,
    disk: &Disk,
    herald: &Arc<Herald>,
    identity: Identity,
    clock: Clock,
    bus: Arc<dyn BallotBus>,
    metrics: &Metrics,
) -> CoreParts {
    let (herald, keeper) = (Arc::clone(herald), Arc::clone(&disk.keeper));
    CoreParts {
        identity,
        process: None,
        fleet: Arc::clone(&boot.loaded.fleet),
        memory: disk.memory.clone(),
        clock,
        bus,
        durable: disk.store.watch(),
        local: disk.local.as_ref().map(|local| local.watch()),
        takes_orders: disk.store.takes_orders(),
        held: disk.held.clone(),
        locator: watch::channel(Arc::default()).1,
        editions: watch::channel(Arc::default()).1,
        announce: Box::new(move |events| herald.tell(events)),
        metrics: Arc::clone(&metrics.control),
        persist: Box::new(move |memory| keeper.save(memory)),
    }
}

/// An error with its causes, in one line.
fn with_source(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
