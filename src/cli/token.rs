//! `token hash`: makes a token, or hashes one, for `[[admin.token]]`. Offline; the token is shown once and kept nowhere.

use data_encoding::HEXLOWER;
use serde_json::json;

use super::{
    args::{Format, operate::HashArgs},
    ending::{Exit, Failure},
    screen::{Screen, table::Table},
};
use crate::model::{ID_LENGTH_MAX, TOKEN_SECRET_OCTETS, hash_token, is_token, new_token};

/// Longest input that is looked at, in octets; a longer one is no token.
const INPUT_MAX: u64 = 4096;

/// Prints the hash, and the token if it was made here.
pub(super) fn run(args: &HashArgs, screen: &mut Screen) -> Result<Exit, Failure> {
    if !args.new {
        if screen.interactive {
            screen.note("reading a token from the standard input; --new makes one");
        }
        let token = read(screen)?;
        return show(None, &hash(&token), args, screen);
    }
    let name = args.name.as_deref().unwrap_or("token");
    let mut secret = [0; TOKEN_SECRET_OCTETS];
    getrandom::fill(&mut secret)
        .map_err(|error| Failure::new(Exit::Failed, format!("the system gives no random octets: {error}")))?;
    let Some(token) = new_token(name, &secret) else {
        return Err(Failure::usage(format!("`{name}` is no name of a token"))
            .hint(format!("a name has 1 to {ID_LENGTH_MAX} of a-z, A-Z, 0-9 and `-`")));
    };
    show(Some(&token), &hash(&token), args, screen)
}

fn read(screen: &mut Screen) -> Result<String, Failure> {
    let text = screen
        .input(INPUT_MAX)
        .map_err(|error| Failure::new(Exit::Failed, format!("could not read the token: {error}")))?;
    let token = text.trim();
    if is_token(token) {
        return Ok(token.to_owned());
    }
    Err(Failure::usage("that is no token: a token is ws_<name>_<43 characters>")
        .hint("`wayshift token hash --new --name grafana` makes one"))
}

/// What stands in the configuration: of the whole token.
fn hash(token: &str) -> String {
    format!("sha256:{}", HEXLOWER.encode(&hash_token(token)))
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
        assert!(is_token(&token) && token.starts_with("ws_grafana_"), "{token}");
        assert!(
            messages.text().contains(&format!("name = \"grafana\"\nrole = \"viewer\"\nhash = \"{}\"", hash(&token)))
        );
        assert!(!messages.text().contains(&token));
    }

    #[test]
    fn a_token_of_ones_own_is_read_and_hashed() {
        let stdin = HashArgs { new: false, ..args(None) };
        let token = "ws_a_0123456789012345678901234567890123456789012";
        let (mut screen, out, _) =
            doubles::screen(Format::Table, Some("ws_a_0123456789012345678901234567890123456789012\n"));
        assert_eq!(run(&stdin, &mut screen), Ok(Exit::Done));
        assert_eq!(out.text(), format!("{}\n", hash(token)));
        let (mut screen, ..) = doubles::screen(Format::Table, Some("hunter2\n"));
        assert_eq!(run(&stdin, &mut screen).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn names_that_would_break_the_token_are_refused() {
        for name in ["", "a_b", "a b", "ä", &"x".repeat(64), "\u{1b}[2J"] {
            let (mut screen, ..) = doubles::screen(Format::Table, None);
            assert_eq!(run(&args(Some(name)), &mut screen).unwrap_err().exit, Exit::Usage, "{name:?}");
        }
        for token in ["", "abc", "ws__x", "ws_a_short", &format!("ws_a_{}", "x".repeat(44))] {
            assert!(!is_token(token), "{token}");
        }
    }
}
