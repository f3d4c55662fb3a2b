//! What a group does at one moment.

use crate::core::Core;
use crate::error::TaskId;
use crate::pool::{Numbers, Pool};
use crate::primitives::Arc;
use std::fmt;
use std::time::Duration;

/// What a task does at the moment of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Accepted, and not started.
    Queued,
    /// A thread runs it, or a task that is being polled or about to be.
    Running,
    /// A task that waits for something.
    Waiting,
}

/// A task that lives at the moment of a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveTask {
    /// Which one.
    pub id: TaskId,
    /// What it does.
    pub state: TaskState,
    /// How long ago it started, if the group [observes](crate::Builder::observe).
    pub age: Option<Duration>,
    /// What it waits for, as it says itself.
    pub waits_for: Option<&'static str>,
}

/// What a group does at one moment: its numbers, and its live tasks.
///
/// `Display` makes one line for each task, as a goroutine profile has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The group's name.
    pub name: Option<Arc<str>>,
    /// How many tasks may run at a time.
    pub limit: usize,
    /// How many may be accepted beyond those.
    pub backlog: usize,
    /// How many run.
    pub running: usize,
    /// How many are accepted and have not started.
    pub queued: usize,
    /// The tasks that live, as far as they are known one by one, by index.
    pub tasks: Vec<LiveTask>,
}

impl Snapshot {
    pub(crate) fn of<T, E, W>(core: &Core<'_, T, E>, pool: &Pool<W>) -> Self {
        let numbers = pool.numbers();
        let mut tasks = Vec::new();
        pool.visit(|running, index, name| {
            let state = if running { TaskState::Running } else { TaskState::Queued };
            tasks.push((TaskId { index, name: name.cloned() }, state));
        });
        Self::with(core, numbers, tasks)
    }

    /// Adds what the core was told of the tasks.
    pub(crate) fn with<T, E>(
        core: &Core<'_, T, E>,
        numbers: Numbers,
        tasks: Vec<(TaskId, TaskState)>,
    ) -> Self {
        let told = |(id, state): (TaskId, TaskState)| {
            let (age, waits_for) = core.told_of(id.index);
            LiveTask { id, state, age, waits_for }
        };
        let mut tasks: Vec<_> = tasks.into_iter().map(told).collect();
        tasks.sort_by_key(|task| task.id.index);
        Self {
            name: core.name.clone(),
            limit: numbers.limit,
            backlog: numbers.backlog,
            running: numbers.running,
            queued: numbers.queued,
            tasks,
        }
    }
}

#[cfg(feature = "async")]
impl Snapshot {
    /// Of a group without a limit: `live` tasks, of which those in `tasks` wait.
    pub(crate) fn unlimited<T, E>(
        core: &Core<'_, T, E>,
        live: usize,
        mut tasks: Vec<LiveTask>,
    ) -> Self {
        tasks.sort_by_key(|task| task.id.index);
        let (name, limit) = (core.name.clone(), usize::MAX);
        Self { name, limit, backlog: 0, running: live, queued: 0, tasks }
    }

    pub(crate) fn note_waiting(&mut self, id: &TaskId) {
        let task = self.tasks.iter_mut().find(|task| task.id.index == id.index);
        task.into_iter().for_each(|task| task.state = TaskState::Waiting);
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("group");
        write!(f, "{name}: {} running, {} queued", self.running, self.queued)?;
        for task in &self.tasks {
            write!(f, "\n  {}: {:?}", task.id, task.state)?;
            if let Some(age) = task.age {
                write!(f, ", {age:.1?}")?;
            }
            if let Some(reason) = task.waits_for {
                write!(f, ", waits for {reason}")?;
            }
        }
        Ok(())
    }
}
