//! Callbacks that come, go and run while the token is cancelled.

use super::token_support::{Count, assert_alone};
use crate::primitives::{Arc, Explore, TrackedArc, explore, thread};
use crate::{CancelToken, Registration};
use std::sync::Mutex;

/// T8: a callback is given to a token that is being cancelled: it runs exactly once.
#[test]
fn callback_meets_cancel() {
    explore(Explore::All, || {
        let (token, called) = (CancelToken::new(), Count::new());
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let counted = Arc::clone(&called);
        let registration = token.on_cancel(move || counted.add());
        assert!(canceller.join().unwrap());
        assert_eq!(called.get(), 1);
        drop(registration);
        assert_alone(&token);
    });
}

/// T8: a callback is taken back while the token is cancelled: it never runs, or it runs once, and
/// the answer says which. What it captured is dropped.
#[test]
fn unregister_meets_cancel() {
    explore(Explore::All, || {
        let (token, called) = (CancelToken::new(), Count::new());
        let (counted, watched) = (Arc::clone(&called), TrackedArc::new(()));
        let registration = token.on_cancel(move || {
            counted.add();
            drop(watched);
        });
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let taken_back = registration.unregister();
        assert!(canceller.join().unwrap());
        assert_eq!(called.get(), usize::from(!taken_back));
        assert_alone(&token);
    });
}

/// T8: after `unregister_and_wait` the callback is not running, whatever the answer.
#[test]
fn unregister_and_wait_meets_cancel() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let (begun, ended) = (Count::new(), Count::new());
        let registration = {
            let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            token.on_cancel(move || {
                begun.add();
                ended.add();
            })
        };
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let taken_back = registration.unregister_and_wait();
        assert_eq!(begun.get(), ended.get(), "begun and ended");
        assert_eq!(ended.get(), usize::from(!taken_back));
        assert!(canceller.join().unwrap());
        assert_alone(&token);
    });
}

/// Where a callback finds its own registration, or that of another.
type Place = Arc<Mutex<Option<Registration>>>;

fn take(place: &Place) -> Option<Registration> {
    place.lock().unwrap().take()
}

/// T8: a callback waits for its own end, which would never come (.NET and C++ make the same
/// exception).
#[test]
fn callback_takes_itself_back() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let place = Place::default();
        let own = Arc::clone(&place);
        let registration = token.on_cancel(move || {
            if let Some(registration) = take(&own) {
                assert!(!registration.unregister_and_wait());
            }
        });
        *place.lock().unwrap() = Some(registration);
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        // A step of the model: what is not one, such as a look into the place, is never late.
        let cancelled = token.is_cancelled();
        if let Some(registration) = take(&place) {
            assert!(registration.unregister_and_wait() || cancelled || token.is_cancelled());
        }
        assert!(canceller.join().unwrap());
        assert_alone(&token);
    });
}

/// T10: two callbacks of two tokens drop each other's registration while both are cancelled
/// (dotnet/runtime#43438): nobody waits for anybody.
#[test]
fn callbacks_take_each_other_back() {
    explore(Explore::All, || {
        let tokens = [CancelToken::new(), CancelToken::new()];
        let places = [Place::default(), Place::default()];
        for at in 0..2 {
            let other = Arc::clone(&places[1 - at]);
            let registration = tokens[at].on_cancel(move || drop(take(&other)));
            *places[at].lock().unwrap() = Some(registration);
        }
        let canceller = {
            let token = tokens[0].clone();
            thread::spawn(move || token.cancel())
        };
        assert!(tokens[1].cancel());
        assert!(canceller.join().unwrap());
        places.iter().for_each(|place| drop(take(place)));
        tokens.iter().for_each(assert_alone);
    });
}

/// T10: of two callbacks of one token, whichever comes first takes the other back, which waits
/// its turn on the same thread: it does not run, and nobody waits for it.
#[test]
fn callback_takes_its_neighbour_back() {
    explore(Explore::All, || {
        let (token, called) = (CancelToken::new(), Count::new());
        let places = [Place::default(), Place::default()];
        for at in 0..2 {
            let (other, called) = (Arc::clone(&places[1 - at]), Arc::clone(&called));
            let registration = token.on_cancel(move || {
                called.add();
                if let Some(other) = take(&other) {
                    assert!(other.unregister_and_wait(), "it has not begun");
                }
            });
            *places[at].lock().unwrap() = Some(registration);
        }
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        token.cancel();
        canceller.join().unwrap();
        assert_eq!(called.get(), 1);
        places.iter().for_each(|place| drop(take(place)));
        assert_alone(&token);
    });
}

/// T8: the callback's token goes with it, while it is cancelled from above.
#[test]
fn registration_is_the_last_handle() {
    explore(Explore::All, || {
        let (token, called) = (CancelToken::new(), Count::new());
        let counted = Arc::clone(&called);
        let registration = token.child().on_cancel(move || counted.add());
        let dropper = thread::spawn(move || registration.unregister());
        token.cancel();
        assert_eq!(called.get(), usize::from(!dropper.join().unwrap()));
        assert_alone(&token);
    });
}
