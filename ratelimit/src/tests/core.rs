//! The core that several share, on one thread: what a defect that was found once looked like.

use super::support::{assert_envelope, core, reserve, take};
use crate::core::{Core, Due, Promise};
use crate::quota::{Quota, Rate};
use crate::state::{Change, Inherit, Word};
use std::task::Waker;
use std::time::Duration;

/// Three promises, the middle one cancelled, its tokens promised again and cancelled again: the
/// mark of the third, which is still promised, must not go with it. Otherwise the first gives back
/// more than it may, and eight tokens are granted in the time of two with a burst of five.
#[test]
fn cancelling_what_stands_below_the_mark_leaves_the_mark() {
    let core = Core::new(Quota::every(Duration::from_nanos(10)).burst(5), 0);
    assert!(take(&core, 5, 0));
    let first = reserve(&core, 5, 0);
    let second = reserve(&core, 5, 0);
    let third = reserve(&core, 1, 0);
    assert_eq!(third.at, Some(110));
    assert_eq!(core.cancel(second, 0), 4);
    let again = reserve(&core, 4, 0);
    assert_eq!(again.at, Some(110));
    assert_eq!(core.cancel(again, 0), 4);
    core.cancel(first, 0);
    let (five, two) = (reserve(&core, 5, 0), reserve(&core, 2, 0));
    // One at 110 has been promised, so seven are too many from 90 on.
    assert!(five.at.unwrap() >= 100 && two.at.unwrap() >= 120, "{five:?} {two:?}");
}

/// A cancel in the middle lets the odometer go back behind whom it leaves in line. He is served
/// all the same when there is no limit any more.
#[test]
fn without_a_limit_everybody_in_line_is_served() {
    let core = Core::new(Quota::per_second(1).burst(5), 0);
    assert!(take(&core, 5, 0));
    let middle = reserve(&core, 5, 0);
    let last = reserve(&core, 1, 0);
    assert_eq!(core.cancel(middle, 0), 4);
    core.reconfigure(|quota| Quota { rate: Rate::INF, ..quota }, Inherit::AsIs, 1);
    let due = core.look_after(&last, &mut None, 1, None, Waker::noop());
    assert!(matches!(due, Due::Now(_)), "{due:?}");
}

/// A pause holds where there is no limit too, and whoever waits for its end is told when it moves.
#[test]
fn a_pause_holds_without_a_limit() {
    let core = Core::new(Quota::INF, 0);
    core.change(Change::Pause { until: 100 }, 0);
    let denied = core.try_acquire(3, || 40).unwrap_err();
    assert_eq!(denied.retry_after(), Some(Duration::from_nanos(60)));
    assert_eq!(core.try_up_to(3, 40), 0);
    assert!(core.peek(3, || 99).is_err());
    assert!(core.reserve(3, Some(99), 40).is_err());
    let promise = reserve(&core, 3, 40);
    assert_eq!(promise.at, Some(100));
    core.change(Change::Pause { until: 200 }, 50);
    let look = |now| core.look_after(&promise, &mut None, now, None, Waker::noop());
    assert!(matches!(look(150), Due::At(Some(200))));
    assert!(matches!(look(200), Due::Now(_)));
    assert_eq!(core.cancel(promise, 150), 0);
    assert!(take(&core, u32::MAX, 200));
    assert_eq!(core.try_up_to(7, 200), 7);
}

/// No limit: no clock is read.
#[test]
fn no_clock_is_read_without_a_limit() {
    let clock = || unreachable!("nobody needs to know");
    let core = Core::new(Quota::INF, 0);
    core.try_acquire(u32::MAX, clock).unwrap();
    core.peek(1, clock).unwrap();
    Core::new(Quota::per_second(1), 0).try_acquire(0, clock).unwrap();
}

/// Go's rule for a line that is cancelled from its end: each gives back what nobody behind it waits
/// for, and those who have left are nobody (`TestCancelMulti`).
#[test]
fn a_line_is_cancelled_from_its_end() {
    let core = Core::new(Quota::every(Duration::from_nanos(100)).burst(4), 0);
    assert!(take(&core, 4, 0));
    let [first, _, last] = [3, 1, 1].map(|n| reserve(&core, n, 0));
    assert_eq!((core.cancel(last, 100), core.cancel(first, 100)), (1, 2));
    assert_eq!(reserve(&core, 3, 100).at, Some(500));
    let [fifth, sixth] = [2, 2].map(|n| reserve(&core, n, 100));
    assert_eq!((core.cancel(sixth, 100), core.cancel(fifth, 100)), (2, 2));
    assert_eq!(reserve(&core, 1, 100).at, Some(600));
}

