//! Enums of the model as the words people write: `#[serde(with = "word")]`.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

use crate::model::{Availability, Family, Health, PoolAnswer, Steer, WhenNone};

/// An enum with one word for each value.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// All of them.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of a value.
    fn text(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }

    /// The value of a word.
    fn read(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }
}

macro_rules! word {
    ($($type:ty),+) => {
        $(impl Word for $type {
            const WORDS: &'static [(&'static str, Self)] = Self::WORDS;
        })+
    };
}
word!(Availability, Health, PoolAnswer, Steer, WhenNone);

impl Word for Family {
    const WORDS: &'static [(&'static str, Self)] = &[("v4", Self::V4), ("v6", Self::V6)];
}

pub(crate) fn serialize<T: Word, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(value.text())
}

pub(crate) fn deserialize<'de, T: Word, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    T::read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is none of {}", listed::<T>())))
}

/// All words of an enum, for messages: `up, drain, down`.
pub(crate) fn listed<T: Word>() -> String {
    T::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

/// The same for a value that may be absent; with `skip_serializing_if` and `default`.
pub(crate) mod maybe {
    use serde::{Deserializer, Serializer};

    use super::Word;

    pub(crate) fn serialize<T: Word, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T: Word, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        super::deserialize(from).map(Some)
    }
}
