//! Verbs that move traffic: what they share - orders with their preview, the question, the wait, the undo.

pub(super) mod existing;
mod inside;
mod preview;
pub(super) mod restore;

use serde_json::{Map, Value};
use tokio::time::{Duration, Instant, sleep};

use super::{
    args::{
        Format,
        traffic::{DrainArgs, OrderArgs, SetArgs},
    },
    client::{Ask, Client, Reply},
    ending::{Exit, Failure},
    screen::{Screen, safe},
    times,
    wire::Override,
};
use crate::{clock::Clock, model::Selector};

/// The path of the collection.
pub(super) const OVERRIDES: &[&str] = &["v1", "overrides"];
/// How often a node is asked whether its answers follow.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// An order on its way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    action: &'static str,
    target: String,
    body: Map<String, Value>,
    /// For the node that is asked alone.
    local: bool,
}

impl Draft {
    /// The body of `POST /v1/overrides`.
    fn new(action: &'static str, target: &Selector, order: &OrderArgs) -> Self {
        let mut body = Map::new();
        let mut put = |key: &str, value: Option<Value>| value.and_then(|value| body.insert(key.into(), value));
        put("action", Some(action.into()));
        put("target", Some(target.to_string().into()));
        put("reason", order.reason.clone().map(Value::from));
        put("for", order.lasts.map(|span| span.to_string().into()));
        put("from", order.from.map(|at| at.to_string().into()));
        put("over", order.over.map(|span| span.to_string().into()));
        put("force", order.force.then_some(Value::Bool(true)));
        Self { action, target: target.to_string(), body, local: order.local }
    }

    fn with(mut self, key: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.body.insert(key.into(), value);
        }
        self
    }

    /// Said to the right desk.
    fn asked<'a>(&self, ask: Ask<'a>) -> Ask<'a> {
        if self.local { ask.with("local", "true") } else { ask }
    }

    /// The same order on something narrower.
    fn narrowed(&self, target: &str) -> Self {
        let target = target.to_owned();
        Self { target: target.clone(), ..self.clone() }.with("target", Some(target.into()))
    }
}

/// `drain`.
pub(super) async fn drain(args: &DrainArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let drafts = args.targets.iter().map(|target| Draft::new("drain", target, &args.order)).collect();
    give(drafts, &args.order, client, screen).await
}

/// `override set`.
pub(super) async fn set(args: &SetArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let action = args.action.word();
    for (flag, given, fits) in
        [("--weight", args.weight.is_some(), action == "weight"), ("--pool", args.pool.is_some(), action == "pin")]
    {
        if given && !fits {
            return Err(Failure::usage(format!("{flag} does not go with `{action}`")));
        }
    }
    let draft = Draft::new(action, &args.target, &args.order)
        .with("weight", args.weight.map(Value::from))
        .with("pool", args.pool.as_ref().map(|pool| pool.as_str().into()));
    give(vec![draft], &args.order, client, screen).await
}

/// Previews, asks, does, waits, and says how to undo it.
async fn give(
    mut drafts: Vec<Draft>,
    order: &OrderArgs,
    client: &Client,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if order.reason.is_none() && !order.dry_run && screen.interactive {
        let reason = screen.ask("reason (for the others and the audit): ").filter(|reason| !reason.is_empty());
        for draft in &mut drafts {
            *draft = draft.clone().with("reason", reason.clone().map(Value::from));
        }
    }
    let mut left_out = Vec::new();
    let mut etags = vec![None; drafts.len()];
    if order.dry_run || order.skip_unsafe || !order.yes {
        let seen = preview::look(drafts, order, client, screen).await?;
        (drafts, etags, left_out) = (seen.drafts, seen.etags, seen.left_out);
        if order.dry_run {
            return Ok(seen.exit);
        }
        if seen.exit != Exit::Done {
            return Err(Failure::silent(seen.exit));
        }
        if !order.yes {
            consent(screen, drafts.len())?;
        }
    }
    let mut made = Vec::new();
    for (draft, etag) in drafts.iter().zip(etags) {
        match create(draft, etag, client).await {
            Ok(reply) => made.push(report(&reply, order, client, screen).await?),
            Err(failure) if failure.exit == Exit::Refused && order.skip_unsafe => {
                screen.say(&format!("refused: {} {}: {}", draft.action, draft.target, failure.what));
                left_out.push(draft.target.clone());
            }
            Err(failure) if made.is_empty() => return Err(failure),
            Err(failure) => return Err(failure.detail(format!("done before that: {}", made.join(" ")))),
        }
    }
    if !left_out.is_empty() {
        screen.say(&format!("warning: left out because a safety rule refuses it: {}", left_out.join(" ")));
    }
    Ok(if made.is_empty() { Exit::Refused } else { Exit::Done })
}