/// What was there at once lies below the brim after a refund: given back all the same, it would be
/// promised again beside what took its place.
#[test]
fn what_was_there_at_once_is_not_given_back_from_below_the_brim() {
    let core = Core::new(Quota::every(Duration::from_nanos(20)).burst(2), 0);
    let first = reserve(&core, 1, 0);
    core.refund(1, 0);
    let second = reserve(&core, 2, 0);
    assert_eq!(core.cancel(first, 0), 0);
    // Two at 40, and two more not before 80.
    let line = [2, 2].map(|n| reserve(&core, n, 0).at);
    assert_eq!(line, [Some(40), Some(80)]);
    assert_eq!(core.cancel(second, 0), 0);
    // Nor when only a few were taken since: it began below the brim that there is now.
    let core = Core::new(Quota::every(Duration::from_nanos(20)).burst(10), 0);
    let first = reserve(&core, 5, 0);
    core.refund(5, 0);
    assert!(take(&core, 1, 0));
    assert_eq!((core.cancel(first, 0), core.try_up_to(99, 0)), (0, 9));
    // In the same moment, and with nothing changed, it is.
    let core = Core::new(Quota::every(Duration::from_nanos(20)).burst(2), 0);
    let first = reserve(&core, 1, 0);
    assert_eq!((core.cancel(first, 0), core.try_up_to(9, 0)), (1, 2));
    // Also where others have taken of it since, who wait for nothing.
    let core = Core::new(Quota::every(Duration::from_nanos(20)).burst(9), 0);
    let first = reserve(&core, 5, 0);
    assert!(take(&core, 3, 0));
    assert_eq!((core.cancel(first, 0), core.try_up_to(9, 0)), (5, 6));
}

/// A change of units leaves the line as it is: whoever is cancelled after it gives back what he would
/// have before, and who stands at the same mark still does.
#[test]
fn a_line_outlives_changes_of_its_units() {
    let core = Core::new(Quota::every(Duration::from_nanos(7)).burst(4), 0);
    assert!(take(&core, 4, 0));
    let [first, second] = [3, 2].map(|n| reserve(&core, n, 0));
    for (now, rate) in [(3, Rate::per(6, Duration::from_nanos(1))), (3, Rate::per_second(1))] {
        core.reconfigure(|quota| Quota { rate, ..quota }, Inherit::AsIs, now);
    }
    assert_eq!((core.cancel(first, 3), core.cancel(second, 3)), (1, 2));
}

/// So does the mark: whoever stands where the word has gone back from is not forgotten.
#[test]
fn a_mark_outlives_changes_of_its_units() {
    let core = Core::new(Quota::every(Duration::from_nanos(7)).burst(4), 0);
    assert!(take(&core, 4, 0));
    let [first, second, _] = [3, 2, 1].map(|n| reserve(&core, n, 0));
    assert_eq!(core.cancel(second, 0), 1);
    for (now, rate) in [(3, Rate::per(6, Duration::from_nanos(1))), (3, Rate::per_second(1))] {
        core.reconfigure(|quota| Quota { rate, ..quota }, Inherit::AsIs, now);
    }
    assert_eq!(core.cancel(first, 3), 0);
}

/// Tokens from the middle of a line come back, and neither moves whoever else is in it nor is taken
/// for a change by those who may still give back what was there at once.
#[test]
fn a_cancel_from_the_middle_is_not_a_change() {
    let core = Core::new(Quota::every(Duration::from_nanos(100)).burst(10), 0);
    let at_once = reserve(&core, 10, 0);
    let [middle, last] = [3, 1].map(|n| reserve(&core, n, 0));
    assert_eq!(core.cancel(middle, 0), 2);
    let mut ticket = None;
    let due = core.look_after(&last, &mut ticket, 0, None, Waker::noop());
    core.leave(&mut ticket);
    assert!(matches!(due, Due::At(Some(400))), "{due:?}");
    // All but the four that the last is promised beyond it.
    assert_eq!((core.cancel(at_once, 0), core.cancel(last, 0)), (6, 1));
}

/// Until its moment a promise comes back; afterwards it is used, also if nobody came since.
#[test]
fn a_promise_is_used_when_its_moment_has_passed() {
    for (now, back) in [(9, 1), (10, 1), (11, 0), (1_000, 0)] {
        let core = core(10, 1, 0);
        assert!(take(&core, 1, 0));
        let promise = reserve(&core, 1, 0);
        assert_eq!((promise.at, core.cancel(promise, now)), (Some(10), back), "at {now}");
    }
}

/// What the crate's page says of its size.
#[test]
fn a_limiter_takes_six_pairs_of_cache_lines() {
    assert_eq!(size_of::<Core>(), 6 * 128);
}

