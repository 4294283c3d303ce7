//! The store that a configuration names, opened as a tool opens it: beside the node, for as long as it takes.

use std::path::{Path, PathBuf};

use super::super::{
    args::store::Whose,
    ending::{Exit, Failure},
    local::{check::rendered, place},
    screen::paint::Paint,
};
use crate::{
    clock::Clock,
    config::{self, EtcdSettings, StoreSettings},
    store::{
        AuditDraft, StoreError,
        backup::{self, Backup, BackupError, Finding},
        sqlite::copy,
    },
};

/// Where the state is.
pub(super) enum Source {
    /// In a folder of this machine.
    Embedded(PathBuf),
    /// In etcd, and a folder with what this node keeps for itself.
    Etcd(Box<EtcdSettings>, PathBuf),
}

impl Source {
    /// What the configuration names, or its folder.
    pub(super) fn of(whose: &Whose) -> Result<Self, Failure> {
        let settings = settings(whose.config.as_deref())?;
        Ok(match settings.etcd {
            Some(etcd) if !whose.embedded => Self::Etcd(Box::new(etcd), settings.path),
            Some(_) | None => Self::Embedded(settings.path),
        })
    }

    /// In words.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Embedded(folder) => format!("the embedded store in {}", folder.display()),
            Self::Etcd(etcd, _) => format!("etcd at {}, prefix {}", etcd.endpoints.join(" "), etcd.prefix),
        }
    }

    /// What this node keeps beside the state.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Embedded(folder) | Self::Etcd(_, folder) => folder,
        }
    }

    /// A copy of one moment; none where there is no state.
    pub(super) async fn copy(&self) -> Result<Option<Backup>, StoreError> {
        match self {
            Self::Embedded(folder) => copy::copy(folder, Clock::wall()).map(Some),
            Self::Etcd(etcd, _) => shared::copy(etcd).await,
        }
    }

    /// Makes a backup the state; `false` if it is already.
    pub(super) async fn restore(&self, backup: &Backup, audit: AuditDraft) -> Result<bool, StoreError> {
        match self {
            Self::Embedded(folder) => crate::store::sqlite::restore(folder, backup, audit).map(|()| true),
            Self::Etcd(etcd, _) => shared::restore(etcd, backup, audit).await,
        }
    }
}

/// The store's settings in a configuration.
pub(super) fn settings(named: Option<&Path>) -> Result<StoreSettings, Failure> {
    let path = place::config_file(named).map_err(|error| {
        Failure::new(Exit::Configuration, error.to_string()).hint("name one with --config: it says where the store is")
    })?;
    let loaded = config::load(&path, &place::variable).map_err(|problems| {
        let text = rendered(&problems, Paint(false));
        let failure = Failure::new(Exit::Configuration, format!("{} does not load", path.display()));
        text.lines().fold(failure, Failure::detail)
    })?;
    Ok(loaded.settings.store)
}

/// A backup out of a file, or of the store: whole, or what is wrong with it.
pub(super) async fn whole(file: Option<&Path>, whose: &Whose) -> Result<Backup, Failure> {
    let (backup, what) = match file {
        Some(file) => (backup::load(file).map_err(|error| of_file(&error))?, file.display().to_string()),
        None => {
            let source = Source::of(whose)?;
            let copy = source.copy().await.map_err(|error| of_store(&error))?;
            let nothing = || Failure::new(Exit::Failed, format!("{} holds no state", source.place()));
            (copy.ok_or_else(nothing)?, source.place())
        }
    };
    checked(&backup, &what)?;
    Ok(backup)
}

/// Refuses what no store can have had, with all that is wrong.
pub(super) fn checked(backup: &Backup, what: &str) -> Result<(), Failure> {
    let wrong: Vec<Finding> = backup::check(backup).into_iter().filter(|finding| !finding.good).collect();
    let Some(first) = wrong.first() else { return Ok(()) };
    let failure = Failure::new(Exit::Failed, format!("{what} is not whole; nothing was done"));
    let failure =
        wrong.iter().fold(failure, |failure, finding| failure.detail(format!("{}: {}", finding.part, finding.what)));
    Err(failure.hint(first.hint.clone().unwrap_or_default()))
}

