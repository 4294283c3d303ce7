//! Slips: small texts beside the overrides, written with their entry of the audit if nobody else has written them since.

use etcd_client::GetOptions;

use super::{
    super::{AuditDraft, Slip, StoreError, records::AuditRecord},
    commit::{Desk, Work, newest, write},
    core::Core,
    picture::Picture,
};

/// A slip as it stands in etcd now.
pub(super) async fn read(core: &Core, name: String) -> Result<Slip, StoreError> {
    let answer = core.line.get(&core.keys.slip(&name), GetOptions::new()).await;
    let answer = answer.map_err(|trouble| core.away(&trouble))?;
    let slip = answer.kvs().first().map(|kv| Slip {
        revision: kv.mod_revision().unsigned_abs(),
        text: String::from_utf8_lossy(kv.value()).into_owned(),
    });
    Ok(slip.unwrap_or_default())
}

/// Writes a slip and its entry of the audit.
pub(super) async fn write_slip(
    core: &Core,
    desk: &mut Desk,
    (name, seen, text): (String, u64, String),
    audit: AuditDraft,
) -> Result<(), StoreError> {
    core.writable()?;
    core.time.hear(audit.at);
    let base = match core.picture() {
        Some(picture) => Picture::clone(&picture),
        None => newest(core).await?,
    };
    let revision = i64::try_from(seen).unwrap_or(i64::MAX);
    let work = Work::Slip { key: core.keys.slip(&name), revision, text: text.clone() };
    let next = write(core, desk, base, AuditRecord::text(audit), work).await?;
    core.slipped(&name, Some(Slip { revision: next.revision.unsigned_abs(), text }));
    Ok(())
}