/// Whoever loses the word to another request stands aside; after a change there is nobody to wait for.
#[test]
fn only_company_is_waited_for() {
    let core = core(10, 5, 0);
    let word = Word(core.bits());
    assert!(take(&core, 1, 0));
    assert!(Core::stand_aside(word, Word(core.bits())));
    core.change(Change::Refund(1), 0);
    assert!(!Core::stand_aside(word, Word(core.bits())));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(u32),
    /// Which of those that stand.
    Cancel(usize),
}

/// What stands after these steps, all at one moment, from an empty bucket.
fn after(steps: &[Step], burst: u32, core: &Core) -> Vec<Promise> {
    assert!(take(core, burst, 0));
    let mut stand = Vec::new();
    for step in steps {
        match *step {
            Step::Reserve(n) => stand.push(reserve(core, n, 0)),
            Step::Cancel(index) => {
                core.cancel(stand.remove(index), 0);
            }
        }
    }
    stand
}

fn search(steps: &mut Vec<Step>, stand: usize, burst: u32, depth: u32, seen: &mut u32) {
    *seen += 1;
    // What is wrong shows in what is promised afterwards, in pieces of some size.
    for piece in 1..=burst {
        let core = core(10, burst, 0);
        let stand = after(steps, burst, &core);
        let mut granted: Vec<_> = stand.iter().map(|it| (it.at.unwrap(), it.n())).collect();
        granted.push((0, burst));
        while granted.last().unwrap().0 < 10 * u64::from(burst) * 3 {
            granted.push((reserve(&core, piece, 0).at.unwrap(), piece));
        }
        assert_envelope(&mut granted, 10, burst);
    }
    if depth == 0 {
        return;
    }
    let reserves = (1..=burst).map(Step::Reserve);
    for step in reserves.chain((0..stand).map(Step::Cancel)) {
        let stand = match step {
            Step::Reserve(_) => stand + 1,
            Step::Cancel(_) => stand - 1,
        };
        steps.push(step);
        search(steps, stand, burst, depth - 1, seen);
        steps.pop();
    }
}

/// All of them, one after the other.
#[test]
fn every_short_schedule_of_reserves_and_cancels() {
    let mut seen = 0;
    for (burst, depth) in [(2, 6), (3, 7)] {
        search(&mut Vec::new(), 0, burst, depth, &mut seen);
    }
    assert!(seen > 50_000, "{seen}");
}

/// A change rounds the supply down to a unit, and lets the line begin earlier by what that was worth in
/// whole nanoseconds: less than one is lost each time, and nothing is gained.
#[test]
fn many_changes_mint_nothing() {
    let core = Core::new(Quota::per(3, Duration::from_nanos(10)).burst(1_000_000).initial(0), 0);
    // In 110ths of a token.
    let (mut exact, mut least) = (0_i64, 0_i64);
    for now in 1..=1_000_u64 {
        let (supplied, next) = if now % 2 == 1 { (33, 11) } else { (30, 10) };
        exact += supplied;
        least += supplied - 33;
        let rate = Rate::per(3, Duration::from_nanos(next));
        core.reconfigure(|quota| Quota { rate, initial: None, ..quota }, Inherit::AsIs, now);
    }
    let got = i64::from(core.try_up_to(u32::MAX, 1_000));
    assert!(got * 110 <= exact, "{got} tokens of {exact} / 110");
    assert!((got + 1) * 110 >= least, "{got} tokens, of {least} / 110 at least");
    assert!(got > 0, "changes in every nanosecond leave something");
}

/// Whoever stands in line keeps his distance from the supply, however often the rate changes.
#[test]
fn many_changes_bring_nobody_forward() {
    let core = Core::new(Quota::per(3, Duration::from_nanos(10)).burst(1_000).initial(0), 0);
    let promise = reserve(&core, 900, 0);
    let mut exact = 0_i64;
    for now in 1..=1_000_u64 {
        let (supplied, next) = if now % 2 == 1 { (33, 11) } else { (30, 10) };
        exact += supplied;
        let rate = Rate::per(3, Duration::from_nanos(next));
        core.reconfigure(|quota| Quota { rate, initial: None, ..quota }, Inherit::AsIs, now);
    }
    // The rest at 3 in 10 ns, which is 33 / 110 of a token in each.
    let due = 1_000 + (900 * 110 - exact + 32) / 33;
    let mut ticket = None;
    let early = core.look_after(&promise, &mut ticket, due as u64 - 2, None, Waker::noop());
    core.leave(&mut ticket);
    assert!(matches!(early, Due::At(Some(_))), "{early:?} before {due}");
}
