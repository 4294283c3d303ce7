//! Transaction signatures (RFC 8945): checking queries, signing replies.
//!
//! Why over octets and not with a library's message builder: a signature covers the octets as they came, and our replies
//! are octets. The HMAC itself is the TLS library's.

use std::collections::HashMap;

use data_encoding::BASE64;
use ring::hmac;

use super::message::{HEADER, meta, u16_at};
use crate::model::{DnsName, LABEL_LENGTH_MAX, NAME_LENGTH_MAX, TsigAlgorithm, TsigKey};

/// How far clocks may be apart, in seconds (section 10).
pub(super) const FUDGE_S: u16 = 300;
/// The fixed part of a record behind its owner: type, class, TTL, length.
const FIXED: usize = 10;
/// Octets of a time.
const TIME: usize = 6;
/// The shortest MAC that may be compared at all (section 5.2.2.1).
const MAC_MIN: usize = 10;

/// What is wrong with a signature (section 3), by the number in the record.
mod error {
    pub(super) const NONE: u16 = 0;
    pub(super) const BADSIG: u16 = 16;
    pub(super) const BADKEY: u16 = 17;
    pub(super) const BADTIME: u16 = 18;
    pub(super) const BADTRUNC: u16 = 22;
}

/// Keys by name. Each is used with its own algorithm alone.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<DnsName, Key>);

/// A key, ready for use.
#[derive(Debug, Clone)]
pub(super) struct Key {
    name: DnsName,
    algorithm: DnsName,
    key: hmac::Key,
}

impl Keys {
    pub(super) fn new(keys: &[TsigKey]) -> Self {
        Self(keys.iter().filter_map(|key| Some((key.name.clone(), Key::new(key)?))).collect())
    }
}

impl Key {
    /// `None` for a secret that is no base64, which the configuration refuses.
    pub(super) fn new(key: &TsigKey) -> Option<Self> {
        let secret = BASE64.decode(key.secret.reveal().as_bytes()).ok()?;
        let (word, algorithm) = match key.algorithm {
            TsigAlgorithm::Sha256 => ("hmac-sha256", hmac::HMAC_SHA256),
            TsigAlgorithm::Sha384 => ("hmac-sha384", hmac::HMAC_SHA384),
            TsigAlgorithm::Sha512 => ("hmac-sha512", hmac::HMAC_SHA512),
        };
        let algorithm_name = word.parse().expect("an algorithm's word is a label");
        Some(Self { name: key.name.clone(), algorithm: algorithm_name, key: hmac::Key::new(algorithm, &secret) })
    }

    fn length(&self) -> usize {
        self.key.algorithm().digest_algorithm().output_len()
    }

    /// Octets of a record signed with it, other data left out.
    fn record_length(&self) -> usize {
        self.name.wire().len() + FIXED + self.algorithm.wire().len() + TIME + 2 + 2 + self.length() + 2 + 2 + 2
    }
}

/// The TSIG of a query, as it came.
#[derive(Debug)]
struct Record<'p> {
    /// In lower case.
    name: DnsName,
    algorithm: DnsName,
    time: [u8; TIME],
    fudge: u16,
    mac: &'p [u8],
    id: [u8; 2],
    error: u16,
    other: &'p [u8],
}

/// What signs the replies to one query.
#[derive(Debug)]
pub(super) struct Signing {
    key: Key,
    /// Of the query, then of each message before.
    mac: Vec<u8>,
    /// No reply was signed yet.
    is_first: bool,
}

/// A signature that does not hold: what the reply says about it (section 5.2).
#[derive(Debug)]
pub(super) struct Mistake {
    name: DnsName,
    algorithm: DnsName,
    time: [u8; TIME],
    fudge: u16,
    error: u16,
    /// A client whose clock is off is told the time, signed.
    signing: Option<Signing>,
}

/// What a signature comes to.
#[derive(Debug)]
pub(super) enum Checked {
    /// It holds.
    Signed(Signing),
    /// It does not.
    Wrong(Mistake),
    /// It is no TSIG after all.
    Malformed,
}

