//! The endpoints of steered names: they answer probes on loopback, with 200 until they are told otherwise.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{server::free_port, work};

/// They listen until this program ends.
pub struct Endpoints {
    /// The port of all of them.
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Whether what is asked at `/flip` gets 503.
    ill: AtomicBool,
    /// When `/flip` was first answered in the way that holds now.
    told: Mutex<Option<Instant>>,
}

impl Endpoints {
    /// On the addresses of the steered names, and on 127.0.0.1.
    pub fn start() -> anyhow::Result<Self> {
        let state = Arc::new(State::default());
        for _ in 0..20 {
            let port = free_port()?;
            let addresses = (0..work::WEIGHTS.len()).map(work::endpoint).chain([Ipv4Addr::LOCALHOST]);
            let Ok(listeners) = addresses.map(|ip| TcpListener::bind((ip, port))).collect::<Result<Vec<_>, _>>() else {
                continue;
            };
            for listener in listeners {
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    for stream in listener.incoming().flatten() {
                        // One at a time: probes are few, and short.
                        let _ = state.answer(stream);
                    }
                });
            }
            return Ok(Self { port, state });
        }
        None.context("no port is free on all the endpoints' addresses")
    }

    /// From now on `/flip` is ill, or well again.
    pub fn turn(&self, ill: bool) {
        let mut told = self.state.told.lock().expect("nobody panics with it");
        *told = None;
        self.state.ill.store(ill, Ordering::SeqCst);
    }

    /// When a probe was first told so.
    pub fn told(&self) -> Option<Instant> {
        *self.state.told.lock().expect("nobody panics with it")
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut room = [0; 2_048];
        let mut filled = 0;
        while !room[..filled].ends_with(b"\r\n\r\n") {
            match stream.read(&mut room[filled..])? {
                0 => return Ok(()),
                count => filled += count,
            }
        }
        let flip = room.starts_with(b"GET /flip ");
        let mut told = self.told.lock().expect("nobody panics with it");
        let ill = flip && self.ill.load(Ordering::SeqCst);
        let status = if ill { "503 Ill" } else { "200 OK" };
        if flip && told.is_none() {
            *told = Some(Instant::now());
        }
        drop(told);
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
    }
}
