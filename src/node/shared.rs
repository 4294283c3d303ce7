//! The store that several nodes share, where the configuration names one and the program was built with it.

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

use crate::{
    config::EtcdSettings,
    model::{Memory, Wall},
    store::{BallotBus, ControlStore, StoreError},
};

/// What is wrong with the store right now: a stable word, and words.
pub(super) type Ails = Arc<dyn Fn() -> Vec<(&'static str, String)> + Send + Sync>;

/// A store that others write to as well.
pub(super) struct Shared {
    pub(super) store: Arc<dyn ControlStore>,
    pub(super) bus: Option<Arc<dyn BallotBus>>,
    pub(super) ails: Ails,
    /// Whether it is not followed until a person has decided.
    pub(super) held: watch::Receiver<bool>,
}

/// Begins to follow etcd. What is remembered is in force until etcd has something newer.
///
/// # Errors
/// [`StoreError::InUse`] and [`StoreError::Refused`], of the folder.
#[cfg(feature = "etcd")]
pub(super) fn open(
    etcd: &EtcdSettings,
    folder: &Path,
    memory: Option<&Memory>,
    now: Wall,
) -> Result<Shared, StoreError> {
    use crate::store::etcd::{Contact, Etcd, Settings, Tls};

    let https = etcd.endpoints.iter().any(|endpoint| endpoint.starts_with("https:"));
    let settings = Settings {
        endpoints: etcd.endpoints.clone(),
        prefix: etcd.prefix.clone(),
        tls: https.then(|| Tls { ca: etcd.tls.ca.clone(), identity: etcd.tls.identity.clone() }),
        user: etcd.user.clone(),
    };
    let store = Arc::new(Etcd::open(settings, folder, memory, now)?);
    let (contact, trouble) = (store.contact(), store.trouble());
    let ails: Ails = Arc::new(move || {
        let mut ails = Vec::new();
        match &*contact.borrow() {
            Contact::Made => {}
            Contact::Lost(why) => {
                ails.push(("store-away", format!("overrides stay as they are and none can be made: {why}")));
            }
            Contact::Held(why) => {
                ails.push(("store-held", format!("overrides stay as they are, and a person has to decide: {why}")));
            }
        }
        ails.extend(trouble.borrow().as_ref().map(|why| ("store-unread", why.to_string())));
        ails
    });
    let (bus, held): (Arc<dyn BallotBus>, _) = (store.bus(), store.held());
    Ok(Shared { store, bus: Some(bus), ails, held })
}

/// This program was built without it; a configuration that names it is refused before.
///
/// # Errors
/// Of the folder: [`StoreError::InUse`].
#[cfg(not(feature = "etcd"))]
pub(super) fn open(_: &EtcdSettings, folder: &Path, memory: Option<&Memory>, _: Wall) -> Result<Shared, StoreError> {
    use crate::store::detached::Detached;

    let error = StoreError::Away { why: "this program was built without etcd".into() };
    let said = error.to_string();
    let store = Arc::new(Detached::new(memory, &error).hold(folder)?);
    let ails: Ails = Arc::new(move || vec![("store-away", said.clone())]);
    Ok(Shared { store, bus: None, ails, held: watch::channel(false).1 })
}
