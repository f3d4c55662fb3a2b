//! Trees that grow, shrink and are cancelled at random, against a reference that is written down
//! in a few lines.

use lockgate_errgroup::CancelToken;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Child(usize),
    AnyOf(Vec<usize>),
    Clone(usize),
    Drop(usize),
    Cancel(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let at = any::<usize>();
    prop_oneof![
        4 => at.prop_map(Step::Child),
        1 => vec(at, 0..4).prop_map(Step::AnyOf),
        1 => at.prop_map(Step::Clone),
        3 => at.prop_map(Step::Drop),
        2 => at.prop_map(Step::Cancel),
    ]
}

/// All tokens that there ever were, each with its parents and its cause.
#[derive(Default)]
struct Reference(Vec<(Vec<usize>, Option<usize>)>);

impl Reference {
    fn add(&mut self, parents: Vec<usize>) -> usize {
        let cause = parents.iter().find_map(|&parent| self.0[parent].1);
        self.0.push((parents, cause));
        self.0.len() - 1
    }

    fn cancel(&mut self, token: usize, cause: usize) -> bool {
        let first = self.0[token].1.is_none();
        self.0[token].1.get_or_insert(cause);
        // Parents come before their children.
        for at in token + 1..self.0.len() {
            let cancelled = |&parent: &usize| self.0[parent].1 == Some(cause);
            if first && self.0[at].1.is_none() && self.0[at].0.iter().any(cancelled) {
                self.0[at].1 = Some(cause);
            }
        }
        first
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn trees_do_what_the_reference_does(steps in vec(step(), 0..80)) {
        let mut reference = Reference::default();
        // The handles that are there, each with its number in the reference.
        let mut handles = vec![(CancelToken::new(), reference.add(vec![]))];
        for (now, step) in steps.into_iter().enumerate() {
            let count = handles.len();
            let pick = |at: usize| at % count;
            match step {
                _ if count == 0 => break,
                Step::Child(at) => {
                    let (token, parent) = &handles[pick(at)];
                    let child = (token.child(), reference.add(vec![*parent]));
                    handles.push(child);
                }
                Step::AnyOf(at) => {
                    let parents: Vec<_> = at.into_iter().map(|at| &handles[pick(at)]).collect();
                    let numbers = parents.iter().map(|(_, number)| *number).collect();
                    let token = CancelToken::any_of(parents.iter().map(|(token, _)| token));
                    handles.push((token, reference.add(numbers)));
                }
                Step::Clone(at) => handles.push(handles[pick(at)].clone()),
                Step::Drop(at) => drop(handles.swap_remove(pick(at))),
                Step::Cancel(at) => {
                    let (token, number) = &handles[pick(at)];
                    let first = reference.cancel(*number, now);
                    prop_assert_eq!(token.cancel_with(now.to_string()), first);
                }
            }
            for (token, number) in &handles {
                let cause = reference.0[*number].1.map(|cause| cause.to_string());
                prop_assert_eq!(token.is_cancelled(), cause.is_some());
                prop_assert_eq!(token.cause().map(|cause| cause.to_string()), cause);
            }
        }
    }
}
