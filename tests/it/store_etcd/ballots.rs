//! Ballots over a real etcd: heard whole, gone with their lease, and by another member when one falls silent.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests")]

use super::*;

fn ballot(node: &str, sequence: u64, targets: usize) -> Ballot {
    let target = |number: usize| Target {
        subject: SubjectId { endpoint: format!("ep-{number}").parse().unwrap(), check: "web".parse().unwrap() },
        family: Family::V4,
    };
    Ballot {
        node: node.parse().unwrap(),
        region: Some("eu".parse().unwrap()),
        provider: None,
        sequence,
        clock: Mono(sequence),
        self_test: SelfTest::Passed,
        votes: Arc::new((0..targets).map(|number| (target(number), Vote::Down)).collect()),
        paths: Arc::new([("ep-0".parse().unwrap(), 1_500)].into()),
        brakes: Arc::default(),
    }
}

async fn hears(node: &Node, expected: &Ballot) {
    let mut ballots = node.bus().watch();
    let there =
        ballots.wait_for(|voices| voices.ballots.get(&expected.node).is_some_and(|ballot| **ballot == *expected));
    drop(tokio::time::timeout(PATIENCE, there).await.expect("it is heard").unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ballots_are_heard_whole_and_go_with_their_lease() {
    let server = Server::start();
    let (eu, us) = (node(settings(&[server.url()]), None), node(settings(&[server.url()]), None));
    let (first, other) = (ballot("eu-1", 7, 3_000), ballot("us-1", 1, 0));
    eu.bus().publish(first.clone());
    us.bus().publish(other.clone());
    for node in [&eu, &us] {
        hears(node, &first).await;
        hears(node, &other).await;
        node.bus().heard().wait_for(|heard| *heard).await.unwrap();
    }
    // One vote changes: no part is written again. Most targets go: all of them are.
    let mut raw = raw(&server).await;
    let part = "/wayshift/test/v1/fleet/eu-1/votes/";
    let all = Some(GetOptions::new().with_prefix());
    let before = raw.get(part, all.clone()).await.unwrap();
    let mut second = ballot("eu-1", 8, 3_000);
    *Arc::make_mut(&mut second.votes).values_mut().next().unwrap() = Vote::Up { degraded: false, wavers: true };
    eu.bus().publish(second.clone());
    hears(&us, &second).await;
    let after = raw.get(part, all.clone()).await.unwrap();
    let same = before.kvs().iter().zip(after.kvs()).filter(|(one, next)| one.mod_revision() == next.mod_revision());
    assert_eq!((before.kvs().len(), after.kvs().len(), same.count()), (6, 6, 6));
    let third = ballot("eu-1", 9, 10);
    eu.bus().publish(third.clone());
    hears(&us, &third).await;
    assert_eq!(raw.get(part, all).await.unwrap().kvs().len(), 1);
    // A node that comes later hears what stands.
    hears(&node(settings(&[server.url()]), None), &third).await;
    // Its lease ends: it is gone, until it speaks again.
    for lease in raw.leases().await.unwrap().leases() {
        raw.lease_revoke(lease.id()).await.unwrap();
    }
    us.bus().watch().wait_for(|voices| voices.ballots.is_empty()).await.unwrap();
    let fourth = ballot("eu-1", 10, 600);
    eu.bus().publish(fourth.clone());
    hears(&us, &fourth).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ballots_that_make_no_sense_are_not_handed_over() {
    let server = Server::start();
    let us = node(settings(&[server.url()]), None);
    let mut raw = raw(&server).await;
    let named = |name: &str| format!("/wayshift/test/v1/fleet/{name}");
    let stolen = r#"{"v":1,"node":"us-1","boot":"b","sequence":9,"region":null,"provider":null,"clock":9,"self_test":"passed","votes":[0,""],"paths":[0,""]}"#;
    for (name, text) in [
        ("eu-1/presence", "{"),
        ("eu-2/presence", stolen),
        ("eu-3/presence", &stolen.replace("us-1", "eu-3").replace("\"v\":1", "\"v\":99")),
        ("eu-4/presence", &stolen.replace("us-1", "eu-4").replace("\"votes\":[0,\"\"]", "\"votes\":[1,\"00\"]")),
        ("eu-5/votes/0", "{"),
        ("EU/presence", stolen),
        ("eu-6/other", stolen),
        ("eu-7/votes/99999999999999999999", "{}"),
    ] {
        raw.put(named(name), text, None).await.unwrap();
    }
    let last = ballot("eu-9", 1, 1);
    let eu = node(settings(&[server.url()]), None);
    eu.bus().publish(last.clone());
    hears(&us, &last).await;
    hears(&eu, &last).await;
    assert_eq!((us.bus().watch().borrow().ballots.len(), eu.bus().watch().borrow().ballots.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_falls_silent_is_left_when_our_own_does_not_come_back() {
    let server = Server::start();
    let relay = Relay::to(server.address()).await;
    let eu = node(settings(&[relay.url(), server.url()]), None);
    let bus = eu.bus();
    let mut speaks = tokio::task::JoinSet::new();
    speaks.spawn({
        let bus = eu.bus();
        async move {
            for sequence in 1.. {
                bus.publish(ballot("eu-1", sequence, 1));
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
    });
    let mut heard = bus.heard();
    heard.wait_for(|heard| *heard).await.unwrap();
    relay.set(Wire::Swallows);
    let sequence = bus.watch().borrow().ballots.values().next().unwrap().sequence;
    let later =
        |voices: &Arc<wayshift::store::Voices>| voices.ballots.values().any(|ballot| sequence + 1 < ballot.sequence);
    drop(tokio::time::timeout(PATIENCE, bus.watch().wait_for(later)).await.expect("the next member is asked").unwrap());
    create(&*eu.store, 1).await.unwrap();
    heard.wait_for(|heard| *heard).await.unwrap();
}
