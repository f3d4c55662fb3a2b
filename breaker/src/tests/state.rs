//! The control word as arithmetic.

use crate::state::{Generation, LAG, MOST_PROBES, Probe, State, Trial, Verdict, Word};

const STATES: [State; 6] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::Disabled,
    State::MetricsOnly,
];

fn half_open() -> Word {
    Word::new(Generation(7), State::HalfOpen)
}

#[test]
fn a_word_holds_what_is_put_in() {
    for state in STATES {
        for generation in [0, 1, (1 << 24) - 1] {
            let word = Word::new(Generation(generation), state);
            assert_eq!(word.generation(), Generation(generation));
            assert_eq!(word.state(), state);
            assert_eq!(word.is_closed(), state == State::Closed);
            assert_eq!((word.admitted(), word.succeeded(), word.failed()), (0, 0, 0));
        }
    }
}

#[test]
fn generations_go_round() {
    let last = Generation((1 << 24) - 1);
    assert_eq!(last.next(), Generation(0));
    assert!(last.is_behind(Generation(0)));
    assert!(!Generation(0).is_behind(last));
    assert!(!last.is_behind(last));
    assert!(Generation(0).is_behind(Generation(LAG)));
    assert!(!Generation(0).is_behind(Generation(LAG + 1)), "that was written long ago");
}

/// Every way through every small trial: no more probes than there may be, at most one verdict, and
/// one as soon as it is certain.
#[test]
fn all_ways_through_a_trial() {
    for probes in 1..=4 {
        for successes in 1..=probes {
            for at_a_time in 1..=probes {
                walk(half_open(), &Trial { probes, at_a_time, successes });
            }
        }
    }
}

fn walk(word: Word, trial: &Trial) {
    assert!(word.admitted() <= trial.probes && word.under_way() <= trial.at_a_time);
    assert_eq!(word.generation(), Generation(7));
    assert_eq!(word.state(), State::HalfOpen);
    match word.admit(trial) {
        Some(next) => {
            assert_eq!(next.under_way(), word.under_way() + 1);
            walk(next, trial);
        }
        None => assert!(
            word.admitted() == trial.probes || word.under_way() == trial.at_a_time,
            "{word:?}"
        ),
    }
    if word.under_way() == 0 {
        assert!(word.admit(trial).is_some(), "without a verdict there is a place: {word:?}");
        return;
    }
    for probe in [Probe::Succeeded, Probe::Failed] {
        let (next, verdict) = word.settle(probe, trial);
        let hopeless = next.failed() > trial.probes - trial.successes;
        match verdict {
            Some(Verdict::Recovered) => assert_eq!(next.succeeded(), trial.successes),
            Some(Verdict::Broken) => assert!(hopeless),
            None => {
                assert!(next.succeeded() < trial.successes && !hopeless);
                walk(next, trial);
            }
        }
    }
    let (next, verdict) = word.settle(Probe::GivenBack, trial);
    assert_eq!((next.admitted(), verdict), (word.admitted() - 1, None));
    assert!(next.admit(trial).is_some());
}

#[test]
fn the_largest_trial_fits() {
    let trial = Trial { probes: MOST_PROBES, at_a_time: MOST_PROBES, successes: MOST_PROBES };
    let mut word = half_open();
    while let Some(next) = word.admit(&trial) {
        word = next;
    }
    assert_eq!(word.admitted(), MOST_PROBES);
    for left in (0..MOST_PROBES).rev() {
        let (next, verdict) = word.settle(Probe::Succeeded, &trial);
        assert_eq!(verdict.is_some(), left == 0);
        word = next;
    }
    assert_eq!((word.under_way(), word.failed(), word.state()), (0, 0, State::HalfOpen));
}
