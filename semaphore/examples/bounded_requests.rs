//! Tasks: sends many requests to a server that takes few at a time, then shuts down gracefully.
//!
//! `cargo run --example bounded_requests [REQUESTS [AT_A_TIME]]`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_semaphore::Semaphore;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let requests = args.next().map_or(Ok(200), |n| n.parse())?;
    let at_a_time = args.next().map_or(Ok(8), |n| n.parse())?;

    let (address, busiest) = start_server().await?;
    let limit = Arc::new(Semaphore::builder(at_a_time).build()?);
    let mut tasks = JoinSet::new();
    for number in 0..requests {
        // The place is taken before the task is spawned, so that there are never more tasks
        // than places; and the permit goes with the task.
        let permit = limit.acquire_owned(1).await?;
        tasks.spawn(async move {
            let answer = request(address, number).await;
            drop(permit);
            answer
        });
    }
    let mut sum = 0;
    while let Some(answer) = tasks.join_next().await {
        sum += answer??;
    }

    limit.close();
    limit.wait_idle().await;
    let busiest = busiest.load(Ordering::Relaxed);
    println!("{requests} requests, at most {busiest} at a time, sum of the answers {sum}");
    assert!(busiest <= at_a_time, "the server was overrun");
    assert_eq!(sum, (0..requests as u64).map(|number| number * 2).sum());
    Ok(())
}

async fn request(address: SocketAddr, number: usize) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u64(number as u64).await?;
    stream.read_u64().await
}

/// A server that doubles numbers, and the largest number of requests that it had at a time.
async fn start_server() -> std::io::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (busy, busiest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&busiest);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (busy, busiest) = (Arc::clone(&busy), Arc::clone(&busiest));
            tokio::spawn(async move {
                if let Ok(number) = stream.read_u64().await {
                    let now = busy.fetch_add(1, Ordering::Relaxed) + 1;
                    busiest.fetch_max(now, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    busy.fetch_sub(1, Ordering::Relaxed);
                    let _ = stream.write_u64(number * 2).await;
                }
            });
        }
    });
    Ok((address, seen))
}
