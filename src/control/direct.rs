//! Whom this node asks for a ballot directly, while the store carries none to it (DECIDING section 4).

use crate::model::{Company, Link, NodeId};

/// Most nodes asked in a round. Of more, those heard longest ago are asked first, so that all have their turn.
pub const ASKED_MAX: usize = 64;

/// The others with the addresses of their admin APIs, those heard longest ago first; nobody while the store carries
/// ballots.
#[must_use]
pub fn to_ask(company: &Company) -> Vec<(NodeId, Vec<Box<str>>)> {
    match company.mode.link {
        Link::Single | Link::Connected => return Vec::new(),
        Link::Detached | Link::Alone => {}
    }
    let mut reached: Vec<_> = company.others.iter().filter(|other| !other.admin.is_empty()).collect();
    reached.sort_by_key(|other| (other.heard_mono, &other.node));
    reached.truncate(ASKED_MAX);
    reached.into_iter().map(|other| (other.node.clone(), other.admin.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Agreement, Mode, Mono, NodeSeen, Wall};

    fn company(link: Link, others: impl Iterator<Item = (usize, Option<u64>, bool)>) -> Company {
        let seen = |(number, heard, reached): (usize, Option<u64>, bool)| NodeSeen {
            node: format!("n{number:03}").parse().unwrap(),
            region: None,
            provider: None,
            heard: Wall(0),
            heard_mono: heard.map(Mono),
            votes: false,
            suspect: false,
            presence: None,
            clock_offset_ms: None,
            agreement: Agreement::Unheard,
            admin: if reached { vec!["https://n:8653".into()] } else { Vec::new() },
        };
        Company { mode: Mode { link, ..Mode::default() }, own: None, votes: true, others: others.map(seen).collect() }
    }

    #[test]
    fn the_longest_unheard_are_asked_first_and_nobody_while_the_store_speaks() {
        let three = || [(1, Some(9), true), (2, Some(4), true), (3, None, true), (4, None, false)].into_iter();
        let names = |link| to_ask(&company(link, three())).iter().map(|(node, _)| node.to_string()).collect::<Vec<_>>();
        for link in [Link::Detached, Link::Alone] {
            assert_eq!(names(link), ["n003", "n002", "n001"], "{link:?}");
        }
        for link in [Link::Single, Link::Connected] {
            assert_eq!(names(link), Vec::<String>::new(), "{link:?}");
        }
        let many = company(Link::Detached, (0..200).map(|number| (number, Some(number as u64), true)));
        assert_eq!(to_ask(&many).len(), ASKED_MAX);
    }
}
