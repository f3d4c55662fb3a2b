//! A tree that grows and shrinks while it is cancelled.

use super::token_support::{assert_alone, cause, dependents, queued};
use crate::CancelToken;
use crate::primitives::{Explore, TrackedArc, explore, future, thread};

/// Something that is leaked if the token is: loom reports it.
fn watch(token: &CancelToken) {
    let watched = TrackedArc::new(());
    token.on_cancel(move || drop(watched)).detach();
}

/// T3: a child, and one of its own, are made while the parent is cancelled: they are, too.
#[test]
fn child_meets_cancel() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let maker = {
            let token = token.clone();
            thread::spawn(move || {
                let child = token.child();
                (child.child(), child)
            })
        };
        token.cancel_with("why");
        let (grandchild, child) = maker.join().unwrap();
        assert!(child.is_cancelled() && grandchild.is_cancelled());
        assert_eq!((cause(&child), cause(&grandchild)), ("why".into(), "why".into()));
        drop((child, grandchild));
        assert_alone(&token);
    });
}

/// T4: a child's last handle goes while the parent is cancelled. Nothing is leaked.
#[test]
fn dropped_child_meets_cancel() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let child = token.child();
        watch(&child);
        let dropper = thread::spawn(move || drop(child));
        token.cancel();
        dropper.join().unwrap();
        assert_alone(&token);
    });
}

/// T4: two handles on a child go at once, and one of them is the last.
#[test]
fn two_handles_go_at_once() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let child = token.child();
        watch(&child);
        let other = child.clone();
        let dropper = thread::spawn(move || drop(other));
        drop(child);
        dropper.join().unwrap();
        assert_alone(&token);
    });
}

/// T4: one child goes, another comes: places are not mixed up.
#[test]
fn children_come_and_go() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let (first, second) = (token.child(), token.child());
        let dropper = thread::spawn(move || drop(first));
        let third = token.child();
        dropper.join().unwrap();
        assert_eq!(dependents(&token), 2);
        token.cancel();
        assert!(second.is_cancelled() && third.is_cancelled());
        drop((second, third));
        assert_alone(&token);
    });
}

/// T5: the last handle on a node in the middle goes while the top is cancelled: what is beneath
/// hears of it.
#[test]
fn dropped_middle_meets_cancel() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let middle = token.child();
        let leaf = middle.child();
        watch(&leaf);
        let wait = queued(leaf.cancelled_owned());
        let dropper = thread::spawn(move || drop(middle));
        token.cancel();
        dropper.join().unwrap();
        future::block_on(wait);
        assert_alone(&token);
    });
}

/// T5: the last handle on a node in the middle and that on its child go at once: whoever is last
/// unlinks both.
#[test]
fn middle_and_leaf_go_at_once() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let middle = token.child();
        let leaf = middle.child();
        watch(&leaf);
        let dropper = thread::spawn(move || drop(middle));
        drop(leaf);
        dropper.join().unwrap();
        assert_alone(&token);
    });
}

/// T5: the same while the top is cancelled.
#[test]
fn middle_and_leaf_go_while_the_top_is_cancelled() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let middle = token.child();
        let leaf = middle.child();
        watch(&leaf);
        let droppers = [thread::spawn(move || drop(middle)), thread::spawn(move || drop(leaf))];
        token.cancel();
        droppers.into_iter().for_each(|dropper| dropper.join().unwrap());
        assert_alone(&token);
    });
}

/// T6: two threads cancel one token: one cause, and whoever returns finds all beneath cancelled.
#[test]
fn two_cancels_of_one_token() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let child = token.child();
        let grandchild = child.child();
        let other = {
            let (token, grandchild) = (token.clone(), grandchild.clone());
            thread::spawn(move || {
                let mine = token.cancel_with("other");
                assert!(grandchild.is_cancelled());
                mine
            })
        };
        let mine = token.cancel_with("mine");
        assert!(grandchild.is_cancelled());
        assert_ne!(mine, other.join().unwrap());
        let winner = if mine { "mine" } else { "other" };
        for token in [&token, &child, &grandchild] {
            assert_eq!(cause(token), winner);
        }
    });
}

/// T6: the middle is cancelled while the top is on its way down through it. Whoever returns finds
/// all beneath cancelled, also what it left to the other.
#[test]
fn cancel_of_the_middle_meets_cancel_of_the_top() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let middle = token.child();
        let lower = middle.child();
        let leaf = lower.child();
        let other = {
            let (middle, leaf) = (middle.clone(), leaf.clone());
            thread::spawn(move || {
                let mine = middle.cancel_with("middle");
                assert!(leaf.is_cancelled());
                mine
            })
        };
        assert!(token.cancel_with("top"));
        assert!(leaf.is_cancelled());
        let winner = if other.join().unwrap() { "middle" } else { "top" };
        for token in [&middle, &lower, &leaf] {
            assert_eq!(cause(token), winner);
        }
        assert_eq!(cause(&token), "top");
    });
}

/// T12: a token with two parents, both cancelled at once. One cause, and whoever returns finds
/// all beneath cancelled, also if the other parent got there first.
#[test]
fn two_parents_are_cancelled_at_once() {
    explore(Explore::All, || {
        let parents = [CancelToken::new(), CancelToken::new()];
        let either = CancelToken::any_of(&parents);
        let leaf = either.child();
        let other = {
            let (parent, leaf) = (parents[0].clone(), leaf.clone());
            thread::spawn(move || {
                assert!(parent.cancel_with("first"));
                assert!(leaf.is_cancelled());
            })
        };
        assert!(parents[1].cancel_with("second"));
        assert!(leaf.is_cancelled());
        other.join().unwrap();
        assert_eq!(cause(&either), cause(&leaf));
        drop((either, leaf));
        parents.iter().for_each(assert_alone);
    });
}

/// T12: two tokens, each with the same two parents: no cancel waits for the other.
#[test]
fn two_parents_share_two_children() {
    explore(Explore::All, || {
        let parents = [CancelToken::new(), CancelToken::new()];
        let children =
            [CancelToken::any_of(&parents), CancelToken::any_of([&parents[1], &parents[0]])];
        let other = {
            let parent = parents[0].clone();
            thread::spawn(move || parent.cancel())
        };
        assert!(parents[1].cancel());
        assert!(other.join().unwrap());
        assert!(children.iter().all(CancelToken::is_cancelled));
        drop(children);
        parents.iter().for_each(assert_alone);
    });
}

/// T12: a token with two parents goes while both are cancelled. Nothing is leaked.
#[test]
fn dropped_link_meets_both_cancels() {
    explore(Explore::All, || {
        let parents = [CancelToken::new(), CancelToken::new()];
        let either = CancelToken::any_of(&parents);
        watch(&either);
        let dropper = thread::spawn(move || drop(either));
        let canceller = {
            let parent = parents[0].clone();
            thread::spawn(move || parent.cancel())
        };
        parents[1].cancel();
        dropper.join().unwrap();
        assert!(canceller.join().unwrap());
        parents.iter().for_each(assert_alone);
    });
}

/// T12: a token with two parents is made while one of them is cancelled.
#[test]
fn link_meets_cancel() {
    explore(Explore::All, || {
        let parents = [CancelToken::new(), CancelToken::new()];
        let canceller = {
            let parent = parents[0].clone();
            thread::spawn(move || parent.cancel())
        };
        let either = CancelToken::any_of(&parents);
        assert!(canceller.join().unwrap());
        assert!(either.is_cancelled());
        drop(either);
        parents.iter().for_each(assert_alone);
    });
}
