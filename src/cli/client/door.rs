//! Finding the node: flags, then the environment, then the Unix sockets.

use std::{
    fmt, io,
    net::IpAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use reqwest::Url;

use super::super::{
    args::At,
    ending::{Exit, Failure},
};
use crate::model::Secret;

/// Longest token file, in octets; a longer file is no token.
const TOKEN_FILE_MAX: u64 = 4096;
/// The socket of a node that runs as a system service.
const SYSTEM_SOCKET: &str = "/run/wayshift/admin.sock";

/// Where a node is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Door {
    /// The URL below which `/v1` stands.
    pub(super) url: Url,
    /// The Unix socket that is connected to instead of the URL's host.
    pub(super) socket: Option<PathBuf>,
    /// The bearer token.
    pub(super) token: Option<Secret>,
}

/// What the environment says; a value of its own, so that finding is a function.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Surroundings {
    /// `WAYSHIFT_NODE_URL`.
    pub(in crate::cli) url: Option<String>,
    /// `XDG_RUNTIME_DIR`.
    pub(in crate::cli) runtime_dir: Option<PathBuf>,
    /// The socket of a node that runs as a system service; none in tests, which must not meet one.
    pub(in crate::cli) system_socket: Option<PathBuf>,
}

impl Surroundings {
    /// Of this process.
    pub(in crate::cli) fn of_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            url: text("WAYSHIFT_NODE_URL"),
            runtime_dir: text("XDG_RUNTIME_DIR").map(PathBuf::from),
            system_socket: Some(SYSTEM_SOCKET.into()),
        }
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let own = self.runtime_dir.as_ref().map(|folder| folder.join("wayshift/admin.sock"));
        self.system_socket.iter().cloned().chain(own).collect()
    }
}

impl Door {
    /// The first that is named, or the first socket on which somebody listens.
    pub(in crate::cli) fn find(at: &At, around: &Surroundings) -> Result<Self, Failure> {
        // An empty variable is one that is not set.
        let file = at.token_file.as_deref().filter(|file| !file.is_empty());
        let token = || file.map(|file| token(file.as_ref())).transpose();
        if let Some(path) = &at.socket {
            return Ok(Self::at_socket(path.clone(), token()?));
        }
        if let Some(text) = at.url.as_ref().or(around.url.as_ref()) {
            return Self::at_url(text, token()?);
        }
        let mut failure = Failure::new(Exit::Unreachable, "no node answers on this machine's sockets");
        for path in around.sockets() {
            match UnixStream::connect(&path) {
                // Who may connect is admin: a token that is still around would only make less of it.
                Ok(_) => return Ok(Self::at_socket(path, None)),
                Err(error) => {
                    if error.kind() == io::ErrorKind::PermissionDenied {
                        failure.exit = Exit::NotAllowed;
                    }
                    failure = failure.detail(format!("{}: {}", path.display(), said(&error)));
                }
            }
        }
        Err(failure.hint(match failure_hint(around) {
            Some(hint) => hint,
            None => "name one: --node URL with --token-file FILE, or --socket PATH; `wayshift serve` starts one".into(),
        }))
    }

    fn at_socket(path: PathBuf, token: Option<Secret>) -> Self {
        let url = Url::parse("http://localhost/").expect("the text is a URL");
        Self { url, socket: Some(path), token }
    }

    fn at_url(text: &str, token: Option<Secret>) -> Result<Self, Failure> {
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let wrong = |why: String| {
            Failure::usage(format!("`{text}` is no address of a node: {why}"))
                .hint("it looks like http://127.0.0.1:8653 or https://wayshift.example.com")
        };
        let url = Url::parse(&full).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("`{}` is neither http nor https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a password; tokens come from --token-file".into()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it ends with its path".into()));
        }
        Ok(Self { url, socket: None, token })
    }

    /// On this machine, where no proxy belongs in between.
    pub(super) fn is_local(&self) -> bool {
        self.socket.is_some() || self.url.host_str().is_some_and(is_loopback)
    }

