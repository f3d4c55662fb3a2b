//! A client of a server on the loopback that hangs for a while: a time-out inside the breaker, a retry
//! outside, and the transitions as they come.
//!
//! `cargo run --example flaky_server`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_breaker::{Backoff, Breaker, Error, Outcome, Policy, State};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const TIME_OUT: Duration = Duration::from_millis(250);

/// Says `pong` to each who connects, unless it hangs.
async fn serve(listener: TcpListener, hangs: Arc<AtomicBool>, served: Arc<AtomicU32>) {
    let mut silent = Vec::new();
    while let Ok((mut socket, _)) = listener.accept().await {
        served.fetch_add(1, Ordering::Relaxed);
        if hangs.load(Ordering::Relaxed) {
            // Kept open: the client has to give up by itself.
            silent.push(socket);
        } else if socket.write_all(b"pong").await.is_err() {
            println!("a client was in a hurry");
        }
    }
}

async fn ping(port: u16) -> io::Result<String> {
    let mut answer = String::new();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The time-out inside, so that the breaker sees it; the retry outside, so that it sees the breaker.
async fn ask(breaker: &Breaker, port: u16) -> (String, u32) {
    let classify = |result: &io::Result<String>| match result {
        Ok(_) => Outcome::Success,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Outcome::Ignore,
        Err(_) => Outcome::Failure,
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let call = async { timeout(TIME_OUT, ping(port)).await? };
        match breaker.run(call).classified_by(classify).await {
            Ok(answer) => return (answer, tries),
            Err(Error::Inner(error)) => println!("    try {tries}: {error}"),
            Err(Error::Rejected(rejected)) => {
                sleep(rejected.retry_after.unwrap_or(TIME_OUT)).await;
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let (hangs, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    tokio::spawn(serve(listener, Arc::clone(&hangs), Arc::clone(&served)));

    let breaker = Breaker::builder("loopback")
        .policy(Policy::consecutive_failures(3))
        .open_for(Backoff::exponential(Duration::from_millis(100), Duration::from_secs(1)))
        .build()?;
    let recovers = Arc::clone(&hangs);
    let _listener = breaker.on_transition(move |it| {
        println!("  {} -> {} ({:?})", it.from, it.to, it.reason);
        // The server gets well while it is left alone for the second time.
        if it.to == State::Open && it.open_for > Some(Duration::from_millis(150)) {
            recovers.store(false, Ordering::Relaxed);
        }
    });

    println!("well:");
    assert_eq!(ask(&breaker, port).await, ("pong".to_owned(), 1));
    println!("the server hangs:");
    hangs.store(true, Ordering::Relaxed);
    let (answer, tries) = ask(&breaker, port).await;
    assert_eq!((&*answer, breaker.state()), ("pong", State::Closed));
    println!("well again, at the {tries}th try");
    // One, three that opened it, a probe in vain, and one that closed it.
    assert_eq!(served.load(Ordering::Relaxed), 6);
    Ok(())
}
