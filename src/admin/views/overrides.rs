//! Overrides: `/v1/overrides`, what is sent and what comes back.

use serde::{Deserialize, Serialize};

use crate::{
    admin::{picture::Picture, reach},
    model::{
        Action, Agreement, Company, EndpointId, LastGood, NodeId, Override, OverrideId, PoolId, Selector, ServiceId,
        Snapshot, Span, Wall, Weight,
    },
};

/// The body of `POST /v1/overrides`. Unknown fields are refused: a typo must not execute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOverride {
    /// `drain`, `down`, `up`, `weight`, `pin` or `freeze`.
    pub action: String,
    /// A selector: `provider:aws`.
    pub target: String,
    /// With `action = "weight"`: 0 to 65535.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<u16>,
    /// With `action = "pin"`: the pool the service answers from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pool: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// How long it lasts, from `from` on. Without it and `expires`: `override_for` of the configuration.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none", default)]
    pub lasts: Option<String>,
    /// When it begins; without it: now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// When it ends, instead of `for`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<String>,
    /// With `action = "drain"`: over this time from its beginning the share shrinks in steps; only then is it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over: Option<String>,
    /// Past a safety rule; recorded in the audit.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub force: bool,
}

/// The body of `PATCH /v1/overrides/{id}`: exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendOverride {
    /// `"+1h"`: an hour longer than now planned; `"2h"`: ends two hours from now.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none", default)]
    pub lasts: Option<String>,
    /// The new end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<String>,
    /// Why, for the audit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Past a safety rule that the added time meets; recorded in the audit.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub force: bool,
}

/// Where an override is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideState {
    /// It holds.
    Active,
    /// It begins later.
    Planned,
    /// It ran out, or was ended.
    Ended,
}

/// A person's temporary order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverrideView {
    /// Its id.
    pub id: OverrideId,
    /// `drain`, `down`, `up`, `weight`, `pin` or `freeze`.
    pub action: String,
    /// With `weight`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<Weight>,
    /// With `pin`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pool: Option<PoolId>,
    /// For what.
    pub target: Selector,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When it was made.
    pub created: Wall,
    /// From when on it holds.
    pub from: Wall,
    /// Until when.
    pub expires: Wall,
    /// Of a drain: over this time from its beginning the share shrinks in steps.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over: Option<Span>,
    /// Whether it holds now.
    pub state: OverrideState,
    /// Made against a safety rule.
    pub forced: bool,
    /// It holds on this node alone, and before all others here.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub local: bool,
    /// What it takes in, as selectors: `endpoint:aws-use`, `pool:eu`, `service:www`; at most 100.
    pub matches: Vec<String>,
    /// How many that are.
    pub matches_total: usize,
    /// Overrides of the same lane that it beats where both apply.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shadows: Vec<OverrideId>,
    /// Overrides of the same lane that beat it where both apply.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shadowed_by: Vec<OverrideId>,
    /// Drain: endpoints that go on serving because a service has nothing else healthy.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kept: Vec<EndpointId>,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
    /// Nodes whose answers follow it.
    pub applied_on: Vec<String>,
    /// Nodes that have not yet said so.
    pub pending_on: Vec<String>,
    /// Known nodes that are not heard; it reaches them when they are back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unheard_on: Vec<String>,
    /// Drain and down: when every cached answer that still names the endpoints has run out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub safe_to_stop_at: Option<Wall>,
    /// The request that ends it.
    pub undo: String,
    /// Its version, for `If-Match`.
    pub etag: String,
}

/// The outcome of `?dry_run=true`: what would happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectView {
    /// Always true.
    pub dry_run: bool,
    /// What it takes in; at most 100.
    pub matches: Vec<String>,
    /// How many that are.
    pub matches_total: usize,
    /// Whether a rule refuses it.
    pub safety: SafetyView,
    /// Answers that change; at most 1000.
    pub effect: Vec<ChangeView>,
    /// How many that are.
    pub effect_total: usize,
    /// See [`OverrideView`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kept: Vec<EndpointId>,
    /// See [`OverrideView`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shadows: Vec<OverrideId>,
    /// See [`OverrideView`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shadowed_by: Vec<OverrideId>,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
    /// When it would begin.
    pub from: Wall,
    /// When it would end.
    pub expires: Wall,
    /// How long that is.
    pub lasts: Span,
    /// Of a drain: over this time from its beginning the share shrinks in steps; `effect` is what holds at their end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over: Option<Span>,
    /// Send it as `If-Match`: the change is then refused if anything was overridden in between.
    pub etag: String,
}

/// What the safety rules say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SafetyView {
    /// Nothing refuses it.
    pub ok: bool,
    /// What does.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<BlockedView>,
}

/// One reason of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedView {
    /// `safety.empties_service` or `safety.keep`.
    pub code: String,
    /// The service that would be left without, or the rule.
    pub blocking: String,
    /// In words.
    pub detail: String,
}

