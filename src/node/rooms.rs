//! Run times apart: what is sent to the admin API may not slow the doors, nor either of them the deciding.

use std::{future::Future, io};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// A run time of its own for one room.
#[derive(Debug)]
pub(super) struct Room(Option<Runtime>);

impl Room {
    /// Starts `threads` threads called `name`.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(super) fn start(name: &'static str, threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs a task in the room. Sockets belong to the run time they are made in, so they are bound in here as well.
    pub(super) fn run<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.as_ref().expect("a room lives until it is dropped").spawn(task)
    }
}

impl Drop for Room {
    /// Does not wait: whoever wants the room's work done has waited for its tasks.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
