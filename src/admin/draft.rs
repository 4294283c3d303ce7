//! From what a person sent to an override that makes sense: each field read, its target found, its life bounded.

use std::time::Duration;

use super::{
    problem::Problem,
    reach,
    routes::did_you_mean,
    views::{ExtendOverride, NewOverride},
};
use crate::{
    judge::safety::{self, LifeError},
    model::{
        Action, Fleet, LOCAL_LASTS_MAX, Override, OverrideId, PoolId, REASON_LENGTH_MAX, Safety, Selector,
        SelectorError, Span, Wall, Weight,
    },
};

/// Words an override's action is written as.
const ACTIONS: [&str; 6] = ["drain", "down", "up", "weight", "pin", "freeze"];

/// A beginning that is past by no more than this is now: clocks differ, and a request takes its time.
const FROM_LATE_MAX: Duration = Duration::from_secs(60);

/// Who asks, and when.
pub(super) struct Asking<'a> {
    pub(super) author: &'a str,
    pub(super) now: Wall,
    /// For this node alone.
    pub(super) local: bool,
}

/// An override as it would be kept.
pub(super) fn read(fleet: &Fleet, asking: &Asking<'_>, body: &NewOverride) -> Result<Override, Problem> {
    let target = target(fleet, &body.target)?;
    let action = action(fleet, body, &target)?;
    let reason = reason(fleet, body.reason.as_deref())?;
    let from = time("/from", body.from.as_deref())?.unwrap_or(asking.now);
    let safety = bounds(fleet, asking.local);
    let late = asking.now.since(from);
    if FROM_LATE_MAX < late {
        let detail = format!("it would have begun {} ago, and nothing is ordered for the past", Span(whole(late)));
        return Err(Problem::unfit("override.life", "/from", detail).hint("leave `from` out to let it begin now"));
    }
    let from = from.max(asking.now);
    let expires = match (&body.lasts, &body.expires) {
        (Some(_), Some(_)) => {
            return Err(Problem::unfit("override.life", "/expires", "`for` and `expires` exclude each other"));
        }
        (None, Some(end)) => {
            let end = time("/expires", Some(end))?.unwrap_or(from);
            safety::bounded(&safety, asking.now, from, end).map_err(|error| life("/expires", error, asking.local))?
        }
        (lasts, None) => {
            let lasts = lasts.as_deref().map(|text| span("/for", text)).transpose()?;
            safety::end(&safety, &action, asking.now, from, lasts.map(|span| span.0))
                .map_err(|error| life("/for", error, asking.local))?
        }
    };
    let over = over(&action, body.over.as_deref(), expires.since(from))?;
    Ok(Override {
        id: OverrideId::new(ulid::Ulid::generate()),
        action,
        target,
        reason,
        author: asking.author.to_owned(),
        created: asking.now,
        from,
        expires,
        forced: body.force,
        over,
        local: asking.local,
        generation: 0,
    })
}

/// Over how long a drain goes out.
fn over(action: &Action, text: Option<&str>, lasts: Duration) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if *action != Action::Drain {
        return Err(Problem::unfit("override.over", "/over", "`over` goes with the action `drain`"));
    }
    let over = span("/over", text)?.0;
    if lasts < over {
        let detail = format!("it would end after {} and be out only after {}", Span(lasts), Span(over));
        return Err(Problem::unfit("override.over", "/over", detail).hint("let it last longer with `for`"));
    }
    Ok((!over.is_zero()).then_some(over))
}

