//! Targets of a fleet against a resolver that the test plays.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering},
};

use super::*;
use crate::probe::testing;

/// Answers from a table; what is not in it hangs.
#[derive(Debug, Default)]
struct Fake {
    answers: Mutex<HashMap<DnsName, Part>>,
    asked: AtomicUsize,
}

impl Lookup for Fake {
    fn lookup<'l>(&'l self, name: &'l DnsName, family: Family) -> Pin<Box<dyn Future<Output = Part> + Send + 'l>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.lock().unwrap().get(name).cloned();
        Box::pin(async move {
            match answer {
                Some(answer) if family == Family::V4 => answer,
                Some(Part::Found(..)) => Part::Nothing,
                Some(other) => other,
                None => future::pending().await,
            }
        })
    }
}

impl Fake {
    fn set(&self, name: &str, part: Part) {
        self.answers.lock().unwrap().insert(name.parse().unwrap(), part);
    }
}

fn here(last: u8) -> Part {
    Part::Found(vec![IpAddr::from([192, 0, 2, last])], 30)
}

struct World {
    fake: Arc<Fake>,
    fleet: watch::Sender<Arc<Fleet>>,
    directory: Directory,
    found: mpsc::Receiver<Found>,
    _tasks: JoinSet<()>,
}

fn world(names: &[&str]) -> World {
    let fake = Arc::new(Fake::default());
    let (fleet, fleet_seen) = watch::channel(testing::targets(names));
    let (out, found) = mpsc::channel(8);
    let directory = Directory::default();
    let names = Names::new(fleet_seen, Arc::clone(&fake) as Arc<dyn Lookup>, directory.clone(), out);
    let mut tasks = JoinSet::new();
    tasks.spawn(names.run(CancellationToken::new()));
    World { fake, fleet, directory, found, _tasks: tasks }
}

fn name(text: &str) -> DnsName {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn targets_are_found_told_and_forgotten_with_the_fleet() {
    let mut world = world(&[]);
    world.fake.set("a.example.net", here(1));
    world.fake.set("b.example.net", here(2));
    world.fleet.send_replace(testing::targets(&["a.example.net", "b.example.net", "a.example.net"]));
    let mut told: Vec<Found> = vec![world.found.recv().await.unwrap(), world.found.recv().await.unwrap()];
    told.sort_by(|a, b| a.target.cmp(&b.target));
    assert_eq!(
        told.iter().map(|found| found.target.to_string()).collect::<Vec<_>>(),
        ["a.example.net.", "b.example.net."]
    );
    assert_eq!(world.directory.find(&name("b.example.net")).await, Place::At([192, 0, 2, 2].into()));
    world.fake.set("a.example.net", here(9));
    let change = world.found.recv().await.unwrap();
    assert_eq!(*change.found.addresses, [IpAddr::from([192, 0, 2, 9])]);
    world.fleet.send_replace(testing::targets(&["a.example.net"]));
    world.fake.set("a.example.net", here(8));
    world.found.recv().await.unwrap();
    assert_eq!(world.directory.now(&name("b.example.net")), None);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_is_left_and_holds_up_no_more_than_its_share() {
    let names: Vec<String> = (0..200).map(|n| format!("n{n}.example.net")).collect();
    let mut world = world(&names.iter().map(String::as_str).collect::<Vec<_>>());
    world.fake.set("n0.example.net", here(1));
    // Two questions each, and only so many at once; the one that is answered makes room for another.
    assert_eq!(world.found.recv().await.unwrap().target, name("n0.example.net"));
    assert!(world.fake.asked.load(Ordering::SeqCst) <= (IN_FLIGHT_MAX + 1) * 2);
    assert_eq!(world.directory.find(&name("n150.example.net")).await, Place::Unheard);
}
