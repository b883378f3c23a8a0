//! Which work runs now: one thing at a time where the server or the address is changed, everything else beside it.
//!
//! Invariants: the same work is never under way twice; coming back as a standby gives way to anything else that wants
//! the server; abandoned work gives no answer.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tracing::debug;
use understudy_protocol::{Event, Finish, Work};

use super::Context;
use super::perform::perform;

pub(super) enum Command {
    Begin(Work),
    Abandon,
}

struct Running {
    work: Work,
    handle: AbortHandle,
}

struct Lanes {
    context: Arc<Context>,
    tasks: JoinSet<Finish>,
    /// What changes the server, under way.
    server: Option<Running>,
    /// What changes the server, waiting.
    queue: VecDeque<Work>,
    /// What runs beside it.
    aside: Vec<Running>,
}

pub(super) async fn run(context: Arc<Context>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let (tasks, queue) = (JoinSet::new(), VecDeque::new());
    let mut lanes = Lanes {
        context,
        tasks,
        server: None,
        queue,
        aside: Vec::new(),
    };
    loop {
        tokio::select! {
            // What the driver wants goes first: work that it abandons in this moment has no answer any more.
            biased;
            command = commands.recv() => match command {
                Some(Command::Begin(work)) => lanes.begin(work),
                Some(Command::Abandon) => lanes.abandon(),
                None => return,
            },
            Some(ended) = lanes.tasks.join_next_with_id() => match ended {
                Ok((id, finish)) => lanes.ended(id, finish).await,
                Err(error) if error.is_cancelled() => {}
                Err(error) => {
                    let finish = Finish::Failed { error: format!("the daemon's own task failed: {error}") };
                    lanes.ended(error.id(), finish).await;
                }
            },
        }
    }
}

/// Whether the work changes the server or the address.
fn changes_server(work: &Work) -> bool {
    match work {
        Work::PrepareYield { .. }
        | Work::Redirect { .. }
        | Work::EndFlows { .. }
        | Work::Arm { .. }
        | Work::WarmUp { .. }
        | Work::Disarm { .. }
        | Work::Appear { .. }
        | Work::StopAdmitting { .. }
        | Work::Settle { .. }
        | Work::SealCompilation { .. }
        | Work::StopServer { .. }
        | Work::DropAddress { .. }
        | Work::Resume { .. }
        | Work::Serve { .. }
        | Work::TakeAddress { .. }
        | Work::StandBy { .. }
        | Work::Reboot { .. } => true,
        Work::Diagnose { .. }
        | Work::Assess { .. }
        | Work::ResendCompilation { .. }
        | Work::StoreCompilation { .. }
        | Work::ResolveRequests { .. }
        | Work::Observe => false,
    }
}

/// Whether the work ends when the machine abandons what is under way; what was handed over must still be resolved.
fn is_abandoned(work: &Work) -> bool {
    !matches!(
        work,
        Work::ResolveRequests { .. } | Work::StoreCompilation { .. } | Work::Observe
    )
}

impl Lanes {
    fn begin(&mut self, work: Work) {
        if !changes_server(&work) {
            if !self.aside.iter().any(|running| running.work == work) {
                let running = self.spawn(work);
                self.aside.push(running);
            }
            return;
        }
        let under_way = self.server.as_ref().is_some_and(|running| running.work == work);
        if under_way || self.queue.contains(&work) {
            return;
        }
        if !matches!(work, Work::StandBy { .. }) {
            self.give_way();
        }
        self.queue.push_back(work);
        self.next();
    }

    /// Coming back as a standby may take for ever: whatever else is wanted goes first, and the machine asks again.
    fn give_way(&mut self) {
        self.queue.retain(|work| !matches!(work, Work::StandBy { .. }));
        if let Some(running) = self
            .server
            .take_if(|running| matches!(running.work, Work::StandBy { .. }))
        {
            debug!(service = %self.context.parts.service, "standing by gives way to other work");
            running.handle.abort();
        }
    }

    fn next(&mut self) {
        if self.server.is_none()
            && let Some(work) = self.queue.pop_front()
        {
            self.server = Some(self.spawn(work));
        }
    }

    fn spawn(&mut self, work: Work) -> Running {
        let (context, doing) = (self.context.clone(), work.clone());
        let handle = self.tasks.spawn(async move { perform(&context, &doing).await });
        Running { work, handle }
    }

    fn abandon(&mut self) {
        self.queue.clear();
        if let Some(running) = self.server.take() {
            running.handle.abort();
        }
        self.aside.retain(|running| {
            let ends = is_abandoned(&running.work);
            if ends {
                running.handle.abort();
            }
            !ends
        });
    }

    async fn ended(&mut self, id: Id, result: Finish) {
        let work = if let Some(running) = self.server.take_if(|running| running.handle.id() == id) {
            Some(running.work)
        } else {
            let place = self.aside.iter().position(|running| running.handle.id() == id);
            place.map(|place| self.aside.swap_remove(place).work)
        };
        // Work that ended in the moment in which it was abandoned is nobody's any more.
        if let Some(work) = work {
            self.context.report(Event::Finished { work, result }).await;
        }
        self.next();
    }
}
