//! The pure state machine, on one thread and without an atomic.

mod a_batch;
mod the_mark;
mod the_queue;

use crate::error::AcquireError;
use crate::state::{Admission, CLOSED, Line, MAX_PERMITS, Need, WAITERS, Word, is_idle};
use crate::waiters::{Left, Ticket, WakeBatch, WakePanic};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

const FLAGS: [isize; 4] = [0, WAITERS, CLOSED, WAITERS | CLOSED];
const MAX: isize = MAX_PERMITS as isize;

/// A word with `permits`, which may be a debt, and `flags`.
fn word(permits: isize, flags: isize) -> Word {
    let open = Word::open(permits.unsigned_abs());
    Word(if permits < 0 { -open.0 } else { open.0 } | flags)
}

fn range(min: usize, max: usize) -> Need {
    Need::Range { min, max }
}

fn exceeds(requested: usize, limit: usize) -> AcquireError {
    AcquireError::ExceedsLimit { requested, limit }
}

/// A waker that writes its number down when it is called.
struct Named {
    name: usize,
    called: Arc<AtomicUsize>,
}

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        // Decimal digits, in the order of the calls.
        let calls = self.called.load(Ordering::Relaxed);
        self.called.store(10 * calls + self.name, Ordering::Relaxed);
    }
}

/// Wakers by name, and what they wrote down.
#[derive(Default)]
struct Wakers(Arc<AtomicUsize>);

impl Wakers {
    fn named(&self, name: usize) -> Waker {
        Waker::from(Arc::new(Named { name, called: Arc::clone(&self.0) }))
    }

