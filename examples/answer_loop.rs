//! Answers queries one by one without a network, to count what an answer costs:
//! `answer_loop [WORK] [NAMES] [QUERIES] [DOOR]`, where WORK is `static`, `weighted`, `weighted-ecs`, `nearest-ecs` or
//! `nxdomain`, and DOOR is `fast` or `general`.
//!
//! Everything is made before the first query. One query is answered in `one_query`, which is never inlined, so that
//! `valgrind --tool=callgrind --toggle-collect='*one_query*'` counts the answers alone; divide by what is printed.

use std::{fmt::Write as _, hint::black_box, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, bail};
use wayshift::{
    clock::Clock,
    config,
    dns::{Chaos, Client, Desk, Ecs, Face, Fast},
    model::{Cause, Digest, DnsName, Family, Fleet, Health, LastGood, Mono, Now, Snapshot, Tally, Verdict, Wall, kind},
    steer::{Live, Locator, compile},
    telemetry::dns::{DnsMetrics, Proto},
};

/// Octets of a slot; a query is answered in its own.
const SLOT: usize = 2112;
/// Endpoints behind a name.
const ENDPOINTS: usize = 4;
/// Own networks, of which the clients of `nearest-ecs` are in one.
const NETS: u32 = 4096;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let work = words.next().unwrap_or_else(|| "static".into());
    let mut number = |default: usize| words.next().map_or(Ok(default), |word| word.parse());
    let (names, count) = (number(1_000)?, number(10_000)?);
    let is_fast = match words.next().as_deref() {
        None | Some("fast") => true,
        Some("general") => false,
        Some(word) => bail!("{word} is no door; there are fast and general"),
    };
    let octets = answers(&work, names, count, is_fast, || {})?;
    println!("{count} queries answered, the last one with {octets} octets");
    Ok(())
}