/// Checks the TSIG that begins at `at` of a message and ends it. `now` is in seconds since 1970.
pub(super) fn check(keys: &Keys, packet: &[u8], at: usize, now: u64) -> Checked {
    let Some(record) = Record::read(packet, at) else { return Checked::Malformed };
    let wrong = |error, signing| {
        let Record { name, algorithm, time, fudge, .. } = &record;
        let (name, algorithm) = (name.clone(), algorithm.clone());
        Checked::Wrong(Mistake { name, algorithm, time: *time, fudge: *fudge, error, signing })
    };
    let Some(key) = keys.0.get(&record.name).filter(|key| key.algorithm == record.algorithm) else {
        return wrong(error::BADKEY, None);
    };
    let whole = key.length();
    if whole < record.mac.len() || record.mac.len() < MAC_MIN.max(whole / 2) {
        return Checked::Malformed;
    }
    if record.mac.len() < whole {
        // Shortened ones are taken by nobody who does not have to.
        return wrong(error::BADTRUNC, None);
    }
    let mut signed = Vec::with_capacity(packet.len() + NAME_LENGTH_MAX);
    let Some(message) = packet.get(..at).filter(|message| HEADER <= message.len()) else { return Checked::Malformed };
    signed.extend_from_slice(message);
    signed[..2].copy_from_slice(&record.id);
    let additionals = u16_at(packet, HEADER - 2).unwrap_or(0).saturating_sub(1);
    signed[HEADER - 2..HEADER].copy_from_slice(&additionals.to_be_bytes());
    variables(&mut signed, key, record.time, record.fudge, record.error, record.other);
    if hmac::verify(&key.key, &signed, record.mac).is_err() {
        return wrong(error::BADSIG, None);
    }
    let signing = Signing { key: key.clone(), mac: record.mac.to_vec(), is_first: true };
    let mut time = [0; 8];
    time[2..].copy_from_slice(&record.time);
    if now.abs_diff(u64::from_be_bytes(time)) > u64::from(record.fudge) {
        return wrong(error::BADTIME, Some(signing));
    }
    Checked::Signed(signing)
}

impl Signing {
    /// What signs a query of ours.
    pub(super) fn query(key: Key) -> Self {
        Self { key, mac: Vec::new(), is_first: true }
    }

    /// The name of the key.
    pub(super) fn key(&self) -> &DnsName {
        &self.key.name
    }

    /// Octets that the signature takes at the end of a message.
    pub(super) fn length(&self) -> usize {
        self.key.record_length()
    }

    /// Signs the message that begins at `start` of `out` and ends there: the next reply, or the query.
    pub(super) fn sign(&mut self, out: &mut Vec<u8>, start: usize, now: u64) {
        self.put(out, start, time_of(now), FUDGE_S, error::NONE, &[]);
    }

    fn put(&mut self, out: &mut Vec<u8>, start: usize, time: [u8; TIME], fudge: u16, error: u16, other: &[u8]) {
        let mut signed = Vec::with_capacity(out.len() - start + NAME_LENGTH_MAX);
        if !self.mac.is_empty() {
            signed.extend_from_slice(&octets(self.mac.len()));
            signed.extend_from_slice(&self.mac);
        }
        signed.extend_from_slice(&out[start..]);
        if self.is_first {
            variables(&mut signed, &self.key, time, fudge, error, other);
        } else {
            // Of messages that follow the time alone (section 5.3.1).
            signed.extend_from_slice(&time);
            signed.extend_from_slice(&fudge.to_be_bytes());
        }
        let mac = hmac::sign(&self.key.key, &signed).as_ref().to_vec();
        let (name, algorithm) = (self.key.name.wire(), self.key.algorithm.wire());
        append(out, start, name, algorithm, &Told { time, fudge, mac: &mac, error, other });
        (self.mac, self.is_first) = (mac, false);
    }

    /// Checks the reply to a query of ours, and whether it is signed at all.
    pub(super) fn is_answer(&self, packet: &[u8], at: usize) -> bool {
        let Some(record) = Record::read(packet, at).filter(|_| HEADER <= at) else { return false };
        let Some(additionals) = u16_at(packet, HEADER - 2).and_then(|count| count.checked_sub(1)) else { return false };
        let mut signed = octets(self.mac.len()).to_vec();
        signed.extend_from_slice(&self.mac);
        let from = signed.len();
        signed.extend_from_slice(&packet[..at]);
        signed[from..from + 2].copy_from_slice(&record.id);
        signed[from + HEADER - 2..from + HEADER].copy_from_slice(&additionals.to_be_bytes());
        variables(&mut signed, &self.key, record.time, record.fudge, record.error, record.other);
        let is_ours = record.name == self.key.name && record.algorithm == self.key.algorithm;
        is_ours && hmac::verify(&self.key.key, &signed, record.mac).is_ok()
    }
}

impl Mistake {
    /// Octets that the record takes.
    pub(super) fn length(&self) -> usize {
        match &self.signing {
            Some(signing) => signing.length() + TIME,
            None => self.name.wire().len() + FIXED + self.algorithm.wire().len() + TIME + 2 + 2 + 2 + 2 + 2,
        }
    }

