//! What the parts of the etcd store share: the line, the picture, and how the store stands.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use etcd_client::ResponseHeader;
use tokio::sync::watch;

use crate::model::{Memory, Wall};

use super::{
    super::{Durable, Slip, Slips, StoreError, records::HeadRecord, time::Time},
    Contact, Settings,
    fence::Mark,
    keys::Keys,
    line::{Code, Line, Trouble},
    picture::Picture,
};

/// Shared by commits, the watcher and readers.
pub(super) struct Core {
    pub(super) line: Line,
    pub(super) keys: Keys,
    pub(super) time: Time,
    state: Mutex<State>,
    durable: watch::Sender<Arc<Durable>>,
    contact: watch::Sender<Contact>,
    held: watch::Sender<bool>,
    trouble: watch::Sender<Option<Arc<str>>>,
    slips: watch::Sender<Arc<Slips>>,
    takes_orders: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    picture: Option<Arc<Picture>>,
    /// What this node knew last, from its own memory at first.
    mark: Option<Mark>,
    /// The newest revision that a linear answer named.
    seen: i64,
}

impl Core {
    /// What was remembered stays in force until etcd has something newer.
    pub(super) fn new(settings: Settings, memory: Option<&Memory>, now: Wall) -> Self {
        let memory = memory.filter(|memory| !memory.epoch.is_empty());
        let remembered = memory.map_or_else(Durable::default, |memory| Durable {
            epoch: memory.epoch.clone(),
            generation: memory.store_generation,
            overrides: memory.shared().cloned().collect(),
        });
        let mark = memory.map(|memory| Mark { epoch: memory.epoch.clone(), generation: memory.store_generation });
        Self {
            keys: Keys::new(&settings.prefix),
            line: Line::new(settings),
            time: Time::new(now),
            state: Mutex::new(State { mark, ..State::default() }),
            durable: watch::Sender::new(Arc::new(remembered)),
            contact: watch::Sender::new(Contact::Lost("not reached yet".into())),
            held: watch::Sender::new(false),
            trouble: watch::Sender::new(None),
            slips: watch::Sender::new(Arc::default()),
            takes_orders: watch::Sender::new(true),
        }
    }

    pub(super) fn picture(&self) -> Option<Arc<Picture>> {
        self.state().picture.clone()
    }

    pub(super) fn durable(&self) -> watch::Receiver<Arc<Durable>> {
        self.durable.subscribe()
    }

    pub(super) fn contact(&self) -> watch::Receiver<Contact> {
        self.contact.subscribe()
    }

    pub(super) fn is_held(&self) -> watch::Receiver<bool> {
        self.held.subscribe()
    }

    pub(super) fn trouble(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.trouble.subscribe()
    }

    pub(super) fn slips(&self) -> watch::Receiver<Arc<Slips>> {
        self.slips.subscribe()
    }

    /// A slip as it is from now on; gone if there is none. What was read later is not taken back.
    pub(super) fn slipped(&self, name: &str, slip: Option<Slip>) {
        self.slips.send_if_modified(|known| {
            let before = known.get(name);
            let older = |before: &Slip| slip.as_ref().is_some_and(|slip| slip.revision < before.revision);
            if before == slip.as_ref() || before.is_some_and(older) {
                return false;
            }
            let slips = Arc::make_mut(known);
            match slip {
                Some(slip) => drop(slips.insert(name.to_owned(), slip)),
                None => drop(slips.remove(name)),
            }
            true
        });
    }

    /// All slips, as they were listed.
    pub(super) fn list_slips(&self, slips: Slips) {
        self.slips.send_if_modified(|known| {
            let changed = **known != slips;
            *known = Arc::new(slips);
            changed
        });
    }

    pub(super) fn may_write(&self) -> watch::Receiver<bool> {
        self.takes_orders.subscribe()
    }

    /// Whether these credentials may write.
    pub(super) fn takes_orders(&self, may: bool) {
        self.takes_orders.send_if_modified(|known| {
            if *known && !may {
                tracing::info!("these credentials of etcd only read: orders are for other nodes");
            }
            std::mem::replace(known, may) != may
        });
    }

    /// The newest revision that a linear answer named so far.
    pub(super) fn seen(&self) -> i64 {
        self.state().seen
    }

    /// Whether this node remembers a state.
    pub(super) fn remembers(&self) -> Option<String> {
        self.state().mark.as_ref().map(|mark| format!("epoch {}, generation {}", mark.epoch, mark.generation))
    }

