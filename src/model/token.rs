//! API tokens: their form and their hash. Making one takes 32 octets of chance from the caller.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use super::ID_LENGTH_MAX;

/// Octets of chance in a token.
pub const TOKEN_SECRET_OCTETS: usize = 32;
/// The same in base64url.
const SECRET_CHARACTERS: usize = 43;

/// A token `ws_<name>_<43 characters>`; shown once, kept nowhere. `None` when the name is no name of a token: 1 to 63 of
/// a-z, A-Z, 0-9 and `-`.
#[must_use]
pub fn new_token(name: &str, secret: &[u8; TOKEN_SECRET_OCTETS]) -> Option<String> {
    is_name(name).then(|| format!("ws_{name}_{}", BASE64URL_NOPAD.encode(secret)))
}

/// Whether a text has a token's form; anything else is not even hashed.
#[must_use]
pub fn is_token(text: &str) -> bool {
    let parts = text.strip_prefix("ws_").and_then(|rest| rest.split_once('_'));
    parts.is_some_and(|(name, secret)| {
        is_name(name)
            && secret.len() == SECRET_CHARACTERS
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

/// What is kept of a token: the SHA-256 of the whole of it. A random secret of 256 bits needs no slow hash.
#[must_use]
pub fn hash_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn is_name(name: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_one_form() {
        let token = new_token("web-oncall", &[7; TOKEN_SECRET_OCTETS]).unwrap();
        assert!(is_token(&token), "{token}");
        for other in ["", "ws_", "ws_a", "ws__x", &token[1..], &format!("{token}x"), &token.replace("web", "w b")] {
            assert!(!is_token(other), "{other}");
        }
        for name in ["", "a_b", "a b", &"x".repeat(64)] {
            assert_eq!(new_token(name, &[7; TOKEN_SECRET_OCTETS]), None, "{name}");
        }
        assert_ne!(hash_token(&token), hash_token(&token[1..]));
    }
}