/// Answers `count` queries; octets of the last answer. What is to be counted begins with `begin`.
pub(crate) fn answers(
    work: &str,
    names: usize,
    count: usize,
    is_fast: bool,
    begin: impl FnOnce(),
) -> anyhow::Result<usize> {
    let fleet = fleet(work, names)?;
    let live = Live::new(compile(&snapshot(&fleet), None, &LastGood::new()).with_locator(Arc::new(locator(&fleet)?)));
    let face = Face { udp_size: 1232, nsid: None, chaos: Chaos::Hide, ecs: Ecs::Use, debug_names: Vec::new() };
    let mut desk = Desk::new(live.reader(), Arc::new(face), 1, Clock::start(), DnsMetrics::default().shard());
    let mut chance = fastrand::Rng::with_seed(1);
    let queries = (0..names).map(|nth| query(work, nth, &mut chance)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut out = Vec::with_capacity(SLOT);
    let mut slot = [0; SLOT];
    let (mut octets, mut begin) = (0, Some(begin));
    // The first round draws phases and finds counters; it is not counted.
    for nth in 0..names + count {
        if nth == names
            && let Some(begin) = begin.take()
        {
            begin();
        }
        let query = queries.get(nth).unwrap_or_else(|| &queries[chance.usize(..names)]);
        slot[..query.len()].copy_from_slice(query);
        let asked = Asked { is_fast, length: query.len() };
        octets = if nth < names {
            answer(&mut desk, &mut slot, &asked, &mut out)
        } else {
            one_query(&mut desk, &mut slot, &asked, &mut out)
        };
        if octets == 0 {
            bail!("the {} path did not answer a query", if is_fast { "fast" } else { "general" });
        }
    }
    Ok(octets)
}

struct Asked {
    is_fast: bool,
    length: usize,
}

/// What is counted.
#[inline(never)]
fn one_query(desk: &mut Desk, slot: &mut [u8], asked: &Asked, out: &mut Vec<u8>) -> usize {
    answer(desk, slot, asked, out)
}

#[inline(always)]
fn answer(desk: &mut Desk, slot: &mut [u8], asked: &Asked, out: &mut Vec<u8>) -> usize {
    let (from, now) = (SocketAddr::from(([192, 0, 2, 9], 4242)), Mono(1_000));
    if asked.is_fast {
        return match black_box(desk.fast(slot, asked.length, from, now)) {
            Fast::Replied(length) => length,
            Fast::Dropped | Fast::General => 0,
        };
    }
    out.clear();
    desk.answer_at(&slot[..asked.length], &Client { address: from, proto: Proto::Udp, keepalive: None }, now, out);
    black_box(out.len())
}

fn fleet(work: &str, names: usize) -> anyhow::Result<Arc<Fleet>> {
    let mut text = String::from(
        "[node]\nname = \"bench\"\n[provider.one]\n[check.web]\nurl = \"http://www.example.com/\"\n[region]\n\
         r0 = { at = [38.9, -77.0] }\nr1 = { at = [53.3, -6.3] }\nr2 = { at = [1.35, 103.8] }\nr3 = { at = [-33.9, 151.2] }\n\
         [zone.\"gslb.example\"]\nns = { ns1 = \"192.0.2.53\" }\n",
    );
    if matches!(work, "static" | "nxdomain") {
        text.push_str("records = '''\n");
        for name in 0..names {
            for n in 0..ENDPOINTS {
                writeln!(text, "w{name} 60 A 10.{n}.{}.{}", name / 256 % 256, name % 256)?;
            }
        }
        text.push_str("'''\n");
    } else {
        text.push_str("[endpoint]\n");
        for n in 0..names * ENDPOINTS {
            let [_, a, b, c] = u32::try_from(n)?.to_be_bytes();
            writeln!(text, "e{n} = {{ address = \"10.{a}.{b}.{c}\", provider = \"one\", region = \"r{}\" }}", n % 4)?;
        }
        text.push_str("[pool]\n");
        for name in 0..names {
            match work {
                "weighted" | "weighted-ecs" => {
                    let members: Vec<String> =
                        (0..ENDPOINTS).map(|n| format!("e{} = {}", name * ENDPOINTS + n, n + 1)).collect();
                    writeln!(
                        text,
                        "p{name} = {{ endpoints = {{ {} }}, answer = \"weighted\", count = 1 }}",
                        members.join(", ")
                    )?;
                }
                "nearest-ecs" => {
                    for n in 0..ENDPOINTS {
                        writeln!(text, "p{name}-{n} = {{ endpoints = [\"e{}\"] }}", name * ENDPOINTS + n)?;
                    }
                }
                word => bail!("{word} is no work; there are static, weighted, weighted-ecs, nearest-ecs and nxdomain"),
            }
        }
        text.push_str("[service]\n");
        for name in 0..names {
            let (steer, pools) = match work {
                "weighted" | "weighted-ecs" => ("failover", format!("\"p{name}\"")),
                _ => ("nearest", (0..ENDPOINTS).map(|n| format!("\"p{name}-{n}\"")).collect::<Vec<_>>().join(", ")),
            };
            writeln!(
                text,
                "s{name} = {{ names = [\"w{name}.gslb.example\"], pools = [{pools}], steer = \"{steer}\", check = \"web\" }}"
            )?;
        }
    }
    let loaded = config::load_text("bench.toml", &text, &|_| None).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    Ok(loaded.fleet)
}

/// All that is measured is up.
fn snapshot(fleet: &Arc<Fleet>) -> Arc<Snapshot> {
    let up = || Verdict {
        measured: Health::Up,
        health: Health::Up,
        order: None,
        cause: Cause::Voted,
        frozen: None,
        tally: Tally::default(),
        since: Wall::default(),
        since_mono: None,
        hold: None,
        returned: None,
        flips_at: None,
    };
    let judged = |subject: &wayshift::model::Subject| {
        Family::ALL.map(|family| fleet.endpoint(subject.endpoint).is_judged(family).then(up))
    };
    Arc::new(Snapshot {
        node: "bench".parse().expect("a word is an id"),
        generation: 1,
        digest: Digest::default(),
        at: Now::default(),
        fleet: Arc::clone(fleet),
        verdicts: fleet.subjects.iter().flat_map(judged).collect(),
        overrides: Arc::default(),
        planned: Arc::default(),
        ended: Arc::default(),
        here: Default::default(),
        feeds: Arc::default(),
    })
}

fn locator(fleet: &Fleet) -> anyhow::Result<Locator> {
    let rows: String = (0..NETS).fold(String::new(), |mut rows, n| {
        let _ = writeln!(rows, "{}.{}.{}.0/24,r{}", 11 + n / 65_536, n / 256 % 256, n % 256, n % 4);
        rows
    });
    let nets = Locator::nets_from_csv(&rows, &fleet.regions).context("own networks")?;
    Ok(Locator::nowhere().with_nets(nets))
}

/// With EDNS, as resolvers ask.
fn query(work: &str, nth: usize, chance: &mut fastrand::Rng) -> anyhow::Result<Vec<u8>> {
    let label = if work == "nxdomain" { "x" } else { "w" };
    let name: DnsName = format!("{label}{nth}.gslb.example").parse()?;
    let mut query = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend_from_slice(name.wire());
    query.extend_from_slice(&[0, 1, 0, 1]);
    query.extend_from_slice(&[0, 0, u8::try_from(kind::OPT)?, 0x04, 0xd0, 0, 0, 0, 0, 0]);
    if work.ends_with("-ecs") {
        let net = chance.u32(..NETS);
        let [.., b, c] = net.to_be_bytes();
        query.extend_from_slice(&[11, 0, 8, 0, 7, 0, 1, 24, 0, 11, b, c]);
    } else {
        query.push(0);
    }
    Ok(query)
}
