//! The journal's tables and what is asked of them.

use std::sync::Arc;

use rusqlite::{Connection, ToSql, params};

use crate::{
    model::{CheckId, Happening, SubjectId, Wall},
    store::{
        database::{count, integer},
        records::{EventRecord, family_of, health},
    },
};

use super::{EventFilter, RING_MAX, Recorded, TRANSITIONS_MAX, Transition, TransitionFilter, ring::Beginning};

/// One step for each `user_version`; a step is never changed once it was released.
///
/// `numbers.reserved`: numbers up to it may have been given already, written or not.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE numbers (one INTEGER PRIMARY KEY CHECK (one = 1), reserved INTEGER NOT NULL) STRICT;
    CREATE TABLE event (
        seq    INTEGER PRIMARY KEY,
        at     INTEGER NOT NULL,
        kind   TEXT    NOT NULL,
        record TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX event_by_time ON event (at);
    CREATE INDEX event_by_kind ON event (kind, seq);
    CREATE TABLE transition (
        seq         INTEGER PRIMARY KEY,
        at          INTEGER NOT NULL,
        generation  INTEGER NOT NULL,
        endpoint    TEXT    NOT NULL,
        \"check\"   TEXT,
        family      TEXT    NOT NULL,
        from_health TEXT    NOT NULL,
        to_health   TEXT    NOT NULL,
        cause       TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX transition_by_time ON transition (at);
    CREATE INDEX transition_by_endpoint ON transition (endpoint, at);
"];

/// How many numbers are reserved ahead, so that a kill never leads to one being given twice.
const RESERVE: u64 = 100_000;

pub(super) fn fresh(db: &Connection, reserved: u64) -> rusqlite::Result<()> {
    db.execute("INSERT INTO numbers VALUES (1, ?1)", [integer(reserved)])?;
    Ok(())
}

/// The newest events; reserves the numbers that come. A record that cannot be read (a newer program's) is left out.
pub(super) fn beginning(db: &Connection) -> rusqlite::Result<Beginning> {
    let filter = EventFilter { limit: RING_MAX, ..EventFilter::default() };
    let mut events = select(db, &filter)?;
    events.reverse();
    let oldest = events.first().map_or(i64::MAX, |first| integer(first.seq));
    let gone: Option<i64> = db.query_row("SELECT max(seq) FROM event WHERE seq < ?1", [oldest], |row| row.get(0))?;
    let highest: Option<i64> = db.query_row("SELECT max(seq) FROM event", [], |row| row.get(0))?;
    let reserved: i64 = db.query_row("SELECT reserved FROM numbers", [], |row| row.get(0))?;
    let next = count(reserved.max(highest.unwrap_or(0))) + 1;
    reserve(db, next)?;
    Ok(Beginning { events, gone: count(gone.unwrap_or(0)), next })
}

/// Reserves numbers from `next` on; what is reserved now.
pub(super) fn reserve(db: &Connection, next: u64) -> rusqlite::Result<u64> {
    let to = next + RESERVE;
    db.execute("UPDATE numbers SET reserved = max(reserved, ?1)", [integer(to)])?;
    Ok(to)
}

/// Whether more numbers should be reserved before they run out.
pub(super) fn runs_short(reserved: u64, next: u64) -> bool {
    reserved < next + RESERVE / 2
}

/// Everything up to `newest` is written and nothing beyond it was given: gives back what was reserved.
pub(super) fn settle(db: &Connection, newest: u64) -> rusqlite::Result<()> {
    db.execute("UPDATE numbers SET reserved = ?1", [integer(newest)])?;
    Ok(())
}

pub(super) fn insert(db: &Connection, recorded: &Recorded) -> rusqlite::Result<()> {
    let Recorded { seq, event } = recorded;
    let (seq, at) = (integer(*seq), integer(event.at.0));
    db.prepare_cached("INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        seq,
        at,
        event.what.kind(),
        EventRecord::text(event)
    ])?;
    if let Happening::Verdict { endpoint, subject, family, from, to, cause, .. } = &event.what {
        db.prepare_cached("INSERT OR REPLACE INTO transition VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?.execute(
            params![
                seq,
                at,
                integer(event.generation),
                endpoint.as_str(),
                subject.as_ref().map(|subject| subject.check.as_str()),
                family.to_string(),
                from.word(),
                to.word(),
                cause
            ],
        )?;
    }
    Ok(())
}

/// Conditions and their values, numbered as they are added.
#[derive(Default)]
struct Where {
    text: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Where {
    fn and(&mut self, condition: &str, value: impl ToSql + 'static) {
        self.text.push_str(if self.values.is_empty() { " WHERE " } else { " AND " });
        self.values.push(Box::new(value));
        self.text.push_str(&condition.replace('?', &format!("?{}", self.values.len())));
    }

    fn span(&mut self, since: Option<Wall>, until: Option<Wall>) {
        if let Some(since) = since {
            self.and("? <= at", integer(since.0));
        }
        if let Some(until) = until {
            self.and("at < ?", integer(until.0));
        }
    }

    fn values(&self) -> impl rusqlite::Params + '_ {
        rusqlite::params_from_iter(self.values.iter())
    }
}

/// Newest first.
pub(super) fn select(db: &Connection, filter: &EventFilter) -> rusqlite::Result<Vec<Recorded>> {
    let mut only = Where::default();
    if let Some(before) = filter.before {
        only.and("seq < ?", integer(before));
    }
    only.span(filter.since, filter.until);
    if !filter.kinds.is_empty() {
        // As one JSON value, so that the statement does not depend on how many there are.
        let kinds = serde_json::to_string(&filter.kinds).expect("texts are JSON");
        only.and(
            "EXISTS (SELECT 1 FROM json_each(?) AS wanted
                WHERE kind = wanted.value OR substr(kind, 1, length(wanted.value) + 1) = wanted.value || '.')",
            kinds,
        );
    }
    let limit = filter.limit;
    let text = format!("SELECT seq, record FROM event{} ORDER BY seq DESC LIMIT {limit}", only.text);
    let mut statement = db.prepare_cached(&text)?;
    let rows = statement.query_map(only.values(), |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (seq, record): (i64, String) = row?;
        if let Ok(event) = EventRecord::parse(&record) {
            found.push(Recorded { seq: count(seq), event: Arc::new(event) });
        }
    }
    Ok(found)
}

