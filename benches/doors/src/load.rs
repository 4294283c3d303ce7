//! The generator: puts a load on a server and measures what comes back and what it cost the server.
//!
//! A process of its own, pinned to its own core. It spins: a generator that slept would be woken by the server's
//! sends, and the server would be charged for it. How much of its time found nothing to do is its slack; a generator
//! without slack beside a server that is not busy is the bottleneck, and the report says so.

mod meter;
mod stream;
mod udp;

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::{Context as _, bail};

use crate::{
    words::lines,
    work::{Job, Manner, Queries},
};

/// The first half of addresses within this program's own network namespaces.
pub const PRIVATE: [u8; 2] = [10, 99];

lines! {
/// What to do; comes as lines on standard input.
#[derive(Debug)]
pub struct Order {
    /// Key of the job.
    pub job: String,
    /// Where the server listens: on loopback, or in a network namespace of this program.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The server's processes.
    pub pids: Vec<i32>,
    /// The server's core.
    pub core: usize,
    /// How long it is measured.
    pub seconds: f64,
    /// How long it is loaded before that.
    pub warm: f64,
    /// Datagrams in flight at most, in all.
    pub window: usize,
}
}

lines! {
/// What was seen; goes as lines to standard output.
#[derive(Clone, Default, Debug)]
pub struct Measured {
    /// Of the window, seconds.
    pub seconds: f64,
    /// Replies.
    pub answered: u64,
    /// Queries given up.
    pub lost: u64,
    /// Replies whose query had been given up.
    pub late: u64,
    /// Calls that failed, packets that were no replies, connections that broke.
    pub faults: u64,
    /// Connections made.
    pub connections: u64,
    /// Replies by RCODE.
    pub rcodes: [u64; 16],
    /// Records in all answer sections.
    pub records: u64,
    /// Replies with TC.
    pub truncated: u64,
    /// Octets of all replies.
    pub octets: u64,
    /// Microseconds from query to reply.
    pub p50: f64,
    /// The same, 99 of 100 are quicker.
    pub p99: f64,
    /// The same, 999 of 1,000 are quicker.
    pub p999: f64,
    /// Seconds of processor the server took.
    pub cpu: f64,
    /// Ticks (hundredths of a second) of it in user space, as sampled.
    pub user: u64,
    /// And in the kernel.
    pub system: u64,
    /// Resident memory of the server after it, KiB.
    pub resident: u64,
    /// Share of its core the generator took.
    pub own: f64,
    /// Share of its time in which it found nothing to do.
    pub slack: f64,
    /// Share of the server's core that others took.
    pub foreign: f64,
    /// Share of the server's core that the host took.
    pub stolen: f64,
}
}

impl Measured {
    /// Microseconds of processor for each answer.
    pub fn cost(&self) -> f64 {
        self.cpu * 1e6 / self.answered.max(1) as f64
    }

    /// Share of its core the server took.
    pub fn utilisation(&self) -> f64 {
        self.cpu / self.seconds.max(1e-9)
    }

    /// Replies a second.
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds.max(1e-9)
    }

    /// Share of queries without a reply.
    pub fn loss(&self) -> f64 {
        self.lost as f64 / (self.answered + self.lost).max(1) as f64
    }
}

impl Order {
    /// Whom it is put on.
    fn to(&self) -> anyhow::Result<SocketAddr> {
        let address: Ipv4Addr = self.address.parse().context("the server's address")?;
        if !address.is_loopback() && address.octets()[..2] != PRIVATE {
            bail!("{address} is not for loads: they stay on this machine");
        }
        Ok((address, self.port).into())
    }
}

/// Runs as the generator's process.
pub fn main() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let order: Order = Order::from_lines(&text).context("the order is not whole")?;
    let job = Job::of_key(&order.job).with_context(|| format!("no job is called {}", order.job))?;
    let queries = Queries::of(job);
    let measured = match job.manner {
        Manner::Flood => udp::run(&order, queries, None)?,
        Manner::Paced(rate) => udp::run(&order, queries, Some(rate))?,
        Manner::Streams { connections, flight, prompt } => {
            stream::run(&order, queries, stream::Shape { connections, flight, prompt, each: false })?
        }
        Manner::Connections(connections) => {
            stream::run(&order, queries, stream::Shape { connections, flight: 1, prompt: true, each: true })?
        }
    };
    print!("{}", measured.to_lines());
    Ok(())
}
