//! The general path: hickory-server's contract over our reader, answer and writer.
//!
//! Why both: what comes later (transfers, signed requests, updates) wants a decoded message, which hickory gives, and any
//! door that speaks hickory's contract can stand in front. What must be the same through every door - which packets are
//! taken, what is answered, how it is written - stays ours: the handler answers from the request's own bytes.
//! A request that hickory cannot decode after our reader passed it is answered all the same: our reader decides.

use std::{
    any::Any,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use hickory_proto::{
    op::{Header, HeaderCounts, Message, MessageType, Metadata, OpCode, ResponseCode},
    serialize::binary::{BinDecodable, BinDecoder},
};
use hickory_server::{
    net::{
        runtime::{Time, TokioTime},
        xfer::Protocol,
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::{MessageResponse, MessageResponseBuilder},
};

use super::{
    desk::{Answerer, Client, Desk, Handled},
    read::{LowerName, Reading, read},
};
use crate::telemetry::dns::Proto;

/// hickory's handler over one desk.
#[derive(Debug)]
pub struct Handler(Mutex<Desk>);

impl Handler {
    /// Answers from this desk.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self(Mutex::new(desk))
    }

    /// A desk is whole between any two packets, so one that met a panic can be used again.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    /// Replies leave as we wrote them when the other side is a `Slot` of ours, and through hickory's encoder otherwise.
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        if let Some(slot) = (&response_handle as &dyn Any).downcast_ref::<Slot>() {
            let mut place = slot.place();
            let Place { client, out, handled } = &mut *place;
            let start = out.len();
            *handled = self.desk().answer(request.as_slice(), client, out);
            return info(&out[start..]);
        }
        let proto = if request.protocol() == Protocol::Udp { Proto::Udp } else { Proto::Tcp };
        let client = Client { address: request.src(), proto, keepalive: None };
        let mut out = Vec::new();
        // Whoever is not a door of ours has one message's room: no transfer goes through there.
        if self.desk().answer(request.as_slice(), &client, &mut out) != Handled::Replied {
            return info(&[]);
        }
        let Ok(reply) = Message::from_vec(&out) else { return info(&[]) };
        let response = MessageResponseBuilder::new(&request.queries, reply.edns.as_ref()).build(
            reply.metadata,
            reply.answers.iter(),
            reply.authorities.iter(),
            [],
            reply.additionals.iter(),
        );
        response_handle.send_response(response).await.unwrap_or_else(|_| info(&[]))
    }
}

/// The header of what was written; SERVFAIL where nothing was. hickory only logs it.
fn info(reply: &[u8]) -> ResponseInfo {
    let header = Header::read(&mut BinDecoder::new(reply)).unwrap_or_else(|_| {
        let mut metadata = Metadata::new(0, MessageType::Response, OpCode::Query);
        metadata.response_code = ResponseCode::ServFail;
        Header { metadata, counts: HeaderCounts::default() }
    });
    ResponseInfo::from(header)
}

/// Where a reply of ours is put; hickory wants a handle that can be cloned.
#[derive(Debug, Clone)]
struct Slot(Arc<Mutex<Place>>);

#[derive(Debug)]
struct Place {
    client: Client,
    out: Vec<u8>,
    handled: Handled,
}

impl Slot {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl ResponseHandler for Slot {
    /// Our handler writes into the slot by itself; a response that is handed over is not for a slot.
    async fn send_response<'a>(
        &mut self,
        _response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a hickory_proto::rr::Record> + Send + 'a,
            impl Iterator<Item = &'a hickory_proto::rr::Record> + Send + 'a,
            impl Iterator<Item = &'a hickory_proto::rr::Record> + Send + 'a,
            impl Iterator<Item = &'a hickory_proto::rr::Record> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, hickory_server::net::NetError> {
        Ok(info(&[]))
    }
}

/// Answers packets through the handler.
#[derive(Debug)]
pub struct General {
    handler: Handler,
}

impl General {
    /// Answers from this desk.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self { handler: Handler::new(desk) }
    }

    /// The desk behind it.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.handler.desk()
    }

    /// The same for its owner, who has to lock nothing.
    pub(super) fn desk_mut(&mut self) -> &mut Desk {
        self.handler.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answerer for General {
    fn answer(&mut self, packet: &[u8], client: &Client, out: &mut Vec<u8>) -> Handled {
        let protocol = match client.proto {
            Proto::Udp => Protocol::Udp,
            Proto::Tcp => Protocol::Tcp,
        };
        // Nothing is decoded before our reader has passed it: pointer chains and packet loops end there.
        let request = match read(packet, self.desk().ecs(), &mut LowerName::default()) {
            Reading::Query(_) => Request::from_bytes(packet.to_vec(), client.address, protocol).ok(),
            Reading::Drop(_) | Reading::Refuse(_) => None,
        };
        let Some(request) = request else { return self.desk().answer(packet, client, out) };
        let place = Place { client: *client, out: mem::take(out), handled: Handled::Dropped };
        let slot = Slot(Arc::new(Mutex::new(place)));
        // The handler awaits nothing when it writes into a slot.
        let done = self.handler.handle_request::<_, TokioTime>(&request, slot.clone()).now_or_never();
        let mut place = slot.place();
        *out = mem::take(&mut place.out);
        if done.is_some() { place.handled } else { Handled::Dropped }
    }
}