/// A yes from a person, or the flag that says it.
fn consent(screen: &mut Screen, count: usize) -> Result<(), Failure> {
    if !screen.interactive {
        return Err(Failure::usage("nothing was changed: without a terminal nobody can confirm")
            .hint("add --yes to do it, or --dry-run to only look"));
    }
    let question = if count == 1 { "Do it?".to_owned() } else { format!("Do these {count}?") };
    if screen.confirm(&question) { Ok(()) } else { Err(Failure::new(Exit::Failed, "nothing was changed")) }
}

async fn create(draft: &Draft, etag: Option<String>, client: &Client) -> Result<Reply, Failure> {
    let ask = Ask::post(OVERRIDES, Some(Value::Object(draft.body.clone()))).if_match(etag);
    let ask = draft.asked(ask);
    let reply = client.reply(&ask).await?;
    match reply.status {
        412 => Err(Failure::new(Exit::Failed, "nothing was changed: something was overridden since the preview")
            .hint("run it again and look at the new preview")),
        300.. => Err(reply.failure()),
        _ => Ok(reply),
    }
}

/// Shows what was made; gives its id.
async fn report(reply: &Reply, order: &OrderArgs, client: &Client, screen: &mut Screen) -> Result<String, Failure> {
    let mut made: Override = reply.parsed()?;
    let now = Clock::wall();
    if screen.format == Format::Table {
        let until = made.expires.map(|at| format!(" until {}", times::clock(Some(at), now))).unwrap_or_default();
        let what = format!("{} {}{until}", deed(&made), safe::cell(&made.target));
        let count = super::status::counted(made.matches_total, "thing");
        screen.data(&format!("{}  {what}, takes in {count}\n", safe::cell(&made.id)))?;
    } else {
        screen.show(&reply.body, |_| Ok(String::new()), || Ok(existing::fields(std::slice::from_ref(&made))))?;
    }
    if !order.no_wait && !made.pending_on.is_empty() {
        made = applied(&made, client).await?;
    }
    for warning in &made.warnings {
        screen.say(&format!("warning: {warning}"));
    }
    if let Some(at) = made.safe_to_stop_at {
        let at = times::clock(Some(at), now);
        screen.note(&format!("cached answers have run out at {at}: then the endpoints may be stopped"));
    }
    if !made.applied_on.is_empty() {
        screen.note(&format!("in the answers of {}", made.applied_on.join(" ")));
    }
    if !made.unheard_on.is_empty() {
        let unheard = made.unheard_on.join(" ");
        screen.say(&format!("warning: not heard, and so without it until they are back: {unheard}"));
    }
    if made.local {
        screen.say(
            "warning: this node alone follows it; say it to the others as well, or promote it once the store is back",
        );
    }
    screen.note(&format!("undo: wayshift override clear {}", made.id));
    Ok(made.id)
}

/// Waits until no node is behind.
async fn applied(made: &Override, client: &Client) -> Result<Override, Failure> {
    let deadline = Instant::now() + client.timeout();
    loop {
        let now: Override = client.send(Ask::get(&["v1", "overrides", &made.id])).await?.parsed()?;
        if now.pending_on.is_empty() {
            return Ok(now);
        }
        if deadline <= Instant::now() {
            return Err(Failure::new(
                Exit::TimedOut,
                format!("{} is kept, but not everywhere in the answers", made.id),
            )
            .detail(format!("applied on: {}", now.applied_on.join(" ")))
            .detail(format!("not yet on: {}", now.pending_on.join(" "))));
        }
        sleep(ASK_EVERY).await;
    }
}

/// The action with what belongs to it: `weight 10`, `pin to eu`, `drain over 10m`.
pub(super) fn deed(order: &Override) -> String {
    let action = safe::cell(&order.action);
    match (order.weight, &order.pool) {
        (Some(weight), _) => format!("{action} {weight}"),
        (None, Some(pool)) => format!("{action} to {}", safe::cell(pool)),
        (None, None) => match order.over {
            Some(over) => format!("{action} over {over}"),
            None => action,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_sends_only_what_was_said() {
        let order = OrderArgs { reason: Some("INC-123".into()), lasts: "2h".parse().ok(), ..OrderArgs::default() };
        let draft = Draft::new("drain", &"provider:aws".parse().unwrap(), &order);
        assert_eq!(
            Value::Object(draft.body.clone()),
            serde_json::json!({"action":"drain","target":"provider:aws","reason":"INC-123","for":"2h"})
        );
        let narrowed = draft.narrowed("endpoint:a");
        assert_eq!((narrowed.target.as_str(), &narrowed.body["target"]), ("endpoint:a", &Value::from("endpoint:a")));
        let forced = OrderArgs { force: true, ..OrderArgs::default() };
        let draft = Draft::new("pin", &"service:www".parse().unwrap(), &forced).with("pool", Some("eu".into()));
        assert_eq!(
            Value::Object(draft.body),
            serde_json::json!({"action":"pin","target":"service:www","force":true,"pool":"eu"})
        );
    }
}