/// The new end of an override.
pub(super) fn extended(fleet: &Fleet, now: Wall, order: &Override, body: &ExtendOverride) -> Result<Wall, Problem> {
    let end = match (&body.lasts, &body.expires) {
        (Some(text), None) => match text.strip_prefix('+') {
            Some(more) => order.expires.plus(span("/for", more)?.0),
            None => order.from.max(now).plus(span("/for", text)?.0),
        },
        (None, Some(end)) => time("/expires", Some(end))?.unwrap_or(order.expires),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::unfit("override.life", "", "exactly one of `for` and `expires` says the new end")
                .hint("{\"for\": \"+1h\"} adds an hour"));
        }
    };
    let pointer = if body.lasts.is_some() { "/for" } else { "/expires" };
    let safety = bounds(fleet, order.local);
    safety::bounded(&safety, now, order.from, end).map_err(|error| life(pointer, error, order.local))
}

/// How long an order may last; one of this node alone no longer than [`LOCAL_LASTS_MAX`].
fn bounds(fleet: &Fleet, local: bool) -> Safety {
    let override_max = if local { LOCAL_LASTS_MAX.min(fleet.safety.override_max) } else { fleet.safety.override_max };
    Safety { override_max, ..fleet.safety.clone() }
}

fn whole(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
}

fn life(pointer: &str, error: LifeError, local: bool) -> Problem {
    let problem = Problem::unfit("override.life", pointer, error.to_string());
    match error {
        LifeError::Over => problem,
        LifeError::TooLong(_) if local => problem
            .hint("one of this node alone lasts at most an hour; extend it, or promote it once the store is back"),
        LifeError::TooLong(_) => problem.hint("extend it later; the bound is safety.override_max"),
    }
}

fn span(pointer: &str, text: &str) -> Result<Span, Problem> {
    text.parse().map_err(|error: crate::model::SpanError| {
        let hint = error.hint.map(|hint| format!("write \"{hint}\""));
        Problem::unfit("override.life", pointer, error.what).maybe_hint(hint)
    })
}

fn time(pointer: &str, text: Option<&str>) -> Result<Option<Wall>, Problem> {
    text.map(|text| text.parse::<Wall>().map_err(|error| Problem::unfit("override.life", pointer, error.to_string())))
        .transpose()
}

/// A reason as far as it is given: for changes that need none, whose audit keeps it all the same.
pub(super) fn given_reason(reason: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(reason) = reason.map(str::trim) else { return Ok(None) };
    if REASON_LENGTH_MAX < reason.len() {
        let detail = format!("a reason has at most {REASON_LENGTH_MAX} octets");
        return Err(Problem::unfit("override.reason", "/reason", detail));
    }
    if reason.chars().any(|c| c.is_control() || unseen(c)) {
        let detail = "a reason is one line without control characters";
        return Err(Problem::unfit("override.reason", "/reason", detail));
    }
    Ok(Some(reason.to_owned()))
}

