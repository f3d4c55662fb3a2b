//! The core that several share, on one thread: what a defect that was found once looked like.

use super::support::{reserve, take};
use crate::core::Core;
use crate::quota::Quota;
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
