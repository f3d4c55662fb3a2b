//! What the models share: a stage of the model's threads, chunks of one item.

use crate::control::Control;
use crate::crew::{Crew, Plan, Work};
use crate::edge::Edge;
use crate::error::{Failed, Fault};
use crate::feed::{Fed, Feed, Until};
use crate::primitives::{Arc, thread};
use crate::state::{Order, Ticket, Window};
use crate::stats::Stats;
use std::ops::ControlFlow::{self, Continue};

/// Gives items until there are none, then an end or a fault.
pub(super) struct Source<T> {
    pub(super) items: std::vec::IntoIter<T>,
    pub(super) failure: Option<u8>,
}

impl<T> Feed for Source<T> {
    type Item = T;
    type Error = u8;

    fn feed(
        &mut self,
        _: Until<'_>,
        _: usize,
        mut sink: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<u8>> {
        match self.items.next() {
            Some(item) => {
                let _ = sink(item);
                Ok(Fed::More)
            }
            None => match self.failure.take() {
                Some(error) => Err(failed(error)),
                None => Ok(Fed::Over),
            },
        }
    }
}

pub(super) fn source<T>(items: impl IntoIterator<Item = T>) -> Source<T> {
    Source { items: items.into_iter().collect::<Vec<_>>().into_iter(), failure: None }
}

pub(super) fn failed(error: u8) -> Fault<u8> {
    Fault::Failed(Failed { stage: "model".into(), index: 0, error })
}

/// What a worker of a model does with an item: a result, nothing, or an error.
pub(super) type Act<T, U> = fn(T) -> Result<Option<U>, u8>;

pub(super) struct Do<T, U>(pub(super) Act<T, U>);

impl<T, U> Work<T, U, u8> for Do<T, U> {
    fn work(
        &mut self,
        edge: &Edge<U, u8>,
        ticket: &Ticket,
        items: Vec<T>,
        out: &mut Vec<U>,
    ) -> Result<(), Fault<u8>> {
        for item in items {
            if edge.is_unwanted(ticket) {
                return Err(Fault::Cancelled);
            }
            out.extend((self.0)(item).map_err(failed)?);
        }
        Ok(())
    }
}

pub(super) fn crew<R, U>(
    source: R,
    order: Order,
    window: usize,
    control: &Arc<Control>,
) -> Arc<Crew<R, U>>
where
    R: Feed<Error = u8>,
{
    let window = Window { chunks: window as u64, alone: window as u64, items: window };
    let plan = Plan { order, workers: 2, window, chunk: 1, is_fixed: true };
    let stats = Arc::new(Stats::new("model".into(), 2));
    Arc::new(Crew::new(source, plan, Arc::clone(control), stats))
}

/// So many workers of the model's threads.
pub(super) fn serve<R, U>(
    crew: &Arc<Crew<R, U>>,
    workers: usize,
    act: Act<R::Item, U>,
) -> Vec<thread::JoinHandle<()>>
where
    R: Feed<Error = u8, Item: 'static> + Send + 'static,
    U: Send + 'static,
{
    let start = |worker| {
        let crew = Arc::clone(crew);
        thread::spawn(move || crew.serve(worker, &mut Do(act)))
    };
    (0..workers).map(start).collect()
}

pub(super) fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Everything that comes, and how it ends: `Ok`, or an error's number, or 255 for any other fault.
pub(super) fn read<R: Feed<Error = u8>>(reader: &mut R) -> (Vec<R::Item>, Result<(), u8>) {
    let mut items = Vec::new();
    loop {
        let fed = reader.feed(Until::NEVER, 1, |item| {
            items.push(item);
            Continue(())
        });
        match fed {
            Ok(Fed::More) => {}
            Ok(Fed::Over) => return (items, Ok(())),
            Err(Fault::Failed(failed)) => return (items, Err(failed.error)),
            Err(_) => return (items, Err(255)),
        }
    }
}

pub(super) fn control() -> Arc<Control> {
    Arc::new(Control::new())
}
