//! Several regions under faults: three nodes beside three members of etcd and two at the edge, in networks of their own
//! with delay and loss between them, while a client asks on and on and everything that was promised is written down.
//!
//! `make test` runs a core, `make torture` all of it. A number or a part of a name chooses:
//! `cargo test --all-features --test torture -- 13 split`. The seed is printed; `TORTURE_SEED` takes it again.
//! It needs root for network namespaces and TUN devices; where it may not, it says so, and the fleet of `tests/it/fleet.rs`
//! stands in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a test, that waits by the machine's clock"
)]

mod api;
mod endpoints;
mod faults;
mod hammer;
mod ledger;
mod member;
mod node;
mod place;
mod seal;
mod setup;
mod wan;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use faults::{FAULTS, Fault};
use world::World;

/// What was asked for on the command line, as far as it is ours.
struct Wanted {
    words: Vec<String>,
    skipped: Vec<String>,
    all: bool,
    list: bool,
}

impl Wanted {
    fn read() -> Self {
        let mut wanted = Self { words: Vec::new(), skipped: Vec::new(), all: false, list: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--include-ignored" => wanted.all = true,
                "--list" => wanted.list = true,
                "--skip" => wanted.skipped.extend(words.next()),
                "--test-threads" | "--format" | "--color" | "-Z" => drop(words.next()),
                // What else the harness of others knows means nothing here.
                other if other.starts_with('-') => {}
                other => wanted.words.push(other.to_owned()),
            }
        }
        wanted
    }

    fn takes(&self, fault: &Fault) -> bool {
        let name = fault.full_name();
        let fits = |word: &String| match word.parse::<u32>() {
            Ok(number) => fault.numbers.contains(&number),
            Err(_) => name.contains(word.as_str()),
        };
        let chosen = if self.words.is_empty() { self.all || fault.core } else { self.words.iter().any(fits) };
        chosen && !self.skipped.iter().any(fits)
    }
}

fn main() -> ExitCode {
    let wanted = Wanted::read();
    let chosen: Vec<&Fault> = FAULTS.iter().filter(|fault| wanted.takes(fault)).collect();
    if wanted.list {
        chosen.iter().for_each(|fault| println!("{}: test", fault.full_name()));
        return ExitCode::SUCCESS;
    }
    if chosen.is_empty() {
        return ExitCode::SUCCESS;
    }
    if let Err(why) = World::possible() {
        println!("\ntorture: not run, {why}. It needs root; the fleet of tests/it/fleet.rs stands in.\n");
        return ExitCode::SUCCESS;
    }
    let seed = std::env::var("TORTURE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    println!("\ntorture: {} scenarios, TORTURE_SEED={seed}", chosen.len());
    let begun = Instant::now();
    let (mut world, mut failed) = (None, Vec::new());
    for fault in chosen {
        if !run(fault, &mut world, seed, wanted.all || !wanted.words.is_empty()) {
            failed.push(fault.full_name());
        }
    }
    drop(world);
    println!(
        "torture: {} failed, {:.0} s, TORTURE_SEED={seed} {}\n",
        failed.len(),
        begun.elapsed().as_secs_f32(),
        failed.join(" ")
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In the world that is there, if it is of the right kind; after a failure the next one gets a new one.
fn run(fault: &Fault, world: &mut Option<World>, seed: u64, long: bool) -> bool {
    let begun = Instant::now();
    if world.as_ref().is_some_and(|world| world.flavour != fault.flavour) {
        *world = None;
    }
    let done = catch_unwind(AssertUnwindSafe(|| {
        let world = world.get_or_insert_with(|| World::start(fault.flavour, seed, long));
        let figures = (fault.happens)(world);
        let judged = world.settle();
        (figures, judged)
    }));
    let took = begun.elapsed().as_secs_f32();
    match done {
        Ok((figures, Ok(asked))) => {
            println!("torture: ok      {:<58} {took:5.1} s  {asked}; {figures}", fault.full_name());
            true
        }
        other => {
            println!("torture: FAILED  {:<58} {took:5.1} s  TORTURE_SEED={seed}", fault.full_name());
            if let Ok((figures, Err(broken))) = other {
                println!("{figures}\n{broken}");
            }
            if let Some(world) = world.take() {
                match std::env::var_os("TORTURE_KEEP") {
                    Some(_) => println!("the logs are in {}", world.leave()),
                    None => println!("{}\nTORTURE_KEEP=1 keeps all of it", world.logs()),
                }
            }
            false
        }
    }
}
