//! The durable state at one revision of etcd, and how it is carried from one revision to the next.
//!
//! A head says what all overrides together must look like, so a picture that was listed, or carried along event by
//! event, knows whether it is whole. What does not fit is never followed.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::model::{Override, OverrideId};

use super::super::{
    orders::{Effect, Orders},
    records::{HeadRecord, LinkRecord, OverrideRecord},
};

/// One state, whole.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// Which etcd said so.
    pub(super) cluster: u64,
    /// When the head was last written; every mutation compares it.
    pub(super) revision: i64,
    pub(super) head: HeadRecord,
    pub(super) orders: Orders,
    /// By the end of its key: each override as it is kept.
    texts: BTreeMap<String, Text>,
    /// Overrides that cannot be read, and why: a newer program wrote them, or a person.
    pub(super) unread: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Text {
    text: Arc<str>,
    sum: [u8; 32],
}

impl Text {
    fn new(text: &str) -> Self {
        Self { text: text.into(), sum: Sha256::digest(text.as_bytes()).into() }
    }
}

/// What happened to one override's key.
pub(super) type Turned = (String, Option<String>);

impl Picture {
    /// Of what was listed. What cannot be read stays as it was in the picture before.
    pub(super) fn listed(
        cluster: u64,
        revision: i64,
        head: HeadRecord,
        overrides: impl IntoIterator<Item = (String, String)>,
        before: Option<&Self>,
    ) -> Self {
        let orders = Orders { epoch: head.epoch.clone(), generation: head.generation, all: BTreeMap::new() };
        let mut picture = Self { cluster, revision, head, orders, texts: BTreeMap::new(), unread: BTreeMap::new() };
        for (name, text) in overrides {
            picture.put(name, &text, before);
        }
        picture
    }

    /// After a mutation that wrote this head and did this to overrides.
    pub(super) fn stepped(&self, revision: i64, head: HeadRecord, turned: Vec<Turned>) -> Self {
        let mut next = self.clone();
        for (name, text) in turned {
            match text {
                Some(text) => next.put(name, &text, Some(self)),
                None => next.drop(&name),
            }
        }
        (next.orders.epoch, next.orders.generation) = (head.epoch.clone(), head.generation);
        Self { revision, head, ..next }
    }

    /// The same overrides under a head that was written since.
    pub(super) fn with_head(self, revision: i64, head: HeadRecord) -> Self {
        Self { revision, head, ..self }
    }

    /// What an effect does to keys.
    pub(super) fn turned(&self, effect: &Effect) -> Vec<Turned> {
        let again = |id: &&OverrideId| effect.put.as_ref().is_some_and(|put| put.id == **id);
        // One operation for each key: etcd takes no two.
        let forgotten = effect.forgotten.iter().filter(|id| !again(id)).map(|id| (id.to_string(), None));
        let put = effect.put.iter().map(|order| (order.id.to_string(), Some(self.text_of(order))));
        forgotten.chain(put).collect()
    }

    /// As it is to be kept: what a newer program wrote beside it stays.
    fn text_of(&self, order: &Override) -> String {
        match self.texts.get(&order.id.to_string()) {
            Some(before) => OverrideRecord::rewritten(order, &before.text),
            None => OverrideRecord::text(order),
        }
    }

    /// What the head of this state must say: over the names of all overrides and what they hold.
    pub(super) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (name, text) in &self.texts {
            digest.update((name.len() as u64).to_be_bytes());
            digest.update(name.as_bytes());
            digest.update(text.sum);
        }
        data_encoding::HEXLOWER.encode(&digest.finalize())
    }

    /// Whether these are the overrides that the head speaks of.
    pub(super) fn fits(&self) -> bool {
        self.digest() == self.head.digest
    }

    /// Whether another was made from this one by a mutation with its entry in the audit.
    pub(super) fn leads_to(&self, next: &HeadRecord, link: &LinkRecord) -> bool {
        link.follows(self.head.sequence, &self.head.hash) && (link.sequence, &link.hash) == (next.sequence, &next.hash)
    }

    fn put(&mut self, name: String, text: &str, before: Option<&Self>) {
        let id: Option<OverrideId> = name.parse().ok();
        let read = OverrideRecord::parse(text).map_err(|error| error.to_string());
        let read = read.and_then(|order| match id.as_ref() == Some(&order.id) {
            true => Ok(order),
            false => Err(format!("it is override {} under another name", order.id)),
        });
        match read {
            Ok(order) => {
                self.unread.remove(&name);
                self.orders.all.insert(order.id.clone(), Arc::new(order));
            }
            Err(why) => {
                let last_good = id.and_then(|id| before?.orders.all.get(&id));
                if let Some(order) = last_good {
                    self.orders.all.insert(order.id.clone(), Arc::clone(order));
                }
                self.unread.insert(name.clone(), why);
            }
        }
        self.texts.insert(name, Text::new(text));
    }

    fn drop(&mut self, name: &str) {
        self.texts.remove(name);
        self.unread.remove(name);
        if let Ok(id) = name.parse() {
            self.orders.all.remove(&id);
        }
    }
}

