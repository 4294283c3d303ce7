//! Tokens: how they are made, hashed, and kept for the first admin.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    config::{AdminToken, Role},
    model::{TOKEN_SECRET_OCTETS, hash_token, is_token, new_token},
};

/// The token of the first admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstToken {
    /// Where it lies; its path is logged, its content never.
    pub path: PathBuf,
    /// What it is known by.
    pub hash: [u8; 32],
    /// It was made just now.
    pub fresh: bool,
}

impl FirstToken {
    /// As one of the tokens in force, beside or instead of those of the configuration.
    #[must_use]
    pub fn into_token(self) -> AdminToken {
        AdminToken { name: "admin".into(), role: Role::Admin, scope: Vec::new(), hash: self.hash, expires: None }
    }
}

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file or its folder refuses.
    #[error("the token file {path} cannot be read or made")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else is in it.
    #[error("the file {path} holds no token; remove it and a new one is made")]
    Content {
        /// Which.
        path: PathBuf,
    },
    /// Others can read it.
    #[error(
        "the token file {path} is open to others (mode {mode:o}); `chmod 600` it, or remove it and a new one is made"
    )]
    Mode {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// The token in `<folder>/admin.token`, made at the first start when the configuration names none. Mode 0600; a file
/// that others can read is refused rather than trusted.
///
/// # Errors
/// [`TokenFileError`]; the API then runs without TCP access and the Unix socket goes on.
pub fn ensure_admin_token(folder: &Path) -> Result<FirstToken, TokenFileError> {
    let path = folder.join("admin.token");
    let failed = |source| TokenFileError::File { path: path.clone(), source };
    match fs::File::open(&path) {
        Ok(file) => {
            let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(TokenFileError::Mode { path, mode });
            }
            let mut text = String::new();
            file.take(4096).read_to_string(&mut text).map_err(failed)?;
            let token = text.trim();
            if !is_token(token) {
                return Err(TokenFileError::Content { path });
            }
            Ok(FirstToken { hash: hash_token(token), path, fresh: false })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = fresh();
            let half = folder.join(".admin.token.new");
            match fs::remove_file(&half) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                Ok(()) | Err(_) => {}
            }
            let write = || -> io::Result<()> {
                let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
                writeln!(file, "{token}")?;
                file.sync_all()?;
                fs::rename(&half, &path)?;
                fs::File::open(folder)?.sync_all()
            };
            write().map_err(failed)?;
            Ok(FirstToken { hash: hash_token(&token), path, fresh: true })
        }
        Err(error) => Err(failed(error)),
    }
}

/// # Panics
/// When the system has no randomness: going on would make guessable tokens.
fn fresh() -> String {
    let mut secret = [0; TOKEN_SECRET_OCTETS];
    getrandom::fill(&mut secret).expect("the system gives randomness");
    new_token("admin", &secret).expect("`admin` is a token's name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_form_and_differ() {
        let (one, two) = (fresh(), fresh());
        assert!(is_token(&one) && is_token(&two) && one != two, "{one} {two}");
    }

    #[test]
    fn the_admin_token_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = ensure_admin_token(folder.path()).unwrap();
        let again = ensure_admin_token(folder.path()).unwrap();
        assert!(first.fresh && !again.fresh);
        assert_eq!(first.hash, again.hash);
        let text = fs::read_to_string(&first.path).unwrap();
        assert_eq!(hash_token(text.trim()), first.hash);
        assert_eq!(fs::metadata(&first.path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&first.path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(ensure_admin_token(folder.path()), Err(TokenFileError::Mode { mode: 0o644, .. })));
        fs::set_permissions(&first.path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&first.path, "password").unwrap();
        assert!(matches!(ensure_admin_token(folder.path()), Err(TokenFileError::Content { .. })));
    }
}
