//! Metrics of the process, under the names every Prometheus dashboard knows. Read at each scrape; where the system has
//! no `/proc` they are left out.

use std::{fs, time::Duration};

use nix::unistd::{SysconfVar, sysconf};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Looks at `/proc/self`.
#[derive(Debug)]
pub(super) struct Process;

/// What `/proc/self/stat` tells (proc(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    ticks: u64,
    threads: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

fn parse(stat: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses and may hold anything: the fields go on behind the last `)`.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        ticks: number(14)?.checked_add(number(15)?)?,
        threads: number(20)?,
        virtual_bytes: number(23)?,
        resident_pages: number(24)?,
    })
}

fn system(variable: SysconfVar) -> Option<u64> {
    u64::try_from(sysconf(variable).ok()??).ok()
}

impl Collector for Process {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 bytes are far")]
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stat = fs::read_to_string("/proc/self/stat").ok().and_then(|text| parse(&text));
        let (Some(stat), Some(hertz), Some(page)) = (stat, system(SysconfVar::CLK_TCK), system(SysconfVar::PAGE_SIZE))
        else {
            return Ok(());
        };
        let cpu = ConstCounter::new(Duration::from_millis(stat.ticks * 1000 / hertz.max(1)).as_secs_f64());
        let about = "User and system time spent";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", about, None, cpu.metric_type())?)?;
        let mut gauge = |name: &str, about: &str, value: u64| {
            let value = ConstGauge::new(value as f64);
            value.encode(encoder.encode_descriptor(name, about, None, value.metric_type())?)
        };
        gauge("process_resident_memory_bytes", "Memory in use", stat.resident_pages * page)?;
        gauge("process_virtual_memory_bytes", "Address space in use", stat.virtual_bytes)?;
        gauge("process_threads", "Threads", stat.threads)?;
        match fs::read_dir("/proc/self/fd") {
            // The one that lists is not counted.
            Ok(open) => gauge("process_open_fds", "Open files and sockets", (open.count() as u64).saturating_sub(1)),
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_may_hold_anything() {
        let rest = "S 1 1 1 0 -1 0 0 0 0 0 70 30 0 0 20 0 9 0 100 4096000 250 0";
        let expected = Stat { ticks: 100, threads: 9, virtual_bytes: 4_096_000, resident_pages: 250 };
        assert_eq!(parse(&format!("42 (way shift) 1) {rest}")), Some(expected));
        assert_eq!(parse("42 (x) S 1"), None);
        assert_eq!(parse(""), None);
    }
}
