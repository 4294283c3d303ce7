//! Values as lines of `name value`, between this program and its generator, and in the file of raw rows.
//!
//! Why not serde: the whole program then builds in seconds, next to what it measures.

/// A value as one word.
pub trait Word: Sized {
    /// Without spaces.
    fn put(&self) -> String;
    /// What [`Word::put`] made.
    fn take(word: &str) -> Option<Self>;
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl Word for $kind {
            fn put(&self) -> String {
                self.to_string()
            }

            fn take(word: &str) -> Option<Self> {
                word.parse().ok()
            }
        }
    )*};
}

plain!(u16, i32, u64, usize, f64, String);

impl<T: Word> Word for Vec<T> {
    fn put(&self) -> String {
        self.iter().map(Word::put).collect::<Vec<_>>().join(",")
    }

    fn take(word: &str) -> Option<Self> {
        word.split(',').filter(|part| !part.is_empty()).map(Word::take).collect()
    }
}

impl<const N: usize> Word for [u64; N] {
    fn put(&self) -> String {
        self.to_vec().put()
    }

    fn take(word: &str) -> Option<Self> {
        Vec::take(word)?.try_into().ok()
    }
}

/// A structure that goes as lines and comes back.
macro_rules! lines {
    ($(#[$about:meta])* pub struct $name:ident { $($(#[$each:meta])* pub $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        pub struct $name { $($(#[$each])* pub $field: $kind,)* }

        impl $name {
            /// A line for each field.
            pub fn to_lines(&self) -> String {
                [$(format!("{} {}\n", stringify!($field), $crate::words::Word::put(&self.$field))),*].concat()
            }

            /// From such lines; nothing when one is missing.
            pub fn from_lines(text: &str) -> Option<Self> {
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                Some(Self { $($field: $crate::words::Word::take(field(stringify!($field))?)?,)* })
            }
        }
    };
}

pub(crate) use lines;