/// Oldest first.
pub(super) fn transitions(db: &Connection, filter: &TransitionFilter) -> rusqlite::Result<Vec<Transition>> {
    let mut only = Where::default();
    if let Some(endpoint) = &filter.endpoint {
        only.and("endpoint = ?", endpoint.as_str().to_owned());
    }
    only.span(filter.since, filter.until);
    let limit = filter.limit.clamp(1, TRANSITIONS_MAX);
    let text = format!(
        "SELECT seq, at, generation, endpoint, \"check\", family, from_health, to_health, cause
         FROM transition{} ORDER BY at, seq LIMIT {limit}",
        only.text
    );
    let mut statement = db.prepare_cached(&text)?;
    let rows = statement.query_map(only.values(), |row| {
        let words: [String; 5] = [row.get(3)?, row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?];
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<String>>(4)?, words))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (seq, at, generation, check, words): (i64, i64, i64, Option<String>, [String; 5]) = row?;
        found.extend(transition((count(seq), Wall(count(at)), count(generation)), check, words));
    }
    Ok(found)
}

/// `None` for a row that this program cannot have written.
fn transition(
    (seq, at, generation): (u64, Wall, u64),
    check: Option<String>,
    [endpoint, family, from, to, cause]: [String; 5],
) -> Option<Transition> {
    let endpoint: crate::model::EndpointId = endpoint.parse().ok()?;
    let subject = match check {
        Some(check) => Some(SubjectId { endpoint: endpoint.clone(), check: check.parse::<CheckId>().ok()? }),
        None => None,
    };
    let (family, from, to) = (family_of(&family).ok()?, health(&from).ok()?, health(&to).ok()?);
    Some(Transition { seq, at, generation, endpoint, subject, family, from, to, cause })
}
