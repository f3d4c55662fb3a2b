//! A recorder of the tests' own.

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Keeps every number by its name and labels.
#[derive(Clone, Default)]
pub(crate) struct Numbers {
    all: Arc<Mutex<BTreeMap<String, Arc<Number>>>>,
    pub(crate) described: Arc<Mutex<Vec<String>>>,
}

/// What it is now, and each value of a histogram.
#[derive(Default)]
pub(crate) struct Number(Mutex<(f64, Vec<f64>)>);

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.0.lock().unwrap().0 += value as f64;
    }

    fn absolute(&self, _: u64) {
        unreachable!("pools of one name would overwrite one another");
    }
}

impl GaugeFn for Number {
    fn increment(&self, value: f64) {
        self.0.lock().unwrap().0 += value;
    }

    fn decrement(&self, value: f64) {
        self.0.lock().unwrap().0 -= value;
    }

    fn set(&self, _: f64) {
        unreachable!("pools of one name would overwrite one another");
    }
}

impl HistogramFn for Number {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().1.push(value);
    }
}

impl Numbers {
    fn of(&self, key: &Key) -> Arc<Number> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::clone(self.all.lock().unwrap().entry(name).or_default())
    }

    pub(crate) fn value(&self, metric: &str, labels: &str) -> f64 {
        self.read(metric, labels).0
    }

    pub(crate) fn values(&self, metric: &str) -> Vec<f64> {
        self.read(metric, "").1
    }

    fn read(&self, metric: &str, labels: &str) -> (f64, Vec<f64>) {
        let all = self.all.lock().unwrap();
        let number = all.get(&format!("{metric}{{name=io{labels}}}"));
        number.map(|number| number.0.lock().unwrap().clone()).unwrap_or_default()
    }

    pub(crate) fn during<T>(&self, run: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(self, run)
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().push(key.as_str().to_owned());
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.of(key))
    }
}
