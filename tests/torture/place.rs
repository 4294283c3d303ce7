//! A network of its own: a namespace without a name, held by one thread. It goes with the last process and thread in it,
//! so nothing is left behind, whatever ends the test.

use std::{
    io,
    process::Command,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use nix::sched::{CloneFlags, unshare};

type Job = Box<dyn FnOnce() + Send>;

/// Jobs that wait for a place's thread; more than anybody sends at once.
const JOBS_MAX: usize = 16;

/// One namespace. What is started by [`Place::run`] lives in it.
pub(crate) struct Place {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// A new network with nothing but a loopback that is down.
    pub(crate) fn make() -> io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(JOBS_MAX);
        let (done, made) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || {
            let entered = unshare(CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
            let there = entered.is_ok();
            let _ = done.send(entered);
            if there {
                queue.into_iter().for_each(|job| job());
            }
        });
        made.recv().map_err(|_| io::Error::other("the thread of a place ended"))??;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Does something there: sockets it opens, threads and processes it starts belong to this network.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::sync_channel(1);
        let job = Box::new(move || drop(done.send(job())));
        self.jobs.as_ref().unwrap().send(job).expect("the place is there");
        result.recv().expect("a job in a place does not panic")
    }

    /// Runs a command there to its end.
    pub(crate) fn command(&self, program: &'static str, arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<String> = arguments.iter().map(|&one| one.to_owned()).collect();
        let told = format!("{program} {}", arguments.join(" "));
        let output = self.run(move || Command::new(program).args(arguments).env("ETCDCTL_API", "3").output());
        let output = output.map_err(|error| format!("{told}: {error}"))?;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(format!("{told}: {} {}", output.status, text(&output.stderr))),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A program that ends with the place that started it, even when the test is killed.
pub(crate) fn tied(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}
