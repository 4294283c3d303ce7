//! What is answered: one pure function for all doors (RFC 1034 section 4.3.2, with 2308, 4592, 6604, 6672, 8482).
//!
//! A CNAME that leads to a steered name is not followed to its addresses: the resolver asks for them itself. So each
//! health decision is made for the name that carries its TTL, and never becomes part of another name's answer.

mod chain;
mod https;
mod steered;
mod why;

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;

use self::chain::Chain;
use super::{
    desk::Face,
    message::{Ede, Rcode, meta},
    read::{Edns, Query},
};
use crate::{
    model::{DnsName, Mono, Rrset, Sets, kind},
    steer::{AnswerTable, Client, Draw, Locator, Lookup, Picks, Steering, ZoneTable},
};

/// TTL of the HINFO that stands for "do not ask ANY" (RFC 8482 section 4.2 leaves it to us): one hour.
const ANY_TTL_S: u32 = 3600;
/// Its RDATA: the CPU says why, the OS is empty.
const ANY_HINFO: &[u8] = b"\x07RFC8482\x00";

/// Where chance and turns come from.
pub trait Draws {
    /// For one answer of those that keep their turns in `slot`; the time is the asker's.
    fn draw(&mut self, slot: usize) -> Draw;
}

/// Who asks, and when: all that an answer may depend on beside the table and chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The network that is answered for; `None` if it is to be nobody's.
    pub network: Option<(IpAddr, u8)>,
    /// May ask why.
    pub may_ask_why: bool,
    /// On the clock that the table's deadlines are on.
    pub now: Mono,
}

impl Asker {
    /// Who a query is answered for: the client whose network it tells, else whoever sent it (RFC 7871 section 7.2.1).
    #[must_use]
    pub fn of(query: &Query<'_>, from: SocketAddr, face: &Face, now: Mono) -> Self {
        let may_ask = |net: &IpNet| net.contains(&from.ip().to_canonical());
        Self {
            network: Self::network_of(query.edns.as_ref(), from),
            may_ask_why: face.debug_names.iter().any(may_ask),
            now,
        }
    }

    /// The network it is answered for.
    #[inline(always)]
    pub(super) fn network_of(edns: Option<&Edns>, from: SocketAddr) -> Option<(IpAddr, u8)> {
        match edns.and_then(|edns| edns.subnet.as_ref()) {
            Some(subnet) => subnet.network(),
            None => {
                let from = from.ip().to_canonical();
                Some((from, if from.is_ipv4() { 32 } else { 128 }))
            }
        }
    }

    fn client(self, locator: &Locator) -> Client<'_> {
        match self.network {
            Some((address, bits)) => Client::new(locator, address, bits),
            None => Client::nobody(),
        }
    }
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
    pub picks: Picks<'t>,
    /// The service that answered.
    pub steering: Option<&'t Steering>,
    /// How many bits of the asker's network decided (RFC 7871 section 7.2.1).
    pub scope: u8,
    /// What explains it.
    pub ede: Option<Ede>,
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
    Set(Rrset<'t>),
    /// Made for this answer.
    One(Cow<'t, [u8]>),
    /// The addresses in [`Answer::picks`].
    Picked,
    /// Of a target, in one family.
    Resolved(&'t [IpAddr]),
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
            scope: 0,
            ede: None,
        }
    }

    /// REFUSED, and why.
    #[must_use]
    pub fn refused(ede: Ede) -> Self {
        Self { ede: Some(ede), ..Self::only(Rcode::Refused) }
    }
}

impl<'t> Records<'t> {
    pub(super) fn of(owner: Owner<'t>, set: Rrset<'t>) -> Self {
        Self { owner, kind: set.kind, class: meta::CLASS_IN, ttl: set.ttl, data: Data::Set(set) }
    }

    /// The SOA of a negative answer (RFC 2308 section 3).
    fn negative(zone: &'t ZoneTable) -> Self {
        Self::of(named(zone.apex.wire()), zone.negative())
    }

    /// One record that no zone has.
    pub(super) fn made(owner: Owner<'t>, kind: u16, class: u16, ttl: u32, data: impl Into<Cow<'t, [u8]>>) -> Self {
        Self { owner, kind, class, ttl, data: Data::One(data.into()) }
    }
}

fn named(name: &[u8]) -> Owner<'_> {
    Owner::Name(Cow::Borrowed(name))
}

