//! Samples that another process takes: a program in Go, or this one started anew.

use super::{Entry, Role, Sample, Scenario, Workload};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

/// Answers a line by a line and sleeps in between, so that it can take its turn among the others.
struct Program {
    child: Child,
    /// Until it is told to end.
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// The program, and the entries that it has.
    fn start(path: &Path) -> (Self, Value) {
        let mut command = Command::new(path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("asked for")).lines();
        let mut program = Self { child, requests, answers };
        let hello = program.answer();
        (program, hello)
    }

    fn answer(&mut self) -> Value {
        let line = self.answers.next().expect("the program has ended, and said why");
        serde_json::from_str(&line.expect("text")).expect("JSON")
    }

    fn take(&mut self, scenario: &str, subject: &str, ops: u64) -> Sample {
        let request = json!({ "scenario": scenario, "subject": subject, "ops": ops });
        let requests = self.requests.as_mut().expect("it has not been told to end");
        writeln!(requests, "{request}").expect("the program has ended, and said why");
        sample(&self.answer())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The end of its input is what it waits for.
        self.requests = None;
        let ended = self.child.wait();
        assert!(ended.is_ok_and(|status| status.success()), "the program has said why");
    }
}

pub fn to_json(sample: &Sample) -> Value {
    json!({ "ops": sample.ops, "amount": sample.amount })
}

fn sample(answer: &Value) -> Sample {
    let ops = answer["ops"].as_u64().expect("`ops` is a number");
    Sample::count(ops, answer["amount"].as_f64().expect("`amount` is a number"))
}

/// Adds the program's entries to the scenarios of the same names.
pub fn attach(path: &Path, scenarios: &mut [Scenario]) {
    let (program, hello) = Program::start(path);
    let program = Rc::new(RefCell::new(program));
    for entry in hello["entries"].as_array().expect("`entries` is a list") {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let (name, subject) = text("scenario").zip(text("subject")).expect("an entry has names");
        let scenario = scenarios.iter_mut().find(|scenario| scenario.name == name);
        let scenario = scenario.unwrap_or_else(|| panic!("{path:?}: no scenario is called {name}"));
        let asked = subject.clone();
        let workload: Workload = if scenario.alone {
            let path = path.to_owned();
            Box::new(move |ops| {
                let (mut program, _) = Program::start(&path);
                program.take(&name, &asked, ops)
            })
        } else {
            let program = Rc::clone(&program);
            Box::new(move |ops| program.borrow_mut().take(&name, &asked, ops))
        };
        let stands_in_for = text("stands_in_for");
        scenario.entries.push(Entry {
            subject,
            role: Role::Rival,
            fifo: false,
            workload,
            stands_in_for,
        });
    }
}

/// Has each sample of such a scenario taken by a process of its own that has done nothing before.
pub fn isolate(scenario: &mut Scenario) {
    let name = &scenario.name;
    for entry in &mut scenario.entries {
        let (name, subject) = (name.clone(), entry.subject.clone());
        entry.workload = Box::new(move |_| anew(&name, &subject));
    }
}

fn anew(scenario: &str, subject: &str) -> Sample {
    let mut command = Command::new(env::current_exe().expect("a bench has a path"));
    command.args(["--paired", "--alone", subject, scenario]).stderr(Stdio::inherit());
    let done = command.output().expect("it has started once before");
    assert!(done.status.success(), "{scenario}: {subject} alone: {}", done.status);
    sample(&serde_json::from_slice(&done.stdout).expect("JSON"))
}
