//! Our handler behind other doors: whoever speaks hickory's contract gets the same answers.

use std::sync::{Arc, Mutex};

use hickory_proto::{
    op::Message,
    rr::{Record, RecordType},
    serialize::binary::BinEncoder,
};
use hickory_server::{
    net::{NetError, runtime::TokioTime, xfer::Protocol},
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponse,
};
use wayshift::{
    dns::{Chaos, Handler},
    telemetry::dns::Proto,
};

use crate::dns_world::{ask, client, desk, query, with_edns};

/// Encodes what it is given, as hickory's own doors do.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<Vec<u8>>>>);

#[async_trait::async_trait]
impl ResponseHandler for Capture {
    async fn send_response<'a>(
        &mut self,
        response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, NetError> {
        let mut octets = Vec::new();
        let info = response.destructive_emit(&mut BinEncoder::new(&mut octets))?;
        self.0.lock().unwrap().push(octets);
        Ok(info)
    }
}

#[tokio::test]
async fn every_door_gets_the_same_answer() {
    for (name, kind) in [
        ("www", RecordType::A),
        ("chain1", RecordType::AAAA),
        ("nope", RecordType::A),
        ("x.child", RecordType::A),
        ("app", RecordType::AAAA),
        ("big", RecordType::TXT),
        ("nothing.invalid.", RecordType::A),
    ] {
        let message = with_edns(query(name, kind), 1232);
        let expected = ask(&mut desk(Chaos::Hide), &message, Proto::Udp);
        let octets = message.to_vec().unwrap();
        let request = Request::from_bytes(octets, client(Proto::Udp).address, Protocol::Udp).unwrap();
        let capture = Capture::default();
        let info = Handler::new(desk(Chaos::Hide)).handle_request::<_, TokioTime>(&request, capture.clone()).await;
        assert_eq!(info.response_code, expected.metadata.response_code, "{name}");
        let sent = capture.0.lock().unwrap();
        let [reply] = sent.as_slice() else { panic!("one reply to {name}") };
        let reply = Message::from_vec(reply).unwrap();
        assert_eq!(reply.metadata, expected.metadata, "{name}");
        assert_eq!(reply.queries, expected.queries, "{name}");
        assert_eq!(reply.answers, expected.answers, "{name}");
        assert_eq!(reply.authorities, expected.authorities, "{name}");
        assert_eq!(reply.additionals, expected.additionals, "{name}");
    }
}

#[tokio::test]
async fn responses_stay_unanswered() {
    let mut octets = query("www", RecordType::A).to_vec().unwrap();
    octets[2] |= 0x80;
    let request = Request::from_bytes(octets, client(Proto::Udp).address, Protocol::Udp).unwrap();
    let capture = Capture::default();
    Handler::new(desk(Chaos::Hide)).handle_request::<_, TokioTime>(&request, capture.clone()).await;
    assert!(capture.0.lock().unwrap().is_empty());
}
