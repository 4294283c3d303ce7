use super::*;
use crate::{
    dns::transfer::tests::{edition, world},
    model::{Secondaries, Secret, TsigAlgorithm},
};
use hickory_proto::op::{Message, OpCode};

fn key() -> TsigKey {
    let secret = Secret::new("c2VjcmV0IG9mIHRoZSB0ZXN0IQ==".into());
    TsigKey { name: "xfr".parse().unwrap(), algorithm: TsigAlgorithm::Sha256, secret }
}

#[test]
fn it_says_which_zone_and_which_serial() {
    let message = Message::from_vec(&message(&edition(&world(1), 77), [1, 2])).unwrap();
    assert_eq!((message.metadata.id, message.metadata.op_code), (0x0102, OpCode::Notify));
    assert_eq!(message.queries[0].name().to_string(), "example.");
    assert!(message.answers[0].name.to_string() == "example." && message.answers[0].data.to_string().contains(" 77 "));
}

#[test]
fn only_the_right_answer_counts() {
    let asked = message(&edition(&world(1), 77), [1, 2]);
    let reply = |rcode| {
        let mut reply = asked[..25].to_vec();
        (reply[2], reply[3], reply[7]) = (0x80 | OPCODE, rcode, 0);
        reply
    };
    let signing = Signing::query(Key::new(&key()).unwrap());
    assert_eq!(answer(&reply(0), &asked, None), Some(true));
    assert_eq!(answer(&reply(5), &asked, None), Some(false));
    assert_eq!(answer(&reply(0), &asked, Some(&signing)), None, "it must be signed");
    assert_eq!(answer(&reply(9), &asked, Some(&signing)), Some(false), "who has no such key cannot sign");
    for (at, octet) in [(0, 9), (1, 9), (2, OPCODE), (2, 0x80)] {
        let mut other = reply(0);
        other[at] = octet;
        assert_eq!(answer(&other, &asked, None), None, "octet {at}");
    }
    assert_eq!(answer(&[], &asked, None), None);
}

#[test]
fn it_is_told_from_where_the_node_listens() {
    let listen = ["0.0.0.0", "127.0.0.1", "192.0.2.53", "2001:db8::53"].map(|ip| ip.parse().unwrap());
    for (to, from) in
        [("198.51.100.9", "192.0.2.53"), ("127.0.0.7", "127.0.0.1"), ("2001:db8::9", "2001:db8::53"), ("::1", "::")]
    {
        assert_eq!(source(&listen, to.parse().unwrap()).to_string(), from, "{to}");
    }
    assert_eq!(source(&listen[..1], "198.51.100.9".parse().unwrap()).to_string(), "0.0.0.0");
}

/// A secondary on loopback that hears of each serial once it answers.
#[tokio::test]
async fn each_edition_is_told_until_it_is_answered() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let transfers = Arc::new(Transfers::new(Arc::default(), &["127.0.0.2:53".parse().unwrap()]));
    let zone = Secondaries {
        apex: "example".parse().unwrap(),
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        key: None,
        notify: vec![socket.local_addr().unwrap()],
        has_serial: false,
    };
    transfers.allow(Replication { keys: Vec::new(), zones: vec![zone] });
    let all = |seconds| Arc::new(Editions::only(edition(&world(1), seconds)));
    let (editions, seen) = watch::channel(all(77));
    let until = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(run(seen, transfers, until.clone()));
    let mut buffer = [0; 512];
    let mut told = Vec::new();
    // The first of 77 is lost; that it is told again shows that it was waited for.
    for nth in 0..3 {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.2", "the address it listens on is the one it tells from");
        let message = Message::from_vec(&buffer[..length]).unwrap();
        told.push(message.answers[0].data.to_string().split(' ').nth(2).unwrap().to_owned());
        if nth == 0 {
            continue;
        }
        buffer[2] |= 0x80;
        socket.send_to(&buffer[..length], from).await.unwrap();
        if nth == 1 {
            editions.send_replace(all(78));
        }
    }
    assert_eq!(told, ["77", "77", "78"]);
    until.cancel();
    while tasks.join_next().await.is_some() {}
}
