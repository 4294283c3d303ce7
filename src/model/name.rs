//! Domain names, as lower-case wire bytes: what the answer table is keyed by.

mod hash;

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

pub use self::hash::NameHash;

/// Longest name on the wire, in octets with the root (RFC 1035 section 2.3.4).
pub const NAME_LENGTH_MAX: usize = 255;
/// Longest label, in octets (RFC 1035 section 2.3.4).
pub const LABEL_LENGTH_MAX: usize = 63;

/// An absolute name: uncompressed wire form with its final zero octet, ASCII letters in lower case
/// (RFC 4343), so that equal names are equal bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<[u8]>);

/// Names are looked up by their wire form, so that parts of one need not become names: both hash and compare alike.
impl Borrow<[u8]> for DnsName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Why a text or bytes are no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Two dots in a row, or nothing at all.
    #[error("a name has an empty label")]
    EmptyLabel,
    /// A label beyond [`LABEL_LENGTH_MAX`].
    #[error("a label has at most 63 octets")]
    LabelTooLong,
    /// A name beyond [`NAME_LENGTH_MAX`].
    #[error("a name has at most 255 octets")]
    TooLong,
    /// A backslash that is followed by neither three digits up to 255 nor one character.
    #[error("a backslash is followed by three digits or one character")]
    Escape,
    /// Bytes that are not exactly one uncompressed name.
    #[error("the bytes are not one uncompressed name")]
    Wire,
}

impl DnsName {
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from([0_u8].as_slice()))
    }

    /// Takes exactly one uncompressed name; letters are lower-cased.
    ///
    /// # Errors
    /// [`NameError::Wire`] when the bytes are anything else.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.len() > NAME_LENGTH_MAX {
            return Err(NameError::TooLong);
        }
        let mut at = 0;
        loop {
            let length = usize::from(*bytes.get(at).ok_or(NameError::Wire)?);
            if length > LABEL_LENGTH_MAX {
                return Err(NameError::Wire);
            }
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
        if at != bytes.len() {
            return Err(NameError::Wire);
        }
        // Length octets are at most 63 and so below `A`: lowering every octet changes letters alone.
        Ok(Self(bytes.to_ascii_lowercase().into()))
    }

    /// The wire bytes, root octet included.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.0)
    }

    /// How many labels, the root not counted.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its first label; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match usize::from(self.0[0]) {
            0 => None,
            length => Some(Self(self.0[1 + length..].into())),
        }
    }

    /// Whether this name is `apex` or lies below it.
    #[must_use]
    pub fn is_within(&self, apex: &Self) -> bool {
        name_is_within(&self.0, &apex.0)
    }

    /// Whether the first label is `*` (RFC 4592 section 2.1.1).
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// `label` put in front.
    ///
    /// # Errors
    /// [`NameError`] when the label or the whole grows too long.
    pub fn prepend(&self, label: &[u8]) -> Result<Self, NameError> {
        let length = match u8::try_from(label.len()) {
            Ok(0) => return Err(NameError::EmptyLabel),
            Ok(length) if label.len() <= LABEL_LENGTH_MAX => length,
            _ => return Err(NameError::LabelTooLong),
        };
        if label.len() + 1 + self.0.len() > NAME_LENGTH_MAX {
            return Err(NameError::TooLong);
        }
        let mut bytes = Vec::with_capacity(1 + label.len() + self.0.len());
        bytes.push(length);
        bytes.extend(label.to_ascii_lowercase());
        bytes.extend_from_slice(&self.0);
        Ok(Self(bytes.into()))
    }

    /// A relative or absolute text under `origin`: `@` is the origin, a final dot makes it absolute.
    ///
    /// # Errors
    /// [`NameError`] as for parsing.
    pub fn under(text: &str, origin: &Self) -> Result<Self, NameError> {
        if text == "@" {
            return Ok(origin.clone());
        }
        if text.ends_with('.') && !text.ends_with("\\.") {
            return text.parse();
        }
        let relative: Self = text.parse()?;
        let mut bytes = relative.0[..relative.0.len() - 1].to_vec();
        bytes.extend_from_slice(&origin.0);
        if bytes.len() > NAME_LENGTH_MAX { Err(NameError::TooLong) } else { Ok(Self(bytes.into())) }
    }

    /// The same, with the wire form written over what is in `out`: whoever reads a million names keeps none of them.
    ///
    /// # Errors
    /// [`NameError`] as for parsing.
    pub fn write_under(text: &str, origin: &Self, out: &mut Vec<u8>) -> Result<(), NameError> {
        if !plain_under(text.as_bytes(), origin, out) {
            let name = Self::under(text, origin)?;
            out.clear();
            out.extend_from_slice(name.wire());
        }
        Ok(())
    }
}