/// How a store's error ends a verb.
pub(super) fn of_store(error: &StoreError) -> Failure {
    let (exit, hint) = match error {
        StoreError::Away { .. } | StoreError::Unknown(_) => {
            (Exit::Unreachable, "nothing was lost; give the same command again once etcd answers")
        }
        StoreError::InUse { .. } => (Exit::Refused, "stop the node first: this changes what it has open"),
        StoreError::Sealed { moved: true, .. } => (Exit::Refused, "the state is there now: name it in `[store.etcd]`"),
        StoreError::Sealed { moved: false, .. } => {
            (Exit::Refused, "go on with `wayshift store migrate --to etcd` and that etcd, or end it with --abort")
        }
        StoreError::ReadOnly { .. } => {
            (Exit::NotAllowed, "use the credentials of a node that takes orders: `deploy/etcd-roles.sh` makes them")
        }
        StoreError::Damaged { .. } => (Exit::Failed, "`wayshift store verify` says what is wrong and what to do"),
        StoreError::Refused { .. }
        | StoreError::Conflict { .. }
        | StoreError::NoOverride(_)
        | StoreError::KeyUsed(_)
        | StoreError::Full { .. }
        | StoreError::Held { .. } => (Exit::Failed, ""),
    };
    let failure = Failure::new(exit, error.to_string());
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

/// How a backup's file ends a verb.
pub(super) fn of_file(error: &BackupError) -> Failure {
    match error {
        BackupError::Disk { source, .. } => Failure::new(Exit::Failed, format!("{error}: {source}")),
        BackupError::Exists { .. } => {
            Failure::new(Exit::Refused, error.to_string()).hint("another name, or --replace to write over it")
        }
        BackupError::Damaged { .. } => Failure::new(Exit::Failed, error.to_string())
            .hint("nothing was done; take the backup before it, and look after where this one was kept"),
    }
}

/// Who gives the command, for the audit.
pub(super) fn actor() -> String {
    format!("uid:{}", nix::unistd::getuid())
}

/// An audit entry of a tool.
pub(super) fn draft(action: &str, reason: Option<&str>) -> AuditDraft {
    AuditDraft {
        at: Clock::wall(),
        actor: actor(),
        from: "command line".into(),
        action: action.into(),
        target: "store".into(),
        before: None,
        after: None,
        reason: reason.map(Into::into),
        request_id: String::new(),
    }
}

#[cfg(feature = "etcd")]
pub(super) mod shared {
    //! The shared store, where the program was built with it.

    use super::{AuditDraft, Backup, Clock, EtcdSettings, StoreError};
    use crate::store::etcd::{Settings, Tls, Visit};

    pub(in crate::cli::store) fn settings(etcd: &EtcdSettings) -> Settings {
        let https = etcd.endpoints.iter().any(|endpoint| endpoint.starts_with("https:"));
        Settings {
            endpoints: etcd.endpoints.clone(),
            prefix: etcd.prefix.clone(),
            tls: https.then(|| Tls { ca: etcd.tls.ca.clone(), identity: etcd.tls.identity.clone() }),
            user: etcd.user.clone(),
        }
    }

    pub(super) async fn copy(etcd: &EtcdSettings) -> Result<Option<Backup>, StoreError> {
        Visit::new(settings(etcd), Clock::wall()).copy(Clock::wall()).await
    }

    pub(super) async fn restore(etcd: &EtcdSettings, backup: &Backup, audit: AuditDraft) -> Result<bool, StoreError> {
        Visit::new(settings(etcd), Clock::wall()).restore(backup, audit).await
    }
}

#[cfg(not(feature = "etcd"))]
mod shared {
    //! The program was built without the shared store.

    use super::{AuditDraft, Backup, EtcdSettings, StoreError};

    fn without() -> StoreError {
        StoreError::Away { why: "this program was built without etcd".into() }
    }

    pub(super) async fn copy(_: &EtcdSettings) -> Result<Option<Backup>, StoreError> {
        Err(without())
    }

    pub(super) async fn restore(_: &EtcdSettings, _: &Backup, _: AuditDraft) -> Result<bool, StoreError> {
        Err(without())
    }
}