    /// Compares a linear answer's origin with what was known: another etcd, or one that has gone back before a revision
    /// that it had named when the question was sent.
    pub(super) fn check(&self, header: Option<&ResponseHeader>, floor: i64, epoch: &str) -> Result<(), String> {
        let Some(header) = header else { return Ok(()) };
        let mut state = self.state();
        let adopted = state.mark.as_ref().is_some_and(|mark| mark.adopted_since(epoch));
        if adopted {
            state.seen = header.revision();
            return Ok(());
        }
        if state.picture.as_ref().is_some_and(|picture| picture.cluster != header.cluster_id()) {
            return Err("another etcd cluster answers than the one this node knew".into());
        }
        if header.revision() < floor {
            return Err(format!("etcd has gone back to revision {}; it had been at {floor}", header.revision()));
        }
        state.seen = state.seen.max(header.revision());
        Ok(())
    }

    /// Takes a picture over if it is newer than the one there is; the fence is judged here, at the swap. In words why
    /// it may not be.
    pub(super) fn offer(&self, picture: Picture) -> Result<(), String> {
        let mut state = self.state();
        let HeadRecord { epoch, generation, .. } = &picture.head;
        let adopted = state.mark.as_ref().is_some_and(|mark| mark.adopted_since(epoch));
        if let Some(now) = &state.picture
            && !adopted
        {
            if now.cluster != picture.cluster {
                return Err("another etcd cluster answers than the one this node knew".into());
            }
            if picture.revision <= now.revision {
                return Ok(());
            }
        }
        if let Some(mark) = &state.mark {
            mark.allows(epoch, *generation)?;
        }
        state.mark = Some(Mark { epoch: epoch.clone(), generation: *generation });
        let durable = picture.orders.durable();
        self.unread(&picture.unread);
        state.picture = Some(Arc::new(picture));
        self.durable.send_if_modified(|now| {
            let changed = **now != *durable;
            *now = durable;
            changed
        });
        Ok(())
    }

    fn unread(&self, unread: &BTreeMap<String, String>) {
        let first = unread.iter().next();
        let others = unread.len().saturating_sub(1);
        self.say(first.map(|(name, why)| format!("override {name} in etcd is not read ({others} others): {why}")));
    }

    /// What a person should know; nothing once it is over.
    pub(super) fn say(&self, trouble: Option<String>) {
        self.trouble.send_if_modified(|known| {
            let changed = known.as_deref() != trouble.as_deref();
            *known = trouble.map(Into::into);
            changed
        });
    }

    /// How the store stands now.
    pub(super) fn stands(&self, contact: Contact) {
        // One that is out of reach is what it was.
        let held = match &contact {
            Contact::Held(_) => Some(true),
            Contact::Made => Some(false),
            Contact::Lost(_) => None,
        };
        self.held.send_if_modified(|known| held.is_some_and(|held| std::mem::replace(known, held) != held));
        self.contact.send_if_modified(|known| {
            let changed = *known != contact;
            if changed {
                match &contact {
                    Contact::Made => tracing::info!(endpoint = %self.line.endpoint(), "etcd is followed"),
                    Contact::Lost(why) => tracing::warn!(why = &**why, "etcd is not followed"),
                    Contact::Held(why) => tracing::error!(why = &**why, "etcd is not followed and not written to"),
                }
                *known = contact;
            }
            changed
        });
    }

    /// Held stores are not written to.
    pub(super) fn writable(&self) -> Result<(), StoreError> {
        match &*self.contact.borrow() {
            Contact::Held(why) => Err(StoreError::Held { why: why.to_string() }),
            Contact::Lost(_) | Contact::Made => Ok(()),
        }
    }

    /// How trouble with a read is told.
    pub(super) fn away(&self, trouble: &Trouble) -> StoreError {
        match trouble {
            Trouble::Unreached(why) | Trouble::Unanswered(why) => {
                StoreError::Away { why: format!("etcd at {}: {why}", self.line.endpoint()) }
            }
            Trouble::Refused(Code::Denied, why) => StoreError::ReadOnly { why: format!("etcd says: {why}") },
            Trouble::Refused(_, why) => {
                StoreError::Refused { path: format!("etcd at {}", self.line.endpoint()), why: why.clone() }
            }
        }
    }

    /// How what does not fit is told.
    pub(super) fn held(&self, why: impl Into<String>) -> StoreError {
        StoreError::Held { why: why.into() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
