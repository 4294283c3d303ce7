use super::*;
use crate::model::Secret;
use proptest::prelude::*;

const NOW: u64 = 1_795_000_000;

fn tsig_key(name: &str, secret: &str) -> TsigKey {
    let secret = Secret::new(BASE64.encode(secret.as_bytes()));
    TsigKey { name: name.parse().unwrap(), algorithm: TsigAlgorithm::Sha256, secret }
}

fn keys() -> Keys {
    Keys::new(&[tsig_key("xfr", "a secret of thirty-two octets ..")])
}

/// `www.example SOA`, signed.
fn signed(key: &TsigKey, at: u64) -> (Vec<u8>, usize) {
    let mut packet = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x06\x00\x01".to_vec();
    let end = packet.len();
    Signing::query(Key::new(key).unwrap()).sign(&mut packet, 0, at);
    (packet, end)
}

fn word(checked: &Checked) -> &'static str {
    match checked {
        Checked::Signed(_) => "signed",
        Checked::Wrong(mistake) => mistake.word(),
        Checked::Malformed => "malformed",
    }
}

#[test]
fn each_mistake_has_its_word() {
    let right = tsig_key("xfr", "a secret of thirty-two octets ..");
    let asked = |key: &TsigKey, at| {
        let (packet, end) = signed(key, at);
        word(&check(&keys(), &packet, end, NOW))
    };
    assert_eq!(asked(&right, NOW), "signed");
    assert_eq!([asked(&right, NOW - 300), asked(&right, NOW + 300)], ["signed"; 2]);
    assert_eq!([asked(&right, NOW - 301), asked(&right, NOW + 301)], ["BADTIME"; 2]);
    assert_eq!(asked(&tsig_key("xfr", "another"), NOW), "BADSIG");
    assert_eq!(asked(&tsig_key("xfr", "another"), NOW - 301), "BADSIG", "a time is believed when it is signed");
    assert_eq!(asked(&tsig_key("other", "a secret of thirty-two octets .."), NOW), "BADKEY");
    let longer = TsigKey { algorithm: TsigAlgorithm::Sha512, ..right };
    assert_eq!(asked(&longer, NOW), "BADKEY", "a key goes with its algorithm");
}

#[test]
fn a_shortened_mac_is_not_taken() {
    let (mut packet, end) = signed(&tsig_key("xfr", "a secret of thirty-two octets .."), NOW);
    // name, fixed part, algorithm name, time and fudge: there stands the MAC's length.
    let at = end + 5 + FIXED + 13 + TIME + 2;
    assert_eq!(packet[at..at + 2], [0, 32]);
    for (length, said) in [(31, "BADTRUNC"), (16, "BADTRUNC"), (15, "malformed"), (0, "malformed")] {
        let mut short = packet.clone();
        short.drain(at + 2 + length..at + 34);
        short[at + 1] = u8::try_from(length).unwrap();
        let data = u8::try_from(short.len() - end - 5 - FIXED).unwrap();
        short[end + 5 + FIXED - 1] = data;
        assert_eq!(word(&check(&keys(), &short, end, NOW)), said, "{length}");
    }
    packet.truncate(packet.len() - 1);
    assert_eq!(word(&check(&keys(), &packet, end, NOW)), "malformed");
}

#[test]
fn replies_are_signed_one_after_the_other() {
    let key = tsig_key("xfr", "a secret of thirty-two octets ..");
    let mut packet = signed(&key, NOW).0;
    let end = 29;
    let Checked::Signed(mut signing) = check(&keys(), &packet, end, NOW) else { panic!("it is signed") };
    let mut client = Signing::query(Key::new(&key).unwrap());
    client.mac = signing.mac.clone();
    packet.truncate(end);
    packet[2] |= 0x80;
    packet[11] = 0;
    let mut reply = packet.clone();
    signing.sign(&mut reply, 0, NOW);
    assert!(client.is_answer(&reply, end));
    let length = reply.len();
    assert_eq!(length - end, signing.length());
    for at in 0..length {
        let mut bent = reply.clone();
        bent[at] ^= 1;
        // The record's own class and TTL are no part of what is signed as they stand, and its id counts for the header's.
        let fixed = end + 5..end + 5 + FIXED;
        assert!(!client.is_answer(&bent, end) || fixed.contains(&at) || at < 2, "octet {at}");
    }
    let mut second = packet;
    signing.sign(&mut second, 0, NOW);
    assert!(!client.is_answer(&second, end), "the second is signed after the first");
}

#[test]
fn a_wrong_time_is_told_signed_and_with_ours() {
    let key = tsig_key("xfr", "a secret of thirty-two octets ..");
    let (packet, end) = signed(&key, NOW - 9999);
    let Checked::Wrong(mistake) = check(&keys(), &packet, end, NOW) else { panic!("it is late") };
    let mut client = Signing::query(Key::new(&key).unwrap());
    client.mac = Record::read(&packet, end).unwrap().mac.to_vec();
    let mut out = packet[..end].to_vec();
    out[11] = 0;
    let length = mistake.length();
    mistake.put(&mut out, 0, NOW);
    assert_eq!(out.len() - end, length);
    assert!(client.is_answer(&out, end));
    let record = Record::read(&out, end).unwrap();
    assert_eq!((record.error, record.other), (error::BADTIME, &time_of(NOW)[..]));
    assert_eq!(record.time, time_of(NOW - 9999));
}

#[test]
fn names_are_followed_backwards_alone() {
    let name = |packet: &[u8], at| name_at(packet, at).map(|(name, behind)| (name.to_string(), behind));
    assert_eq!(name(b"\x01A\x00\xc0\x00", 0), Some(("a.".into(), 3)));
    assert_eq!(name(b"\x01A\x00\x01b\xc0\x00", 3), Some(("b.a.".into(), 7)));
    for bad in [&b"\xc0\x00"[..], b"\xc0\x02\x00", b"\x01a", b"\x40", b"\x01a\xc0\x00"] {
        assert_eq!(name(bad, 0), None, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_octet_can_be_changed(at in 0_usize..200, by in 1_u8..) {
        let (mut packet, end) = signed(&tsig_key("xfr", "a secret of thirty-two octets .."), NOW);
        let at = at % packet.len();
        packet[at] ^= by;
        let fixed = end + 5..end + 5 + FIXED;
        // The letters of names have no case; the id and the count of records are those of the signature.
        let free = at < 2 || at == 10 || at == 11 || fixed.contains(&at);
        let lower = by == 0x20 && at >= end;
        prop_assert!(word(&check(&keys(), &packet, end, NOW)) != "signed" || free || lower, "octet {}", at);
    }

    #[test]
    fn garbage_is_no_signature(packet: Vec<u8>, at in 0_usize..64) {
        prop_assert_ne!(word(&check(&keys(), &packet, at, NOW)), "signed");
    }
}
