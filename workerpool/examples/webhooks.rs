//! Webhooks on tasks: events are delivered over HTTP by a pool, urgent ones first, and tried again when
//! the endpoint is busy; Ctrl-C, or the last event, ends it in good order. Before that a map asks which
//! endpoints answer, and a group delivers what is of use only as a whole.
//!
//! `cargo run -p lockgate-workerpool --release --example webhooks`
#![allow(clippy::print_stdout, reason = "a program for people")]

use lockgate_workerpool::Timings;
use lockgate_workerpool::task::{Pool, Queue, Reject};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const EVENTS: usize = 300;
const URGENT: usize = 0;
const BULK: usize = 1;
const ATTEMPTS: u32 = 4;

/// What came of the deliveries.
#[derive(Default)]
struct Tally {
    urgent: AtomicUsize,
    bulk: AtomicUsize,
    again: AtomicUsize,
}

/// The other side: takes one request for each connection, and is too busy for each seventh.
async fn endpoint(listener: TcpListener) -> io::Result<()> {
    let mut served = 0_usize;
    loop {
        let (mut stream, _) = listener.accept().await?;
        served += 1;
        let busy = served % 7 == 0;
        tokio::spawn(async move {
            let mut request = [0; 512];
            let mut length = 0;
            // A request is over with an empty line; this one has no body.
            while length < request.len() && !request[..length].ends_with(b"\r\n\r\n") {
                match stream.read(&mut request[length..]).await? {
                    0 => break,
                    more => length += more,
                }
            }
            let answer = if busy { "503 Service Unavailable" } else { "204 No Content" };
            stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await?;
            stream.shutdown().await
        });
    }
}

/// One attempt.
async fn post(to: SocketAddr, event: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    let request = format!("POST /hooks/{event} HTTP/1.1\r\nHost: {to}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split(' ').nth(1) {
        Some("204") => Ok(()),
        status => Err(io::Error::other(format!("the endpoint says {status:?}"))),
    }
}

/// All attempts, each after a longer rest. The job keeps its place in the pool meanwhile: an endpoint
/// that is busy slows the deliveries down, instead of filling the queue with repetitions.
async fn deliver(to: SocketAddr, event: usize, tally: Arc<Tally>) -> io::Result<()> {
    let mut attempt = 1;
    loop {
        match timeout(Duration::from_secs(5), post(to, event)).await.map_err(io::Error::from) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) | Err(error) if attempt == ATTEMPTS => return Err(error),
            _ => {
                tally.again.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(1 << attempt)).await;
                attempt += 1;
            }
        }
    }
}

/// Which of the endpoints answer, in their order: one question to each, at most so many at once as the
/// pool has tasks.
async fn answering(pool: &Pool, endpoints: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let ask = |to| async move { TcpStream::connect(to).await.map(|_| to) };
    let mut asked = pool.map(endpoints, ask);
    let mut found = Vec::new();
    while let Some(answer) = asked.next_result().await {
        // The outer error is the pool's, the inner one the endpoint's.
        found.extend(answer.ok().and_then(Result::ok));
    }
    found
}

/// The parts of one message: the first that cannot be delivered aborts those that have not started.
async fn whole(pool: &Pool, to: SocketAddr, parts: usize, tally: &Arc<Tally>) -> bool {
    let group = pool.group::<io::Error>();
    for part in 0..parts {
        if group.spawn(deliver(to, part, Arc::clone(tally))).await.is_err() {
            break; // It is cancelled, or the pool shut down: the group says which.
        }
    }
    group.await.is_ok()
}

/// Hands all events over. The bound makes it wait when the endpoint is slower than the events come.
async fn feed(pool: &Pool, to: SocketAddr, tally: &Arc<Tally>) {
    for event in 0..EVENTS {
        let urgent = event % 10 == 0;
        let job = {
            let tally = Arc::clone(tally);
            async move {
                if deliver(to, event, Arc::clone(&tally)).await.is_ok() {
                    let count = if urgent { &tally.urgent } else { &tally.bulk };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let lane = if urgent { URGENT } else { BULK };
        let name = if urgent { "urgent" } else { "bulk" };
        if pool.lane(lane).named(name).spawn(job).await.is_err() {
            return; // It is shut down.
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let to = listener.local_addr()?;
    let server = tokio::spawn(endpoint(listener));

    let pool = Pool::builder()
        .limit(16)
        .queue(Queue::Bounded(64))
        .reject(Reject::Block)
        .lanes(2)
        .name("webhooks")
        .timings(Timings::All)
        .on_panic(|panicked| println!("a delivery panicked: {panicked}"))
        .build()?;
    let tally = Arc::new(Tally::default());

    // Nobody listens at the second.
    let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    assert_eq!(answering(&pool, vec![to, closed]).await, [to]);
    assert!(whole(&pool, to, 5, &tally).await && !whole(&pool, closed, 5, &tally).await);

    let interrupted = tokio::select! {
        () = feed(&pool, to, &tally) => false,
        pressed = tokio::signal::ctrl_c() => { pressed?; true }
    };
    // What was accepted is delivered. What is not by then, whoever reads this may store for later.
    let graceful = timeout(Duration::from_secs(10), pool.shutdown()).await.is_ok();
    let left = pool.shutdown_now().len();
    server.abort();

    let (urgent, bulk) = (tally.urgent.load(Ordering::Relaxed), tally.bulk.load(Ordering::Relaxed));
    let again = tally.again.load(Ordering::Relaxed);
    println!("delivered: {urgent} urgent, {bulk} others; {again} times tried again");
    if let Some(times) = pool.times() {
        println!("99 of 100 took less than {:.1?}", times.run.percentile(99.0).unwrap_or_default());
    }
    println!("interrupted: {interrupted}, in good order: {graceful}, left over: {left}");
    if !interrupted {
        assert_eq!((urgent, bulk, left), (EVENTS / 10, EVENTS - EVENTS / 10, 0));
    }
    Ok(())
}
