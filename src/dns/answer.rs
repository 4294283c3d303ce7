//! What is answered: one pure function for all doors (RFC 1034 section 4.3.2, with 2308, 4592, 6604, 6672, 8482).
//!
//! A CNAME that leads to a steered name is not followed to its addresses: the resolver asks for them itself. So each
//! health decision is made for the name that carries its TTL, and never becomes part of another name's answer.

mod chain;

use std::borrow::Cow;

use self::chain::Chain;
use super::{
    message::{Rcode, meta},
    read::Query,
};
use crate::{
    model::{DnsName, Family, kind},
    steer::{AnswerTable, Client, Draw, Lookup, Outcome, Picks, Rrset, Steering, ZoneTable},
};

/// TTL of the HINFO that stands for "do not ask ANY" (RFC 8482 section 4.2 leaves it to us): one hour.
const ANY_TTL_S: u32 = 3600;
/// Its RDATA: the CPU says why, the OS is empty.
const ANY_HINFO: &[u8] = b"\x07RFC8482\x00";

/// Where chance and turns come from.
pub trait Draws {
    /// For one answer of the family that keeps its turns in `slot`.
    fn draw(&mut self, slot: usize) -> Draw;
}

/// An answer, not yet written. Borrows from the table that it was made of.
#[derive(Debug)]
pub struct Answer<'t> {
    /// How it ended.
    pub rcode: Rcode,
    /// AA: we speak for the zone of the name that was asked.
    pub authoritative: bool,
    /// What was asked for, with the aliases on the way.
    pub answer: Vec<Records<'t>>,
    /// SOA of a negative answer, or NS of a referral.
    pub authority: Option<Records<'t>>,
    /// Glue.
    pub additional: Vec<Records<'t>>,
    /// What [`Data::Picked`] stands for.
    pub picks: Picks,
    /// The service that answered.
    pub steering: Option<&'t Steering>,
}

/// Records of one owner, type and TTL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records<'t> {
    /// Whose they are.
    pub owner: Owner<'t>,
    /// The type's number.
    pub kind: u16,
    /// The class's number.
    pub class: u16,
    /// In seconds.
    pub ttl: u32,
    /// What they say.
    pub data: Data<'t>,
}

/// The name in front of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner<'t> {
    /// The question's name, as it was spelled.
    Asked,
    /// This name, in uncompressed wire form.
    Name(Cow<'t, [u8]>),
}

/// RDATA of one or more records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data<'t> {
    /// As the table has it.
    Set(&'t [Box<[u8]>]),
    /// Made for this answer.
    One(Cow<'static, [u8]>),
    /// The addresses in [`Answer::picks`].
    Picked,
}

impl Answer<'_> {
    /// A code alone.
    #[must_use]
    pub fn only(rcode: Rcode) -> Self {
        Self {
            rcode,
            authoritative: false,
            answer: Vec::new(),
            authority: None,
            additional: Vec::new(),
            picks: Picks::new(),
            steering: None,
        }
    }
}

impl<'t> Records<'t> {
    fn of(owner: Owner<'t>, set: &'t Rrset) -> Self {
        Self { owner, kind: set.kind, class: meta::CLASS_IN, ttl: set.ttl, data: Data::Set(&set.rdata) }
    }

    /// The SOA of a negative answer (RFC 2308 section 3).
    fn negative(zone: &'t ZoneTable) -> Self {
        Self { ttl: zone.negative_ttl, ..Self::of(named(&zone.apex), &zone.soa) }
    }

    /// One record that no zone has.
    pub(super) fn made(owner: Owner<'t>, kind: u16, class: u16, ttl: u32, data: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { owner, kind, class, ttl, data: Data::One(data.into()) }
    }
}

fn named(name: &DnsName) -> Owner<'_> {
    Owner::Name(Cow::Borrowed(name.wire()))
}