/// A mutation as it was followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) revision: i64,
    pub(super) head: String,
    pub(super) link: Option<String>,
    pub(super) turned: Vec<Turned>,
}

/// Puts the events of one revision together: the head is the last that a mutation writes.
#[derive(Debug, Default)]
pub(super) struct Gather {
    revision: i64,
    link: Option<String>,
    turned: Vec<Turned>,
}

/// What an event is about.
pub(super) enum Told {
    Head(Option<String>),
    Link(Option<String>),
    Override(Turned),
}

/// Somebody wrote around us: what is there has to be listed anew.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Odd;

impl Gather {
    /// The next event of a revision; the mutation, if it is whole with it.
    pub(super) fn next(&mut self, revision: i64, told: Told) -> Result<Option<Step>, Odd> {
        if revision != self.revision {
            if !self.turned.is_empty() {
                return Err(Odd);
            }
            *self = Self { revision, ..Self::default() };
        }
        match told {
            Told::Override(turned) => self.turned.push(turned),
            Told::Link(link) => self.link = link,
            Told::Head(None) => return Err(Odd),
            Told::Head(Some(head)) => {
                let Self { revision, link, turned } = std::mem::take(self);
                return Ok(Some(Step { revision, head, link, turned }));
            }
        }
        Ok(None)
    }

    /// Overrides that changed without a head.
    pub(super) fn dangling(&self) -> bool {
        !self.turned.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{Change, records::samples::plain_override},
        *,
    };
    use crate::model::Wall;

    fn empty() -> Picture {
        let head = HeadRecord::fresh("A".into(), String::new());
        let mut picture = Picture::listed(1, 1, head, [], None);
        picture.head.digest = picture.digest();
        picture
    }

    fn kept(number: u64) -> (String, String) {
        let order = plain_override(number);
        (order.id.to_string(), OverrideRecord::text(&order))
    }

    #[test]
    fn a_picture_knows_whether_it_is_whole() {
        let head = HeadRecord::fresh("A".into(), String::new());
        let mut whole = Picture::listed(1, 1, head, [kept(1), kept(2)], None);
        whole.head.digest = whole.digest();
        assert!(whole.fits());
        let head = whole.head;
        let (name, text) = kept(2);
        let moved = text.replace("INC-123", "INC-124");
        for other in [vec![kept(1)], vec![kept(1), kept(2), kept(3)], vec![kept(1), (name, moved)]] {
            assert!(!Picture::listed(1, 1, head.clone(), other, None).fits());
        }
    }

    #[test]
    fn carried_along_it_is_what_would_be_listed() {
        let mut picture = empty();
        for number in [1, 2] {
            let effect = picture.orders.decide(&[], Change::Create(plain_override(number)), Wall(2_000_000)).unwrap();
            let head = HeadRecord { generation: number, ..picture.head.clone() };
            picture = picture.stepped(1, head, picture.turned(&effect));
        }
        let end = Change::End { id: plain_override(1).id };
        let effect = picture.orders.decide(&[], end, Wall(2_000_000)).unwrap();
        let head = HeadRecord { generation: 3, ..picture.head.clone() };
        let next = picture.stepped(2, head.clone(), picture.turned(&effect));
        let texts = next.texts.iter().map(|(name, text)| (name.clone(), text.text.to_string()));
        let listed = Picture::listed(1, 2, head, texts.collect::<Vec<_>>(), None);
        assert_eq!((listed.digest(), &listed.orders), (next.digest(), &next.orders));
        assert_eq!(next.orders, picture.orders.after(&effect));
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_was() {
        let good = Picture::listed(1, 1, empty().head, [kept(1)], None);
        let (name, text) = kept(1);
        for poison in [text.replace("{\"v\":1", "{\"v\":99"), "{".into(), "\u{0}".into(), kept(2).1] {
            let listed = Picture::listed(1, 2, empty().head, [(name.clone(), poison.clone())], Some(&good));
            assert_eq!((&listed.orders.all, listed.unread.len()), (&good.orders.all, 1), "{poison}");
            let alone = Picture::listed(1, 2, empty().head, [(name.clone(), poison)], None);
            assert_eq!((alone.orders.all.len(), alone.unread.len()), (0, 1));
        }
        let nameless = Picture::listed(1, 2, empty().head, [("other".into(), text)], None);
        assert_eq!((nameless.orders.all.len(), nameless.unread.len()), (0, 1));
    }

    #[test]
    fn a_mutation_is_gathered_up_to_its_head() {
        let turned = || ("a".to_owned(), None);
        let mut gather = Gather::default();
        assert_eq!(gather.next(5, Told::Override(turned())), Ok(None));
        assert_eq!(gather.next(5, Told::Link(Some("l".into()))), Ok(None));
        let step = Step { revision: 5, head: "h".into(), link: Some("l".into()), turned: vec![turned()] };
        assert_eq!(gather.next(5, Told::Head(Some("h".into()))), Ok(Some(step)));
        assert_eq!(gather.next(6, Told::Override(turned())), Ok(None));
        assert_eq!(gather.next(7, Told::Link(None)), Err(Odd), "revision 6 had no head");
        assert_eq!(Gather::default().next(5, Told::Head(None)), Err(Odd));
    }
}
