//! What the kernel knows of processes and processors, from /proc.

use std::{fs, time::Duration};

/// Processor time of a group of processes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Cpu {
    /// Time on a processor, exact: the scheduler's own count, which is what utime + stime add up to.
    pub total: Duration,
    /// Ticks of a hundredth of a second in user space: the kernel samples how the total divides.
    pub user: u64,
    /// And in the kernel.
    pub system: u64,
}

impl Cpu {
    /// By ticks: rounded, but with the threads that have ended.
    pub fn ticked(&self) -> Duration {
        Duration::from_millis((self.user + self.system) * 10)
    }
}

/// Time so far of all the processes; one that is gone counts nothing.
pub fn cpu(pids: &[i32]) -> Cpu {
    let mut sum = Cpu::default();
    for pid in pids {
        let Some((user, system)) = ticks(*pid) else { continue };
        sum.user += user;
        sum.system += system;
        sum.total += scheduled(*pid).unwrap_or_else(|| Duration::from_millis((user + system) * 10));
    }
    sum
}

fn ticks(pid: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Over all threads.
fn scheduled(pid: i32) -> Option<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(sum))
}

/// Resident memory of all the processes, KiB.
pub fn resident(pids: &[i32]) -> u64 {
    let of = |pid: &i32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    pids.iter().filter_map(of).sum()
}

/// A process and all that come from it.
pub fn family(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// How a processor spent its time, seconds since boot.
#[derive(Clone, Copy, Default, Debug)]
pub struct Core {
    /// At work, whoever's.
    pub busy: f64,
    /// Taken by the host.
    pub stolen: f64,
}

/// Of one processor.
pub fn core(number: usize) -> Core {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{number}");
    let Some(line) = text.lines().find(|line| line.split_whitespace().next() == Some(&name)) else {
        return Core::default();
    };
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let at = |n: usize| ticks.get(n).copied().unwrap_or(0.0) / 100.0;
    Core { busy: at(0) + at(1) + at(2) + at(5) + at(6), stolen: at(7) }
}
