//! Scripted HTTP endpoints: every address of a site answers `200 ok` on port 80 until it is told to be dead.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::place::Place;

/// All endpoints of one site.
pub(crate) struct Endpoints {
    dead: Arc<Mutex<HashSet<Ipv4Addr>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoints {
    pub(crate) fn serve(place: &Place) -> Self {
        let dead = Arc::new(Mutex::new(HashSet::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let listener = place.run(|| TcpListener::bind("0.0.0.0:80")).expect("port 80 of an own network is free");
        listener.set_nonblocking(true).unwrap();
        let (gone, end) = (Arc::clone(&dead), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut ready, PollTimeout::from(100_u16));
                while let Ok((stream, _)) = listener.accept() {
                    let Ok(IpAddr::V4(own)) = stream.local_addr().map(|address| address.ip()) else { continue };
                    if gone.lock().unwrap_or_else(PoisonError::into_inner).contains(&own) {
                        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                        continue;
                    }
                    thread::spawn(move || answer(stream));
                }
            }
        });
        Self { dead, ended, thread: Some(thread) }
    }

    /// From now on it resets what connects.
    pub(crate) fn kill(&self, address: Ipv4Addr) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    pub(crate) fn revive_all(&self) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let (mut seen, mut part) = (Vec::new(), [0; 1024]);
    while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(read) => seen.extend_from_slice(&part[..read]),
        }
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}
