//! A thread that owns a database connection and takes jobs from a bounded queue until its owner lets go of it.
//!
//! Why a thread and not `spawn_blocking`: SQLite has one writer anyway, a connection that stays on one thread keeps its
//! prepared statements, and the owner's drop waits until everything that was accepted is on disk.

use std::thread::JoinHandle;

use tokio::sync::mpsc;

/// The owner's end. Dropping it closes the queue, lets the thread finish what is in it, and waits for that.
pub(super) struct Worker<J> {
    jobs: Option<mpsc::Sender<J>>,
    thread: Option<JoinHandle<()>>,
}

impl<J: Send + 'static> Worker<J> {
    /// Starts a thread of this name; `body` returns when the queue is closed and empty.
    pub(super) fn start(
        name: &str,
        capacity: usize,
        body: impl FnOnce(mpsc::Receiver<J>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(capacity);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || body(queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Waits for room in the queue: whoever asks faster than the disk answers is slowed, not refused. `false`: the
    /// thread has ended.
    pub(super) async fn send(&self, job: J) -> bool {
        match &self.jobs {
            Some(jobs) => jobs.send(job).await.is_ok(),
            None => false,
        }
    }
}

impl<J> std::fmt::Debug for Worker<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there was already told to whoever waited for an answer.
            let _ = thread.join();
        }
    }
}