    fn called(&self, batch: &mut WakeBatch) -> usize {
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        panic.resume();
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A line in which requests for these stand.
fn line_of(needs: &[Need]) -> (Line, Vec<Ticket>) {
    let mut line = Line::new();
    let tickets =
        needs.iter().map(|need| line.acquirers.push_back(*need, Waker::noop().clone())).collect();
    (line, tickets)
}

mod the_word {
    use super::{CLOSED, FLAGS, MAX, MAX_PERMITS, Need, WAITERS, Word, is_idle, range, word};

    #[test]
    fn keeps_permits_and_flags_apart() {
        for permits in [0, 1, -1, 2, -2, 7, MAX - 1, MAX, 1 - MAX, -MAX] {
            for flags in FLAGS {
                let word = word(permits, flags);
                assert_eq!(word.permits(), permits);
                assert_eq!(word.is_closed(), flags & CLOSED != 0);
                assert_eq!(word.has_waiters(), flags & WAITERS != 0);
            }
        }
    }

    #[test]
    fn is_open_and_without_waiters_when_new() {
        for permits in [1, 2, MAX_PERMITS] {
            let word = Word::open(permits);
            assert_eq!(word.permits(), permits as isize);
            assert!(!word.is_closed() && !word.has_waiters());
        }
    }

    #[test]
    fn changes_no_flag_when_permits_come_and_go() {
        let amounts = [0, 1, 2, 3, MAX_PERMITS - 1, MAX_PERMITS];
        for flags in FLAGS {
            for amount in amounts {
                let delta = Word::permits_delta(amount);
                for (from, to) in [
                    (0, amount as isize),
                    (-(amount as isize), 0),
                    (MAX - amount as isize, MAX),
                    (-MAX, amount as isize - MAX),
                ] {
                    let up = Word(word(from, flags).0.checked_add(delta).expect("in range"));
                    assert_eq!(up, word(to, flags));
                    let down = Word(up.0.checked_sub(delta).expect("in range"));
                    assert_eq!(down, word(from, flags));
                }
            }
        }
    }

    #[test]
    fn holds_the_widest_change_of_a_limit() {
        let change = Word::permits_delta(1) - Word::permits_delta(MAX_PERMITS);
        for flags in FLAGS {
            let all_held = word(0, flags);
            let in_debt = Word(all_held.0.checked_add(change).expect("in range"));
            assert_eq!(in_debt, word(1 - MAX, flags));
            assert_eq!(Word(in_debt.0.checked_sub(change).expect("in range")), all_held);
        }
    }

    /// The table in `state.rs`, row by row.
    #[test]
    fn gives_permits_unasked_on_the_open_road_only() {
        let one = Need::exactly(1);
        assert_eq!(word(1, 0).take_unasked(one), Some(1));
        assert_eq!(word(0, 0).take_unasked(one), None);
        assert_eq!(word(-1, 0).take_unasked(one), None);
        for flags in &FLAGS[1..] {
            for permits in [-1, 0, 1, MAX] {
                for need in [one, Need::exactly(0), range(0, 9), Need::All] {
                    assert_eq!(word(permits, *flags).take_unasked(need), None);
                }
            }
        }
    }

    #[test]
    fn gives_unasked_what_the_request_takes_and_never_all() {
        assert_eq!(word(5, 0).take_unasked(Need::exactly(5)), Some(5));
        assert_eq!(word(5, 0).take_unasked(Need::exactly(6)), None);
        assert_eq!(word(5, 0).take_unasked(range(2, 4)), Some(4));
        assert_eq!(word(3, 0).take_unasked(range(2, 4)), Some(3));
        assert_eq!(word(1, 0).take_unasked(range(2, 4)), None);
        assert_eq!(word(0, 0).take_unasked(Need::exactly(0)), Some(0));
        assert_eq!(word(-4, 0).take_unasked(Need::exactly(0)), Some(0));
        assert_eq!(word(MAX, 0).take_unasked(Need::exactly(MAX_PERMITS)), Some(MAX_PERMITS));
        assert_eq!(word(MAX, 0).take_unasked(Need::exactly(usize::MAX)), None);
        // What "all" means is not in the word.
        assert_eq!(word(5, 0).take_unasked(Need::All), None);
    }

    #[test]
    fn is_idle_when_every_permit_of_the_limit_is_back() {
        assert!(is_idle(3, 3));
        assert!(!is_idle(2, 3));
        assert!(!is_idle(-1, 3));
        assert!(is_idle(0, 0), "with nothing left, nothing is held");
    }
}

mod a_need {
    use super::{MAX, MAX_PERMITS, Need, exceeds, range};

    #[test]
    fn takes_its_exact_number_or_nothing() {
        let three = Need::exactly(3);
        for (permits, taken) in [(-1, None), (0, None), (2, None), (3, Some(3)), (9, Some(3))] {
            assert_eq!(three.take(permits, 5), taken);
        }
    }

    #[test]
    fn takes_what_is_there_between_its_bounds() {
        let need = range(2, 4);
        for (permits, taken) in
            [(-9, None), (1, None), (2, Some(2)), (3, Some(3)), (4, Some(4)), (5, Some(4))]
        {
            assert_eq!(need.take(permits, 5), taken);
        }
        assert_eq!(range(0, usize::MAX).take(MAX, MAX_PERMITS), Some(MAX_PERMITS));
    }

    #[test]
    fn for_nothing_is_met_even_in_debt() {
        for permits in [-MAX, -1, 0, 1] {
            assert_eq!(Need::exactly(0).take(permits, 1), Some(0));
        }
        assert_eq!(range(0, 5).take(-3, 1), Some(0));
    }

    #[test]
    fn for_all_takes_the_whole_limit_or_nothing() {
        for (permits, limit, taken) in [
            (3, 3, Some(3)),
            (2, 3, None),
            (0, 3, None),
            (-1, 3, None),
            (1, 1, Some(1)),
            (MAX, MAX_PERMITS, Some(MAX_PERMITS)),
        ] {
            assert_eq!(Need::All.take(permits, limit), taken);
        }
        assert_eq!(Need::All.take(0, 0), None, "all of nothing excludes nobody");
    }

    #[test]
    fn names_the_least_without_which_it_is_not_met() {
        assert_eq!(Need::exactly(4).least(9), 4);
        assert_eq!(range(2, 7).least(9), 2);
        assert_eq!(Need::All.least(9), 9);
        assert_eq!(Need::All.least(0), 1);
    }

    #[test]
    fn fails_where_it_can_never_be_met() {
        for need in [Need::exactly(5), range(5, 5), range(0, 99), range(5, 99), Need::All] {
            assert_eq!(need.check(5), Ok(()));
        }
        assert_eq!(Need::exactly(6).check(5), Err(exceeds(6, 5)));
        assert_eq!(range(6, 99).check(5), Err(exceeds(6, 5)));
        assert_eq!(
            Need::exactly(usize::MAX).check(MAX_PERMITS),
            Err(exceeds(usize::MAX, MAX_PERMITS))
        );
        assert_eq!(Need::All.check(0), Err(exceeds(1, 0)));
        assert_eq!(Need::exactly(0).check(0), Ok(()));
    }
}

mod the_line {
    use super::{
        AcquireError, Admission, Left, Line, Need, WakeBatch, Waker, Wakers, exceeds, line_of,
        range,
    };

    #[test]
    fn admits_at_once_whom_the_permits_suffice_for_if_nobody_waits() {
        let line = Line::new();
        assert_eq!(line.admit(Need::exactly(2), 2, 3), Admission::Granted(2));
        assert_eq!(line.admit(range(1, 9), 2, 3), Admission::Granted(2));
        assert_eq!(line.admit(Need::All, 3, 3), Admission::Granted(3));
        assert_eq!(line.admit(Need::exactly(3), 2, 3), Admission::Queue);
        assert_eq!(line.admit(Need::All, 2, 3), Admission::Queue);
        assert_eq!(line.admit(Need::exactly(1), -1, 3), Admission::Queue);
    }

    #[test]
    fn lets_nobody_overtake_but_those_who_want_nothing() {
        let (line, _tickets) = line_of(&[Need::exactly(3)]);
        let free = 2;
        assert_eq!(line.admit(Need::exactly(1), free, 3), Admission::Queue);
        assert_eq!(line.admit(range(1, 2), free, 3), Admission::Queue);
        assert_eq!(line.admit(Need::All, 3, 3), Admission::Queue);
        assert_eq!(line.admit(Need::exactly(0), free, 3), Admission::Granted(0));
        assert_eq!(line.admit(range(0, 2), free, 3), Admission::Granted(0), "not one that is kept");
    }

    #[test]
    fn is_not_blocked_by_those_who_wait_for_idleness() {
        let mut line = Line::new();
        let idler = line.idlers.push_back((), Waker::noop().clone());
        assert!(!line.is_empty(), "the mark has to stand");
        assert_eq!(line.admit(Need::exactly(1), 1, 2), Admission::Granted(1));
        line.idlers.leave(idler);
        assert!(line.is_empty());
    }

    #[test]
    fn has_a_moment_of_idleness_told_before_it_ends() {
        let mut line = Line::new();
        let idler = line.idlers.push_back((), Waker::noop().clone());
        for need in [Need::exactly(1), Need::exactly(0), range(0, 9), Need::All] {
            assert_eq!(line.admit(need, 2, 2), Admission::IdleFirst);
        }
        assert_eq!(line.admit(Need::All, 1, 2), Admission::Queue, "one is held");
        let mut batch = WakeBatch::default();
        line.settle_idlers(2, 2, &mut batch);
        assert_eq!(line.admit(Need::All, 2, 2), Admission::Granted(2));
        assert!(matches!(line.idlers.leave(idler), Left::Settled(())));
    }

    #[test]
    fn grants_from_the_front_while_the_front_fits() {
        let wakers = Wakers::default();
        let mut line = Line::new();
        let needs = [Need::exactly(2), range(1, 3), Need::exactly(4), Need::exactly(1)];
        let tickets: Vec<_> = (1..)
            .zip(needs)
            .map(|(name, need)| line.acquirers.push_back(need, wakers.named(name)))
            .collect();
        assert!(line.grant_front(1, 5).is_none());
        let mut granted = |permits| {
            line.grant_front(permits, 5).map(|(weight, waker)| {
                let mut batch = WakeBatch::default();
                batch.push(waker);
                (weight, wakers.called(&mut batch))
            })
        };
        assert_eq!(granted(5), Some((2, 1)));
        assert_eq!(granted(3), Some((3, 2)));
        assert_eq!(granted(0), None);
        assert_eq!(granted(3), None, "the last would fit, and is not in front");
        assert_eq!(granted(5), Some((4, 3)));
        assert_eq!(granted(1), Some((1, 4)));
        assert_eq!(granted(1), None);
        assert!(line.is_empty());
        let weights: Vec<_> = tickets
            .into_iter()
            .map(|ticket| match line.acquirers.leave(ticket) {
                Left::Settled(outcome) => outcome.unwrap(),
                Left::Queued(_) => panic!("it was granted"),
            })
            .collect();
        assert_eq!(weights, [2, 3, 4, 1]);
    }

    #[test]
    fn fails_what_a_smaller_limit_can_never_serve_and_keeps_the_others_in_order() {
        let (mut line, tickets) =
            line_of(&[Need::exactly(5), Need::exactly(3), range(4, 9), Need::All, range(1, 9)]);
        let mut batch = WakeBatch::default();
        line.fail_impossible(3, &mut batch);
        assert_eq!(line.acquirers.len(), 3);
        let mut order = Vec::new();
        while let Some(need) = line.acquirers.front() {
            order.push(*need);
            line.acquirers.settle_front(Ok(0));
        }
        assert_eq!(order, [Need::exactly(3), Need::All, range(1, 9)]);
        let outcomes: Vec<_> = tickets
            .into_iter()
            .map(|ticket| match line.acquirers.leave(ticket) {
                Left::Settled(outcome) => outcome,
                Left::Queued(_) => panic!("all are settled"),
            })
            .collect();
        let ok = Ok(0);
        assert_eq!(outcomes, [Err(exceeds(5, 3)), ok, Err(exceeds(4, 3)), ok, ok]);
    }

    #[test]
    fn fails_a_request_for_all_only_when_nothing_is_left() {
        let (mut line, _tickets) = line_of(&[Need::All]);
        let mut batch = WakeBatch::default();
        line.fail_impossible(1, &mut batch);
        assert_eq!(line.acquirers.len(), 1);
        line.fail_impossible(0, &mut batch);
        assert_eq!(line.acquirers.len(), 0);
    }

    #[test]
    fn fails_everybody_at_once_and_wakes_them_in_order() {
        let wakers = Wakers::default();
        let mut line = Line::new();
        let tickets =
            [1, 2, 3].map(|name| line.acquirers.push_back(Need::exactly(name), wakers.named(name)));
        let mut batch = WakeBatch::default();
        line.fail_all(AcquireError::Closed, &mut batch);
        assert!(line.is_empty());
        assert_eq!(wakers.called(&mut batch), 123);
        for ticket in tickets {
            let left = line.acquirers.leave(ticket);
            assert!(matches!(left, Left::Settled(Err(AcquireError::Closed))));
        }
    }

    #[test]
    fn ends_the_waits_for_idleness_when_nothing_is_held_and_nobody_is_in_line() {
        let wakers = Wakers::default();
        let (mut line, mut tickets) = line_of(&[Need::exactly(1)]);
        let _idlers = [1, 2].map(|name| line.idlers.push_back((), wakers.named(name)));
        let mut batch = WakeBatch::default();
        line.settle_idlers(3, 3, &mut batch);
        assert_eq!((line.idlers.len(), wakers.called(&mut batch)), (2, 0), "somebody is in line");
        let _waker = line.acquirers.leave(tickets.remove(0));
        line.settle_idlers(2, 3, &mut batch);
        assert_eq!((line.idlers.len(), wakers.called(&mut batch)), (2, 0), "one is held");
        line.settle_idlers(3, 3, &mut batch);
        assert_eq!((line.idlers.len(), wakers.called(&mut batch)), (0, 12));
        assert!(line.is_empty());
    }
}

#[cfg(all(feature = "sync", target_os = "linux"))]
mod the_list_of_cpus {
    use crate::cores::count_cpus;

    #[test]
    fn is_counted() {
        for (list, cpus) in [
            ("0", 1),
            ("7", 1),
            ("0-3", 4),
            ("0-0", 1),
            ("0,2,4", 3),
            ("0-3,8,10-11", 7),
            ("64-127", 64),
        ] {
            assert_eq!(count_cpus(list), cpus, "{list}");
        }
    }

    #[test]
    fn that_makes_no_sense_counts_for_nothing_and_never_wraps() {
        for (list, cpus) in
            [("", 0), (",", 0), ("x", 0), ("3-1", 0), ("1-", 0), ("-", 0), ("-1", 0), ("x,2", 1)]
        {
            assert_eq!(count_cpus(list), cpus, "{list:?}");
        }
    }
}