/// Answers a question of class IN from a table.
pub fn answer<'t>(table: &'t AnswerTable, query: &Query<'_>, draws: &mut impl Draws) -> Answer<'t> {
    match query.kind {
        // Transfers are for those who may have them; OPT is no question; the others ask for services of old.
        kind::AXFR | kind::IXFR => return Answer::only(Rcode::Refused),
        kind::OPT => return Answer::only(Rcode::FormErr),
        meta::TKEY | meta::TSIG | meta::MAILA | meta::MAILB => return Answer::only(Rcode::NotImp),
        _ => {}
    }
    let mut answer = Answer::only(Rcode::NoError);
    let mut chain = Chain::new(query.name.wire());
    loop {
        let asked_itself = chain.is_at_start();
        let found = table.lookup(chain.name(), query.kind);
        match found {
            Lookup::NotOurs if asked_itself => answer.rcode = Rcode::Refused,
            // The rest of the chain is another server's.
            Lookup::NotOurs => {}
            Lookup::Referral { cut, ns, glue, .. } => {
                answer.authority = Some(Records::of(named(cut), ns));
                answer.additional = glue.into_iter().map(|(name, set)| Records::of(named(name), set)).collect();
                return answer;
            }
            Lookup::Found { zone, sets, steering, .. } => {
                answer.authoritative = true;
                let alias = found_at(&mut answer, &chain, query.kind, zone, sets, steering, draws);
                if let Some(set) = alias
                    && let Some(target) = set.rdata.first()
                    && chain.follow(target)
                {
                    continue;
                }
            }
            Lookup::Dname { owner, set, .. } => {
                answer.authoritative = true;
                answer.answer.push(Records::of(named(owner), set));
                let alias = chain.owner();
                match set.rdata.first().and_then(|target| chain.redirected(owner, target)) {
                    Some(target) => {
                        let records = Records::made(alias, kind::CNAME, meta::CLASS_IN, set.ttl, target.clone());
                        answer.answer.push(records);
                        // Who asks for the CNAME itself has it now.
                        if query.kind != kind::CNAME && query.kind != kind::ANY && chain.follow(&target) {
                            continue;
                        }
                    }
                    None => answer.rcode = Rcode::YxDomain,
                }
            }
            Lookup::NoName { zone } => {
                answer.authoritative = true;
                // Of the last name of a chain, as RFC 6604 section 3 has it.
                answer.rcode = Rcode::NxDomain;
                answer.authority = Some(Records::negative(zone));
            }
        }
        return answer;
    }
}

/// The name exists: adds what it has of the type, or the proof that it has nothing; returns a CNAME to follow.
fn found_at<'t>(
    answer: &mut Answer<'t>,
    chain: &Chain,
    asked: u16,
    zone: &'t ZoneTable,
    sets: &'t [Rrset],
    steering: Option<&'t Steering>,
    draws: &mut impl Draws,
) -> Option<&'t Rrset> {
    let family = match asked {
        kind::A => Some(Family::V4),
        kind::AAAA => Some(Family::V6),
        _ => None,
    };
    if let (Some(family), Some(steering)) = (family, steering) {
        if chain.is_at_start() {
            steered(answer, family, zone, steering, draws);
        }
        return None;
    }
    if asked == kind::ANY
        && let Some(records) = any(chain.owner(), sets, steering.is_some())
    {
        answer.answer.push(records);
        return None;
    }
    if let Some(set) = sets.iter().find(|set| set.kind == asked) {
        answer.answer.push(Records::of(chain.owner(), set));
        return None;
    }
    if let Some(alias) = sets.iter().find(|set| set.kind == kind::CNAME) {
        answer.answer.push(Records::of(chain.owner(), alias));
        return Some(alias);
    }
    answer.authority = Some(Records::negative(zone));
    None
}

fn steered<'t>(
    answer: &mut Answer<'t>,
    family: Family,
    zone: &'t ZoneTable,
    steering: &'t Steering,
    draws: &mut impl Draws,
) {
    let draw = draws.draw(steering.slot(family));
    match steering.pick(family, &mut Client::nobody(), draw, &mut answer.picks) {
        Outcome::Addresses => {
            let kind = match family {
                Family::V4 => kind::A,
                Family::V6 => kind::AAAA,
            };
            let (ttl, class) = (answer.picks.ttl(), meta::CLASS_IN);
            answer.steering = Some(steering);
            answer.answer.push(Records { owner: Owner::Asked, kind, class, ttl, data: Data::Picked });
        }
        // No configuration makes targets yet.
        Outcome::NoData | Outcome::Target => answer.authority = Some(Records::negative(zone)),
        Outcome::ServFail => {
            answer.authoritative = false;
            answer.rcode = Rcode::ServFail;
        }
    }
}

/// One record set is enough for ANY (RFC 8482 section 4.1), the smallest; of a steered name none, because health decides
/// about addresses only for those who ask for them: a made HINFO (section 4.2). Nothing at an empty non-terminal.
fn any<'t>(owner: Owner<'t>, sets: &'t [Rrset], is_steered: bool) -> Option<Records<'t>> {
    if is_steered {
        return Some(Records::made(owner, kind::HINFO, meta::CLASS_IN, ANY_TTL_S, ANY_HINFO));
    }
    let size = |set: &&Rrset| set.rdata.iter().map(|rdata| rdata.len()).sum::<usize>();
    sets.iter().min_by_key(size).map(|set| Records::of(owner, set))
}