    /// A token that anybody on the way can read, and whose.
    pub(in crate::cli) fn warning(&self) -> Option<String> {
        let exposed = self.token.is_some() && self.url.scheme() == "http" && !self.is_local();
        exposed.then(|| format!("warning: the token goes unencrypted to {self}; use https or an SSH tunnel"))
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "{}", path.display()),
            None => f.write_str(self.url.as_str().trim_end_matches('/')),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn failure_hint(around: &Surroundings) -> Option<String> {
    let denied = |path: PathBuf| {
        UnixStream::connect(&path).err().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    around
        .sockets()
        .into_iter()
        .any(denied)
        .then(|| "who may connect is admin: become a member of the group wayshift, or use sudo".to_owned())
}

fn token(path: &Path) -> Result<Secret, Failure> {
    use io::Read as _;
    let wrong = |why: String| {
        Failure::usage(format!("the token file {}: {why}", path.display()))
            .hint("a node without `[[admin.token]]` wrote one to <store.path>/admin.token")
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(TOKEN_FILE_MAX + 1).read_to_string(&mut text))
        .map_err(|error| wrong(said(&error)))?;
    let token = text.trim();
    if token.is_empty() || text.len() as u64 > TOKEN_FILE_MAX || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(wrong("it holds no token: one line without spaces".into()));
    }
    Ok(Secret::new(token.into()))
}

/// An error of the system in its own words, without the number.
pub(in crate::cli) fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: Option<&str>) -> At {
        At { url: url.map(Into::into), ..At::default() }
    }

    #[test]
    fn urls_are_taken_as_people_write_them() {
        let rows = [
            ("http://127.0.0.1:8653", Some(("http://127.0.0.1:8653", true))),
            ("127.0.0.1:8653", Some(("http://127.0.0.1:8653", true))),
            ("http://[::1]:8653/", Some(("http://[::1]:8653", true))),
            ("localhost:1", Some(("http://localhost:1", true))),
            ("https://ops.example.com/wayshift", Some(("https://ops.example.com/wayshift", false))),
            ("ftp://x", None),
            ("http://ws_a:b@x", None),
            ("http://x/?token=1", None),
            ("http://", None),
        ];
        for (text, expected) in rows {
            let found = Door::find(&at(Some(text)), &Surroundings::default());
            match expected {
                Some((shown, local)) => {
                    let door = found.unwrap();
                    assert_eq!((door.to_string().as_str(), door.is_local()), (shown, local), "{text}");
                }
                None => assert_eq!(found.unwrap_err().exit, Exit::Usage, "{text}"),
            }
        }
    }

    #[test]
    fn flags_stand_before_the_environment() {
        let around = Surroundings { url: Some("http://b".into()), ..Surroundings::default() };
        assert_eq!(Door::find(&at(Some("http://a")), &around).unwrap().to_string(), "http://a");
        assert_eq!(Door::find(&at(None), &around).unwrap().to_string(), "http://b");
        let socket = At { socket: Some("/x.sock".into()), ..At::default() };
        assert_eq!(Door::find(&socket, &around).unwrap().to_string(), "/x.sock");
    }

    #[test]
    fn without_a_name_the_sockets_are_tried_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let around = Surroundings { runtime_dir: Some(folder.path().into()), ..Surroundings::default() };
        let failure = Door::find(&at(None), &around).unwrap_err();
        let own = folder.path().join("wayshift/admin.sock");
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.details.iter().any(|line| line.contains(&own.display().to_string())), "{failure}");

        std::fs::create_dir(folder.path().join("wayshift")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&own).unwrap();
        assert_eq!(Door::find(&at(None), &around).unwrap().socket.as_deref(), Some(own.as_path()));
    }

    #[test]
    fn a_token_is_one_line_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let find = || {
            Door::find(
                &At { token_file: Some(path.clone().into()), ..at(Some("http://ops.example.com")) },
                &Surroundings::default(),
            )
        };
        assert_eq!(find().unwrap_err().exit, Exit::Usage);
        for (text, good) in [("ws_a_b\n", true), ("", false), ("two words", false), (&"x".repeat(5000), false)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(find().is_ok(), good, "{text:?}");
        }
        std::fs::write(&path, "ws_a_b\n").unwrap();
        let door = find().unwrap();
        assert_eq!(door.token.as_ref().unwrap().reveal(), "ws_a_b");
        assert!(door.warning().unwrap().contains("unencrypted"), "a token over plain http is warned of");
        assert!(!format!("{door:?}").contains("ws_a_b"));
    }
}