/// Answers a question of class IN from a table.
pub fn answer<'t>(table: &'t AnswerTable, query: &Query<'_>, asker: Asker, draws: &mut impl Draws) -> Answer<'t> {
    match query.kind {
        // Transfers are for those who may have them; OPT is no question; the others ask for services of old.
        kind::AXFR | kind::IXFR => return Answer::refused(Ede::Prohibited),
        kind::OPT => return Answer::only(Rcode::FormErr),
        meta::TKEY | meta::TSIG | meta::MAILA | meta::MAILB => return Answer::only(Rcode::NotImp),
        _ => {}
    }
    let mut answering = Answering {
        table,
        asked: query.kind,
        network: asker.network,
        client: asker.client(table.locator()),
        now: asker.now,
        draws,
        answer: Answer::only(Rcode::NoError),
    };
    if !(asker.may_ask_why && answering.why(query.name.wire())) {
        answering.look_up(query.name.wire());
    }
    answering.answer.scope = answering.client.scope();
    answering.answer
}

/// An answer in the making.
struct Answering<'t, 'd, D> {
    table: &'t AnswerTable,
    /// QTYPE.
    asked: u16,
    network: Option<(IpAddr, u8)>,
    client: Client<'t>,
    now: Mono,
    draws: &'d mut D,
    answer: Answer<'t>,
}

impl<'t, D: Draws> Answering<'t, '_, D> {
    fn look_up(&mut self, name: &[u8]) {
        let table = self.table;
        let mut chain = Chain::new(name);
        loop {
            let asked_itself = chain.is_at_start();
            match table.lookup(chain.name(), self.asked) {
                Lookup::NotOurs if asked_itself => self.answer = Answer::refused(Ede::NotAuthoritative),
                // The rest of the chain is another server's.
                Lookup::NotOurs => {}
                Lookup::Referral { cut, ns, glue, .. } => {
                    self.answer.authority = Some(Records::of(named(cut.wire()), ns));
                    self.answer.additional = glue.map(|(name, set)| Records::of(named(name), set)).collect();
                }
                Lookup::Found { zone, sets, steering, .. } => {
                    self.answer.authoritative = true;
                    let alias = self.found_at(&chain, zone, sets, steering);
                    if let Some(set) = alias
                        && let Some(target) = set.rdata().next()
                        && chain.follow(target)
                    {
                        continue;
                    }
                }
                Lookup::Dname { owner, set, .. } => {
                    self.answer.authoritative = true;
                    if self.redirected(&mut chain, owner, set) {
                        continue;
                    }
                }
                Lookup::NoName { zone } => {
                    self.answer.authoritative = true;
                    // Of the last name of a chain, as RFC 6604 section 3 has it.
                    self.answer.rcode = Rcode::NxDomain;
                    self.answer.authority = Some(Records::negative(zone));
                }
            }
            return;
        }
    }

    /// The name exists: adds what it has of the type, or the proof that it has nothing; returns a CNAME to follow.
    fn found_at(
        &mut self,
        chain: &Chain,
        zone: &'t ZoneTable,
        sets: Sets<'t>,
        steering: Option<&'t Steering>,
    ) -> Option<Rrset<'t>> {
        if let Some(steering) = steering
            && self.steered(chain, zone, sets, steering)
        {
            return None;
        }
        let answer = &mut self.answer;
        if self.asked == kind::ANY
            && let Some(records) = any(chain.owner(), zone, sets, steering.is_some())
        {
            answer.answer.push(records);
            return None;
        }
        if let Some(set) = sets.find(self.asked) {
            answer.answer.push(Records::of(chain.owner(), zone.current(set)));
            return None;
        }
        if let Some(alias) = sets.find(kind::CNAME) {
            answer.answer.push(Records::of(chain.owner(), alias));
            return Some(alias);
        }
        answer.authority = Some(Records::negative(zone));
        None
    }

    /// Below a DNAME: adds it and the CNAME it makes; tells whether the chain goes on.
    fn redirected(&mut self, chain: &mut Chain, owner: &'t DnsName, set: Rrset<'t>) -> bool {
        let answer = &mut self.answer;
        answer.answer.push(Records::of(named(owner.wire()), set));
        let alias = chain.owner();
        let Some(target) = set.rdata().next().and_then(|target| chain.redirected(owner, target)) else {
            answer.rcode = Rcode::YxDomain;
            return false;
        };
        answer.answer.push(Records::made(alias, kind::CNAME, meta::CLASS_IN, set.ttl, target.clone()));
        // Who asks for the CNAME itself has it now.
        self.asked != kind::CNAME && self.asked != kind::ANY && chain.follow(&target)
    }
}

/// One record set is enough for ANY (RFC 8482 section 4.1), the smallest; of a steered name none, because health decides
/// about addresses only for those who ask for them: a made HINFO (section 4.2). Nothing at an empty non-terminal.
fn any<'t>(owner: Owner<'t>, zone: &'t ZoneTable, sets: Sets<'t>, is_steered: bool) -> Option<Records<'t>> {
    if is_steered {
        return Some(Records::made(owner, kind::HINFO, meta::CLASS_IN, ANY_TTL_S, ANY_HINFO));
    }
    sets.iter().min_by_key(|set| set.data_size()).map(|set| Records::of(owner, zone.current(set)))
}