/// What turns the direction of a line or is not seen at all: a reason must read as what it is. The two joiners, which
/// some scripts need, may stand.
fn unseen(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn reason(fleet: &Fleet, reason: Option<&str>) -> Result<String, Problem> {
    let reason = given_reason(reason)?.unwrap_or_default();
    if reason.is_empty() && fleet.safety.require_reason {
        return Err(Problem::unfit("override.reason", "/reason", "an override needs a reason")
            .hint("say why, for whoever finds it at 03:00: \"INC-123 packet loss\""));
    }
    Ok(reason)
}

/// A selector that takes in something.
pub(super) fn target(fleet: &Fleet, text: &str) -> Result<Selector, Problem> {
    let target: Selector = text.parse().map_err(|error: SelectorError| {
        let kinds = ["endpoint", "pool", "service", "region", "provider", "label"];
        let kind = text.split(':').next().unwrap_or("");
        let hint = match &error {
            SelectorError::Kind(_) => did_you_mean(kind, kinds),
            SelectorError::NoKind(_) => whose(fleet, text),
            SelectorError::Empty(_) | SelectorError::TooLong | SelectorError::Label(_) => None,
        };
        Problem::unfit("override.target", "/target", error.to_string()).maybe_hint(hint)
    })?;
    if !reach::matches(fleet, &target).is_empty() {
        return Ok(target);
    }
    let hint = match &target {
        Selector::Endpoint(glob) => did_you_mean(glob.as_str(), fleet.endpoints.iter().map(|one| one.id.as_str())),
        Selector::Pool(glob) => did_you_mean(glob.as_str(), fleet.pools.iter().map(|one| one.id.as_str())),
        Selector::Service(glob) => did_you_mean(glob.as_str(), fleet.services.iter().map(|one| one.id.as_str())),
        Selector::Region(glob) => did_you_mean(glob.as_str(), fleet.regions.iter().map(|one| one.id.as_str())),
        Selector::Provider(glob) => did_you_mean(glob.as_str(), fleet.providers.iter().map(|one| one.id.as_str())),
        Selector::Label(key, _) => {
            did_you_mean(key, fleet.endpoints.iter().flat_map(|one| one.labels.keys().map(String::as_str)))
        }
        Selector::All => None,
    };
    Err(Problem::unfit("override.matches_nothing", "/target", format!("nothing matches `{target}`")).maybe_hint(hint))
}

/// A bare id with the kind of the thing that has it.
fn whose(fleet: &Fleet, id: &str) -> Option<String> {
    let kinds = ["endpoint", "pool", "service", "region", "provider"];
    let has = |kind: &&str| {
        let selector = format!("{kind}:{id}").parse::<Selector>();
        selector.is_ok_and(|selector| !reach::matches(fleet, &selector).is_empty())
    };
    kinds.into_iter().find(has).map(|kind| format!("did you mean `{kind}:{id}`?"))
}

fn action(fleet: &Fleet, body: &NewOverride, target: &Selector) -> Result<Action, Problem> {
    let unfit = |pointer: &str, detail: &str| Problem::unfit("override.action", pointer, detail);
    if body.weight.is_some() && body.action != "weight" {
        return Err(unfit("/weight", "`weight` goes with the action `weight`"));
    }
    if body.pool.is_some() && body.action != "pin" {
        return Err(unfit("/pool", "`pool` goes with the action `pin`"));
    }
    Ok(match body.action.as_str() {
        "drain" => Action::Drain,
        "down" => Action::Down,
        "up" => Action::Up,
        "freeze" => Action::Freeze,
        "weight" => {
            let weight = body.weight.ok_or_else(|| unfit("/weight", "the action `weight` needs a `weight`"))?;
            Action::Weight(Weight(weight))
        }
        "pin" => Action::Pin(pinned(fleet, body.pool.as_deref(), target)?),
        other => {
            let hint = did_you_mean(other, ACTIONS).unwrap_or_else(|| format!("actions are {}", ACTIONS.join(", ")));
            return Err(unfit("/action", &format!("`{other:.40}` is no action")).hint(hint));
        }
    })
}

/// A pin goes from a service to one of its pools.
fn pinned(fleet: &Fleet, pool: Option<&str>, target: &Selector) -> Result<PoolId, Problem> {
    let unfit = |pointer: &str, detail: String| Problem::unfit("override.action", pointer, detail);
    let pool = pool.ok_or_else(|| unfit("/pool", "the action `pin` needs a `pool`".into()))?;
    let services: Vec<_> = match target {
        Selector::All => fleet.services.iter().collect(),
        Selector::Service(glob) => fleet.services.iter().filter(|one| glob.fits(one.id.as_str())).collect(),
        Selector::Endpoint(_)
        | Selector::Pool(_)
        | Selector::Label(..)
        | Selector::Region(_)
        | Selector::Provider(_) => return Err(unfit("/target", "a pin's target is a service".into())),
    };
    let of = || services.iter().flat_map(|service| fleet.arms(service)).map(|arm| &fleet.pool(arm.pool).id);
    match of().find(|id| id.as_str() == pool) {
        Some(id) => Ok(id.clone()),
        None => Err(unfit("/pool", format!("no pool of {target} is called `{pool:.63}`"))
            .maybe_hint(did_you_mean(pool, of().map(PoolId::as_str)))),
    }
}
