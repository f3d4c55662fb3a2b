//! An inner service whose readiness and answers a test decides.

use futures::channel::oneshot;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tower_service::Service;

/// What the mock fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

#[derive(Clone, Copy, Default)]
pub(super) enum Readiness {
    #[default]
    Ready,
    Never,
    Fails,
    PanicsWhenCalled,
}

#[derive(Default)]
struct Shared {
    readiness: Mutex<Readiness>,
    waiting: Mutex<Vec<Waker>>,
    polls: AtomicUsize,
    calls: AtomicUsize,
    instances: AtomicUsize,
    queue: Mutex<VecDeque<Call>>,
}

/// Clones are instances of the same service, each of which must be ready before it is called.
#[derive(Default)]
pub(super) struct Mock {
    shared: Arc<Shared>,
    instance: usize,
    ready: bool,
}

/// A call that has come, to be answered.
pub(super) struct Call {
    pub(super) instance: usize,
    pub(super) request: u32,
    answer: oneshot::Sender<Option<Result<u32, Broken>>>,
}

impl Call {
    pub(super) fn answer(self, answer: Result<u32, Broken>) {
        let _ = self.answer.send(Some(answer));
    }

    /// The future of the call panics when it is polled next.
    pub(super) fn panic(self) {
        let _ = self.answer.send(None);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.answer.is_canceled()
    }
}

impl Mock {
    pub(super) fn be(&self, readiness: Readiness) {
        *self.shared.readiness.lock().unwrap() = readiness;
        let waiting = std::mem::take(&mut *self.shared.waiting.lock().unwrap());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The call that came first of those that were not fetched.
    pub(super) fn next(&self) -> Call {
        self.shared.queue.lock().unwrap().pop_front().expect("the service was called")
    }

    pub(super) fn polls(&self) -> usize {
        self.shared.polls.load(Ordering::SeqCst)
    }

    pub(super) fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    pub(super) const fn instance(&self) -> usize {
        self.instance
    }
}

impl Clone for Mock {
    fn clone(&self) -> Self {
        let instance = 1 + self.shared.instances.fetch_add(1, Ordering::SeqCst);
        Self { shared: Arc::clone(&self.shared), instance, ready: false }
    }
}

impl Service<u32> for Mock {
    type Response = u32;
    type Error = Broken;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.shared.polls.fetch_add(1, Ordering::SeqCst);
        let readiness = *self.shared.readiness.lock().unwrap();
        match readiness {
            Readiness::Fails => return Poll::Ready(Err(Broken)),
            Readiness::Never => {
                self.shared.waiting.lock().unwrap().push(cx.waker().clone());
                return Poll::Pending;
            }
            Readiness::Ready | Readiness::PanicsWhenCalled => {}
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Answer {
        assert!(std::mem::take(&mut self.ready), "this instance was not ready");
        let readiness = *self.shared.readiness.lock().unwrap();
        assert!(!matches!(readiness, Readiness::PanicsWhenCalled), "as the test wanted");
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        let (answer, receiver) = oneshot::channel();
        let call = Call { instance: self.instance, request, answer };
        self.shared.queue.lock().unwrap().push_back(call);
        Answer(receiver)
    }
}

/// What the test says, when it does.
#[derive(Debug)]
pub(super) struct Answer(oneshot::Receiver<Option<Result<u32, Broken>>>);

impl Future for Answer {
    type Output = Result<u32, Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|said| {
            let answer = said.expect("the test answers what it has fetched");
            answer.expect("the test wants a panic here")
        })
    }
}

/// One poll, by somebody who is never woken: whether it is ready, and well.
pub(super) fn ready<R, S: Service<R>>(service: &mut S) -> bool {
    let polled = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Ready(Ok(())))
}