/// One answer before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// Which name.
    pub name: String,
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which service.
    pub service: ServiceId,
    /// For whom: `EU-DE`, `near eu-west`, `anyone`; left out where it is for every client.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub clients: Vec<String>,
    /// The possible answers now: endpoints.
    pub from: Vec<String>,
    /// The possible answers then.
    pub to: Vec<String>,
    /// What else changes: `weights`, `pool us -> eu`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// Entries of `effect`.
pub(in crate::admin) const EFFECT_MAX: usize = 1000;
/// Entries of `matches`.
pub(in crate::admin) const MATCHES_MAX: usize = 100;

impl OverrideView {
    /// As this node sees it: what it takes in, and whether its answers follow it yet. What it competes with and keeps
    /// is told for a single one only, see [`Self::among`].
    pub(in crate::admin) fn of(snapshot: &Snapshot, order: &Override) -> Self {
        let mut matches = reach::matches(&snapshot.fleet, &order.target);
        let matches_total = matches.len();
        matches.truncate(MATCHES_MAX);
        let node = vec![snapshot.node.to_string()];
        let (applied_on, pending_on) = match reach::shows(snapshot, order) {
            true => (node, Vec::new()),
            false => (Vec::new(), node),
        };
        let now = snapshot.at.wall.max(order.created);
        let state = match (now < order.from, now < order.expires) {
            (_, false) => OverrideState::Ended,
            (true, true) => OverrideState::Planned,
            (false, true) => OverrideState::Active,
        };
        let (weight, pool) = match &order.action {
            Action::Weight(weight) => (Some(*weight), None),
            Action::Pin(pool) => (None, Some(pool.clone())),
            Action::Up | Action::Drain | Action::Down | Action::Freeze => (None, None),
        };
        Self {
            id: order.id.clone(),
            action: order.action.word().to_owned(),
            weight,
            pool,
            target: order.target.clone(),
            reason: order.reason.clone(),
            by: order.author.clone(),
            created: order.created,
            from: order.from,
            expires: order.expires,
            over: order.over.map(Span),
            state,
            forced: order.forced,
            local: order.local,
            matches,
            matches_total,
            shadows: Vec::new(),
            shadowed_by: Vec::new(),
            kept: Vec::new(),
            warnings: Vec::new(),
            applied_on,
            pending_on,
            unheard_on: Vec::new(),
            safe_to_stop_at: None,
            undo: format!("DELETE /v1/overrides/{}", order.id),
            etag: tag_of(order),
        }
    }

    /// Where it has got to among the other nodes that are known: whether they have applied this version of it.
    pub(in crate::admin) fn everywhere(mut self, company: &Company, order: &Override) -> Self {
        if order.local {
            return self;
        }
        let Receipts { applied, pending, unheard } = receipts(company, order.generation);
        self.applied_on.extend(applied.iter().map(ToString::to_string));
        self.pending_on.extend(pending.iter().map(ToString::to_string));
        self.unheard_on.extend(unheard.iter().map(ToString::to_string));
        self
    }

    /// Without what depends on the moment: as the audit keeps it.
    pub(in crate::admin) fn bare(mut self) -> Self {
        self.matches.clear();
        self.applied_on.clear();
        self.pending_on.clear();
        self.unheard_on.clear();
        self
    }

    /// With what it competes with, what it keeps, and when its endpoints can be stopped.
    pub(in crate::admin) fn among(mut self, snapshot: &Snapshot, good: &LastGood, order: &Override) -> Self {
        let others = snapshot.overrides.iter().chain(&*snapshot.planned).filter(|other| other.id != order.id);
        let rivals = reach::rivals(&snapshot.fleet, order, others);
        self.shadows = rivals.beaten;
        self.shadowed_by = rivals.beat_it;
        self.kept = reach::kept(&Picture::of(snapshot, good), order);
        self
    }
}

/// Where a change has got to among the other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::admin) struct Receipts<'c> {
    /// They say that they have applied it.
    pub(in crate::admin) applied: Vec<&'c NodeId>,
    /// They speak, and have not said so.
    pub(in crate::admin) pending: Vec<&'c NodeId>,
    /// They do not speak; it reaches them when they are back.
    pub(in crate::admin) unheard: Vec<&'c NodeId>,
}

/// Who has applied a generation of the store that this node shares with others.
pub(in crate::admin) fn receipts(company: &Company, generation: u64) -> Receipts<'_> {
    let mut receipts = Receipts::default();
    let Some(own) = &company.own else { return receipts };
    for seen in &company.others {
        let applied = seen.presence.as_ref().map(|presence| &presence.applied);
        let has = applied.is_some_and(|applied| applied.epoch == own.applied.epoch && generation <= applied.generation);
        let list = match (has, seen.agreement) {
            (true, _) => &mut receipts.applied,
            (false, Agreement::Unheard) => &mut receipts.unheard,
            (false, Agreement::Agrees | Agreement::Differs { .. } | Agreement::OtherFleet { .. }) => {
                &mut receipts.pending
            }
        };
        list.push(&seen.node);
    }
    receipts
}

/// The version of one override.
pub(in crate::admin) fn tag_of(order: &Override) -> String {
    format!("\"ov-{}\"", order.generation)
}
