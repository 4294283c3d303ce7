//! The Unix socket: made with its mode, taken over only from the dead, removed at the end.

use std::{
    env, fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use nix::{sys::stat::Mode, unistd::Group};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::BindError;

/// Owner and group: who can connect is admin.
const MODE: u32 = 0o660;
/// The group that is let in when the node runs as root.
const GROUP: &str = "wayshift";

/// A socket's file that is ours, removed with this.
#[derive(Debug)]
pub(in crate::admin) struct Claim {
    path: PathBuf,
    inode: u64,
}

impl Claim {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A successor may have put its own socket there.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The default path, and behind it the user's own.
pub(super) fn default_paths(default: PathBuf) -> impl Iterator<Item = PathBuf> {
    let own = env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("wayshift/admin.sock"));
    [Some(default), own.filter(|path| path.is_absolute())].into_iter().flatten()
}

/// A default path's folder is made where it can be; whether it is there shows when the socket is made.
pub(super) fn make_folder(path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = fs::DirBuilder::new().mode(0o755).create(folder);
    }
}

pub(super) fn listen(path: PathBuf) -> Result<(UnixListener, Claim), BindError> {
    let failed = |source| BindError::Unix { path: path.clone(), source };
    clear(&path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // The file gets the mode that the socket has before it is bound (unix(7)): at no moment is it open to others.
    nix::sys::stat::fchmod(&socket, Mode::from_bits_truncate(0o600)).map_err(|e| failed(e.into()))?;
    let make = || -> io::Result<(UnixListener, u64)> {
        socket.bind(&SockAddr::unix(&path)?)?;
        if nix::unistd::geteuid().is_root()
            && let Ok(Some(group)) = Group::from_name(GROUP)
        {
            std::os::unix::fs::chown(&path, None, Some(group.gid.as_raw()))?;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(MODE))?;
        let inode = fs::symlink_metadata(&path)?.ino();
        socket.set_nonblocking(true)?;
        socket.listen(1024)?;
        Ok((UnixListener::from_std(socket.into())?, inode))
    };
    let (listener, inode) = make().map_err(failed)?;
    Ok((listener, Claim { path, inode }))
}

/// Removes what a dead process left; refuses when someone answers or when it is no socket.
fn clear(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Unix { path: path.to_path_buf(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotSocket(path.to_path_buf())),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::Taken(path.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_taken_over_only_from_the_dead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let (listener, claim) = listen(path.clone()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(matches!(listen(path.clone()), Err(BindError::Taken(_))));
        drop(listener);
        std::mem::forget(claim);
        assert!(path.exists(), "as after kill -9");
        let (listener, claim) = listen(path.clone()).unwrap();
        drop((listener, claim));
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(path.clone()), Err(BindError::NotSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
