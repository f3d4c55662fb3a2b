//! Each task runs in a span that tells its group, its index and its name.

use lockgate_errgroup::Builder;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down the fields of every span, and how often one was entered.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(format!("{}: ", span.metadata().name()));
        span.record(&mut fields);
        let mut spans = self.0.lock().unwrap();
        spans.push(fields.0.trim_end().to_owned());
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _: &Id) {}
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_runs_its_task_in_a_span() {
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        // This thread does the work itself: the subscriber is its own.
        let builder = Builder::new().limit(1).backlog(0).name("crew").stack_size(usize::MAX / 4);
        lockgate_errgroup::thread::scope(builder, |g| {
            g.named("first").spawn(|_| Ok::<(), ()>(()));
        })
        .unwrap();
    });
    let spans = recorder.0.lock().unwrap();
    assert_eq!(*spans, [r#"task: group="crew" index=0 name="first""#]);
}

#[cfg(feature = "async")]
#[test]
fn a_task_runs_in_a_span_whatever_its_group() {
    use lockgate_errgroup::task::{Group, scope_with};
    let recorder = Recorder::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::subscriber::with_default(recorder.clone(), || {
        runtime.block_on(async {
            for builder in [Builder::new(), Builder::new().limit(1)] {
                let group = Group::build(builder.name("crew")).unwrap();
                group
                    .named("polled twice")
                    .spawn(|_| async {
                        tokio::task::yield_now().await;
                        Ok::<(), ()>(())
                    })
                    .await;
                group.join().await.unwrap();
            }
            scope_with(Builder::new(), |g| async move {
                g.spawn(|_| async { Ok::<(), ()>(()) }).await;
            })
            .await
            .unwrap();
        });
    });
    let spans = recorder.0.lock().unwrap();
    let named = r#"task: group="crew" index=0 name="polled twice""#;
    assert_eq!(*spans, [named, named, "task: index=0"]);
    assert!(recorder.1.load(Ordering::Relaxed) >= 5, "entered for each poll");
}