    /// The word of what is wrong, for people.
    pub(super) fn word(&self) -> &'static str {
        match self.error {
            error::BADSIG => "BADSIG",
            error::BADKEY => "BADKEY",
            error::BADTIME => "BADTIME",
            _ => "BADTRUNC",
        }
    }

    /// Ends the refusal that begins at `start`: the error, unsigned but for a wrong time (section 5.3.2).
    pub(super) fn put(self, out: &mut Vec<u8>, start: usize, now: u64) {
        let Self { name, algorithm, time, fudge, error, signing } = self;
        match signing {
            Some(mut signing) => signing.put(out, start, time, fudge, error, &time_of(now)),
            None => {
                let told = Told { time, fudge, mac: &[], error, other: &[] };
                append(out, start, name.wire(), algorithm.wire(), &told);
            }
        }
    }
}

impl<'p> Record<'p> {
    fn read(packet: &'p [u8], at: usize) -> Option<Self> {
        let (name, behind) = name_at(packet, at)?;
        let data_at = behind + FIXED;
        let data_end = data_at + usize::from(u16_at(packet, data_at - 2)?);
        let data = packet.get(..data_end)?;
        let (algorithm, fixed) = name_at(data, data_at)?;
        let time = data.get(fixed..fixed + TIME)?.try_into().ok()?;
        let mac_at = fixed + TIME + 4;
        let mac_end = mac_at + usize::from(u16_at(data, mac_at - 2)?);
        let other_at = mac_end + 6;
        Some(Self {
            name,
            algorithm,
            time,
            fudge: u16_at(data, fixed + TIME)?,
            mac: data.get(mac_at..mac_end)?,
            id: data.get(mac_end..mac_end + 2)?.try_into().ok()?,
            error: u16_at(data, mac_end + 2)?,
            other: data.get(other_at..other_at + usize::from(u16_at(data, other_at - 2)?))?,
        })
    }
}

/// What a record says beside its names and the id.
struct Told<'m> {
    time: [u8; TIME],
    fudge: u16,
    mac: &'m [u8],
    error: u16,
    other: &'m [u8],
}

/// Appends a TSIG to the message that begins at `start`.
fn append(out: &mut Vec<u8>, start: usize, name: &[u8], algorithm: &[u8], told: &Told<'_>) {
    let id = [out[start], out[start + 1]];
    out.extend_from_slice(name);
    out.extend_from_slice(&meta::TSIG.to_be_bytes());
    out.extend_from_slice(&meta::CLASS_ANY.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    let length_at = out.len();
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(algorithm);
    out.extend_from_slice(&told.time);
    out.extend_from_slice(&told.fudge.to_be_bytes());
    out.extend_from_slice(&octets(told.mac.len()));
    out.extend_from_slice(told.mac);
    out.extend_from_slice(&id);
    out.extend_from_slice(&told.error.to_be_bytes());
    out.extend_from_slice(&octets(told.other.len()));
    out.extend_from_slice(told.other);
    let length = octets(out.len() - length_at - 2);
    out[length_at..length_at + 2].copy_from_slice(&length);
    let counts = start + HEADER - 2;
    let additionals = u16_at(out, counts).unwrap_or(0) + 1;
    out[counts..counts + 2].copy_from_slice(&additionals.to_be_bytes());
}

/// What is signed beside the message (section 4.3.3).
fn variables(out: &mut Vec<u8>, key: &Key, time: [u8; TIME], fudge: u16, error: u16, other: &[u8]) {
    out.extend_from_slice(key.name.wire());
    out.extend_from_slice(&meta::CLASS_ANY.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(key.algorithm.wire());
    out.extend_from_slice(&time);
    out.extend_from_slice(&fudge.to_be_bytes());
    out.extend_from_slice(&error.to_be_bytes());
    out.extend_from_slice(&octets(other.len()));
    out.extend_from_slice(other);
}

fn octets(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("all parts of a TSIG come from one message").to_be_bytes()
}

fn time_of(now: u64) -> [u8; TIME] {
    let [_, _, time @ ..] = now.to_be_bytes();
    time
}

/// The name at a place, pointers followed, and where what is behind it begins. Each pointer leads further back than the
/// one before, so there is an end.
fn name_at(packet: &[u8], at: usize) -> Option<(DnsName, usize)> {
    let mut wire = Vec::new();
    let (mut at, mut behind, mut border) = (at, None, at);
    loop {
        let octet = usize::from(*packet.get(at)?);
        match octet {
            0 => break wire.push(0),
            1..=LABEL_LENGTH_MAX => {
                wire.extend_from_slice(packet.get(at..=at + octet)?);
                at += 1 + octet;
            }
            0xc0.. => {
                behind.get_or_insert(at + 2);
                at = usize::from(u16_at(packet, at)? & 0x3fff);
                if border <= at {
                    return None;
                }
                border = at;
            }
            _ => return None,
        }
        if NAME_LENGTH_MAX < wire.len() {
            return None;
        }
    }
    Some((DnsName::from_wire(&wire).ok()?, behind.unwrap_or(at + 1)))
}

#[cfg(test)]
mod tests;
