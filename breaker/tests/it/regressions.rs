//! Defects of others, each with its reference: what must not happen here.
//!
//! Tests name in their first lines what they are about. What is tested elsewhere:
//!
//! | what | where |
//! |---|---|
//! | gobreaker: results are dropped when an interval ends | `go_parity::generation` |
//! | gobreaker's failures under lost goroutines, recloser, failsafe-go, breaker 2.x: a panic is not recorded, or a probe's place goes with it | `go_parity::panic_in_request`, `laws::a_permit_that_unwinds_is_a_failure`, `futures::a_panic_is_a_failure_at_once`, `tower::panics_are_failures` |
//! | failsafe, recloser: whatever is no failure is a success | `go_parity::is_excluded_and_is_successful_combination` |
//! | resilience4j#1123, monix#1080, davenverse/circuit#258, Hystrix#1621, circuitbreaker-rs: a probe that is cancelled | `futures`, `tower::a_future_that_is_dropped_settles_its_permit` |
//! | resilience4j#1391, #1513, tower-resilience (boxed futures, windows without a bound), recloser (302 bytes for each opening, an epoch that a long call holds up): what calls and transitions allocate | `tests/allocations.rs` |
//! | tower-resilience#381, #386, breaker 2.0.2: the inner service is called, or asked, while the circuit is open | `tower::an_open_circuit_never_touches_the_inner_service` |
//! | tower-resilience#382, #407: probes are reserved one by one | `tower::a_storm_through_clones_gets_exactly_n` |
//! | tower-resilience: the gauge of the old state stays at 1 | `metrics` |
//! | go-zero#5011: a request counts when it ends, and rejected ones not at all | `throttle::calls_under_way_count_as_attempted` |
//! | Polly#287, pybreaker#26, #44: shared state lets one sick instance open all, or a new one close all | `hints` |
//! | Hystrix, hoglet, cep21/circuit: a window that moves on loses or misfiles what is counted meanwhile | `go_parity::rolling_window_circuit_breaker_in_parallel`, models of the hazards H11 and H12 |
//! | Hystrix#1640, #1751, circuitbreaker-rs: state and time are two variables, which may disagree | the model of the hazard H6 |
//! | failsafe-go, Failsafe: outcomes of a half-open circuit, one by one | `all_ways_through_a_trial` of the white-box tests |
//! | Finagle: what says nothing leaves a state between two | `probes::what_says_nothing_decides_nothing` |
//!
//! What cannot occur here:
//!
//! | what | why not |
//! |---|---|
//! | gobreaker's distributed breaker: state is read before the lock, the lock is held while the request runs and expires under it, waits of 5 s, a map of mutexes that nothing guards, four round trips a call, an outage fails calls or is hidden, `State()` writes, keys for ever, time of day across hosts; pybreaker, ParentSquare/faulty#54, litellm-rs#1281 | there is no store. Hints of others come in by `apply_remote_hint`, which no call waits for, with a time to live by this clock |
//! | resilience4j#2151, recloser, breaker 2.0.2, tower-resilience, circuitbreaker-rs: calls meet in a lock, one that spins for some | calls take none. `xtask/targets.toml` has the figures |
//! | resilience4j: its lock-free windows have a clock of their own | there is one clock, the builder's; all these tests move nothing else |
//! | resilience4j#351, Hystrix: a thread, or a timer, that opens, or keeps a program from ending | nothing but calls makes transitions (`settings::no_thread_stays`) |
//! | Polly#758: the last failure is not there yet when an open circuit wants to show it | no failure is kept: a rejection has the state and the time |
//! | Polly: the trace of a kept exception grows with each rejection | the same |
//! | breaker 2.0.2: results that are told by hand pass the probes by | without a permit nothing can be told |
//! | gobreaker's `done` that is called twice | a permit is used up, which the compiler checks: see the page of `Permit` |
//! | again 0.1.2 | it retries, and is no breaker |
//! | rssafecircuit 0.1.0, nobreak 0.1.0: half open without a bound | the storm of `probes` is theirs, too; of their code nothing else is known |
//! | aegis: a lock around its random numbers | a throttle draws by one addition |
//! | gobreaker, failsafe and others have no slow calls, no minimum, no back-off, no jitter, no forced states | what is missing there is no defect to repeat; it has tests of its own |

mod listeners;
mod probes;
mod settings;
mod windows;
