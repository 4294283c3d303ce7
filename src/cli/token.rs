//! `token hash`: makes a token, or hashes one, for `[[admin.token]]`. Offline; the token is shown once and kept nowhere.

use std::io::Read as _;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    args::{Format, operate::HashArgs},
    ending::{Exit, Failure},
    screen::{Screen, table::Table},
};
use crate::model::ID_LENGTH_MAX;

/// Octets of chance in a token; 43 characters of base64url.
const SECRET_OCTETS: usize = 32;
const SECRET_CHARACTERS: usize = 43;
/// Longest input that is looked at, in octets; a longer one is no token.
const INPUT_MAX: u64 = 4096;

/// Prints the hash, and the token if it was made here.
pub(super) fn run(args: &HashArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    if !args.new {
        if screen.interactive {
            screen.note("reading a token from the standard input; --new makes one");
        }
        let token = read()?;
        return show(None, &hash(&token), args, screen);
    }
    let name = args.name.as_deref().unwrap_or("token");
    let id: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(ID_LENGTH_MAX).collect();
    if id.is_empty() || id != name {
        return Err(Failure::usage(format!("`{name}` is no name of a token"))
            .hint(format!("a name has 1 to {ID_LENGTH_MAX} of a-z, A-Z, 0-9 and `-`")));
    }
    let mut secret = [0; SECRET_OCTETS];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::new(Exit::Failed, format!("the system gives no random octets: {error}")))?;
    let token = format!("ws_{id}_{}", BASE64URL_NOPAD.encode(&secret));
    show(Some(&token), &hash(&token), args, screen)
}

fn read() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(INPUT_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Exit::Failed, format!("could not read the token: {error}")))?;
    let token = text.trim();
    if well_formed(token) {
        return Ok(token.to_owned());
    }
    Err(Failure::usage("that is no token: a token is ws_<name>_<43 characters>")
        .hint("`wayshift token hash --new --name grafana` makes one"))
}

/// The form a node asks for; anything else it does not even hash.
fn well_formed(token: &str) -> bool {
    let Some((id, secret)) = token.strip_prefix("ws_").and_then(|rest| rest.split_once('_')) else { return false };
    (1..=ID_LENGTH_MAX).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && secret.len() == SECRET_CHARACTERS
        && secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// What stands in the configuration: of the whole token.
fn hash(token: &str) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(token.as_bytes())))
}

fn show(token: Option<&str>, hash: &str, args: &HashArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    let raw = match token {
        Some(token) => json!({ "token": token, "hash": hash }).to_string(),
        None => json!({ "hash": hash }).to_string(),
    };
    let fields = || {
        let mut table = Table::new(&["TOKEN", "HASH"]);
        table.row([token.unwrap_or_default().into(), hash.into()]);
        Ok(table)
    };
    screen.show(&raw, |_| Ok(token.map_or_else(|| format!("{hash}\n"), |token| format!("{token}\n"))), fields)?;
    if token.is_some() && screen.format == Format::Table {
        let name = args.name.as_deref().unwrap_or("token");
        screen.note("this is the token; it is shown once. The node gets only its hash:\n");
        screen.note(&format!("[[admin.token]]\nname = \"{name}\"\nrole = \"{}\"\nhash = \"{hash}\"\n", args.role));
        screen.note("hint: keep the token in a file of mode 0600 and name it with WAYSHIFT_TOKEN_FILE");
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::doubles;

    fn args(name: Option<&str>) -> HashArgs {
        HashArgs { new: true, name: name.map(Into::into), role: "viewer".into(), manner: Default::default() }
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_token() {
        // The first example of FIPS 180-2, appendix B.
        assert_eq!(hash("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_new_token_is_data_and_its_lines_are_messages() {
        let (mut screen, out, messages) = doubles::screen(Format::Table, None);
        run(&args(Some("grafana")), &mut screen).unwrap();
        let token = out.text().trim().to_owned();
        assert!(well_formed(&token) && token.starts_with("ws_grafana_"), "{token}");
        assert!(
            messages.text().contains(&format!("name = \"grafana\"\nrole = \"viewer\"\nhash = \"{}\"", hash(&token)))
        );
        assert!(!messages.text().contains(&token));
    }

    #[test]
    fn names_that_would_break_the_token_are_refused() {
        for name in ["", "a_b", "a b", "ä", &"x".repeat(64), "\u{1b}[2J"] {
            let (mut screen, ..) = doubles::screen(Format::Table, None);
            assert_eq!(run(&args(Some(name)), &mut screen).unwrap_err().exit, Exit::Usage, "{name:?}");
        }
        for token in ["", "abc", "ws__x", "ws_a_short", &format!("ws_a_{}", "x".repeat(44))] {
            assert!(!well_formed(token), "{token}");
        }
    }
}
