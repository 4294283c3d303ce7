//! What few ask: queries with a signature, and queries for zones.

use super::{Client, Desk, seconds};
use crate::{
    dns::{
        answer::{Answer, Owner, Records},
        message::{Ede, Rcode, UDP_SIZE_MIN},
        read::{Query, Refusal},
        transfer::{Asked, Granted},
        tsig::{Checked, Signing},
        write::{self, Own, Room, Written},
    },
    model::{Mono, kind},
    telemetry::dns::Proto,
};

impl Desk {
    /// Appends the reply, signed if the query is; `None` if a transfer begins, which is ready to be taken.
    #[cold]
    pub(super) fn rarely(
        &mut self,
        mut query: Query<'_>,
        packet: &[u8],
        client: &Client,
        now: Mono,
        own: Own<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Written> {
        let start = out.len();
        let refusal = |rcode| Refusal { head: query.head, rcode, question: Some(query.question), edns: query.edns };
        let mut signing = match query.signed.map(|at| self.transfers.check(packet, at, seconds())) {
            None => None,
            Some(Checked::Signed(signing)) => Some(signing),
            Some(Checked::Wrong(mistake)) => {
                tracing::debug!(client = %client.address, error = mistake.word(), "a signature does not hold");
                let written = write::refusal(&refusal(Rcode::NotAuth), own, out);
                // Names as long as names may be leave no room to say more.
                if client.proto == Proto::Tcp || out.len() - start + mistake.length() <= usize::from(UDP_SIZE_MIN) {
                    mistake.put(out, start, seconds());
                }
                return Some(written);
            }
            Some(Checked::Malformed) => return Some(write::refusal(&refusal(Rcode::FormErr), own, out)),
        };
        query.behind = signing.as_ref().map_or(0, Signing::length);
        let written = match query.kind {
            kind::AXFR | kind::IXFR => self.zone(&query, packet, client, own, &mut signing, out)?,
            _ => self.reply(&query, client, now, own, out),
        };
        if let Some(mut signing) = signing {
            signing.sign(out, start, seconds());
        }
        Some(written)
    }

    fn zone(
        &mut self,
        query: &Query<'_>,
        packet: &[u8],
        client: &Client,
        own: Own<'_>,
        signing: &mut Option<Signing>,
        out: &mut Vec<u8>,
    ) -> Option<Written> {
        let is_stream = match client.proto {
            Proto::Udp => false,
            Proto::Tcp => true,
        };
        let asked = Asked { query, packet, from: client.address.ip(), is_stream };
        let room = if is_stream { Room::Stream } else { Room::Datagram };
        let granted = self.transfers.ask(&asked, self.table.table(), signing);
        let answer = match &granted {
            Granted::Begins(_) => None,
            Granted::Soa(edition) => Some(Answer {
                authoritative: true,
                answer: vec![Records::of(Owner::Asked, edition.soa())],
                ..Answer::only(Rcode::NoError)
            }),
            Granted::Refused => Some(Answer::refused(Ede::Prohibited)),
            Granted::Busy => Some(Answer::only(Rcode::ServFail)),
            Granted::Malformed => Some(Answer::only(Rcode::FormErr)),
        };
        if let Some(answer) = &answer {
            return Some(write::reply(query, answer, room, own, out));
        }
        if let Granted::Begins(outgoing) = granted {
            self.outgoing = Some(outgoing);
        }
        None
    }
}