/// Writes a name that has neither escapes nor mistakes; `false` for any other.
fn plain_under(text: &[u8], origin: &DnsName, out: &mut Vec<u8>) -> bool {
    let (labels, end) = match text.strip_suffix(b".") {
        Some(absolute) => (absolute, &[0][..]),
        None => (text, origin.wire()),
    };
    if text == b"@" || labels.contains(&b'\\') {
        return false;
    }
    out.clear();
    for label in labels.split(|byte| *byte == b'.') {
        match u8::try_from(label.len()) {
            Ok(length @ 1..) if label.len() <= LABEL_LENGTH_MAX => out.push(length),
            Ok(_) | Err(_) => return false,
        }
        out.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    out.extend_from_slice(end);
    out.len() <= NAME_LENGTH_MAX
}

/// Whether an uncompressed wire name is `apex` or lies below it; letters of both in one case.
#[must_use]
pub fn name_is_within(wire: &[u8], apex: &[u8]) -> bool {
    std::iter::successors(Some(wire), |name| name_parent(name)).any(|name| name == apex)
}

/// An uncompressed wire name without its first label; `None` at the root.
#[must_use]
pub fn name_parent(wire: &[u8]) -> Option<&[u8]> {
    match usize::from(*wire.first()?) {
        0 => None,
        length => wire.get(1 + length..),
    }
}

/// The labels of an uncompressed wire name, from the left, without the root.
pub fn labels(mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::from(*wire.first()?);
        if length == 0 {
            return None;
        }
        let label = wire.get(1..=length)?;
        wire = &wire[1 + length..];
        Some(label)
    })
}

impl FromStr for DnsName {
    type Err = NameError;

    /// Presentation form (RFC 1035 section 5.1) with `\DDD` and `\X`; the final dot may be left out.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "." {
            return Ok(Self::root());
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut label = Vec::new();
        let mut bytes = text.bytes().peekable();
        let mut close = |label: &mut Vec<u8>| -> Result<(), NameError> {
            match u8::try_from(label.len()) {
                Ok(0) => return Err(NameError::EmptyLabel),
                Ok(length) if label.len() <= LABEL_LENGTH_MAX => wire.push(length),
                _ => return Err(NameError::LabelTooLong),
            }
            wire.append(label);
            Ok(())
        };
        while let Some(byte) = bytes.next() {
            match byte {
                b'.' => {
                    close(&mut label)?;
                    if bytes.peek().is_none() {
                        break;
                    }
                }
                b'\\' => label.push(unescaped(&mut bytes)?),
                other => label.push(other.to_ascii_lowercase()),
            }
        }
        if !label.is_empty() || text.is_empty() {
            close(&mut label)?;
        }
        wire.push(0);
        if wire.len() > NAME_LENGTH_MAX { Err(NameError::TooLong) } else { Ok(Self(wire.into())) }
    }
}

fn unescaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, NameError> {
    let first = bytes.next().ok_or(NameError::Escape)?;
    if !first.is_ascii_digit() {
        return Ok(first.to_ascii_lowercase());
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        match bytes.next() {
            Some(digit) if digit.is_ascii_digit() => value = value * 10 + u16::from(digit - b'0'),
            _ => return Err(NameError::Escape),
        }
    }
    u8::try_from(value).map(|byte| byte.to_ascii_lowercase()).map_err(|_| NameError::Escape)
}

impl fmt::Display for DnsName {
    /// Presentation form with a final dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &byte in label {
                match byte {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => write!(f, "\\{}", char::from(byte))?,
                    0x21..=0x7e => write!(f, "{}", char::from(byte))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_lower_case_and_absolute() {
        let name: DnsName = "WWW.Example.com".parse().unwrap();
        assert_eq!(name.to_string(), "www.example.com.");
        assert_eq!(name, "www.example.com.".parse().unwrap());
        let apex: DnsName = "example.com".parse().unwrap();
        assert!(name.is_within(&apex) && apex.is_within(&apex) && !apex.is_within(&name));
        assert!(!"wwwexample.com".parse::<DnsName>().unwrap().is_within(&apex));
        assert_eq!(DnsName::under("@", &apex).unwrap(), apex);
        assert_eq!(DnsName::under("www", &apex).unwrap(), name);
    }

    #[test]
    fn limits_of_rfc_1035_hold() {
        assert_eq!("a..b".parse::<DnsName>(), Err(NameError::EmptyLabel));
        assert_eq!("".parse::<DnsName>(), Err(NameError::EmptyLabel));
        assert_eq!("x".repeat(64).parse::<DnsName>(), Err(NameError::LabelTooLong));
        let long = ["x".repeat(63), "x".repeat(63), "x".repeat(63), "x".repeat(61)].join(".");
        assert_eq!(long.parse::<DnsName>().unwrap().wire().len(), 255);
        assert_eq!(format!("{long}x").parse::<DnsName>(), Err(NameError::TooLong));
        assert_eq!("a\\256".parse::<DnsName>(), Err(NameError::Escape));
    }

    proptest! {
        #[test]
        fn names_are_written_as_they_are_made(text in "[a-cB@.\\\\0-9]{0,12}|[a.]{0,300}") {
            let origin: DnsName = "Example.com".parse().unwrap();
            let mut out = b"left over".to_vec();
            let written = DnsName::write_under(&text, &origin, &mut out).map(|()| out);
            prop_assert_eq!(written, DnsName::under(&text, &origin).map(|name| name.wire().to_vec()));
        }

        #[test]
        fn any_name_is_read_back_as_shown(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..6)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend(label);
            }
            wire.push(0);
            let name = DnsName::from_wire(&wire).unwrap();
            prop_assert_eq!(name.to_string().parse::<DnsName>().unwrap(), name);
        }
    }
}
