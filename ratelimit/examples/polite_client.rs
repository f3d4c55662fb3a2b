//! Tasks: a client that believes the server. It keeps to a rate of its own, pauses when the server
//! says `Retry-After`, counts down when the server says by `RateLimit` that less is left, and fails
//! a request at once whose turn would come too late.
//!
//! `cargo run --example polite_client [REQUESTS]`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_ratelimit::{AcquireError, Quota, RateLimiter};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the server allows. The client hopes for four times as much.
const ALLOWED: Quota = Quota::per_second(50).burst(10);
const HOPED_FOR: Quota = Quota::per_second(200).burst(20);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let requests = std::env::args().nth(1).map_or(Ok(40), |n| n.parse())?;
    let client = Arc::new(Client {
        server: start_server().await?,
        limiter: RateLimiter::new(HOPED_FOR),
        refused: AtomicU32::new(0),
    });
    let mut tasks = JoinSet::new();
    for number in 0..requests {
        let client = Arc::clone(&client);
        tasks.spawn(async move { client.get(number, Duration::from_secs(50)).await });
    }
    let mut answers = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    answers.sort_unstable();

    let refused = client.refused.load(Ordering::Relaxed);
    println!("{} answers, {refused} requests refused on the way", answers.len());
    assert_eq!(answers, (0..requests).map(|number| number * 2).collect::<Vec<_>>());
    // Who does not listen is refused three times for each answer.
    assert!(refused <= requests, "the client does not listen");

    // While the server wants rest, nobody who is in a hurry waits for nothing.
    client.limiter.pause_for(Duration::from_secs(3600));
    let error = client.get(0, Duration::from_millis(10)).await.unwrap_err();
    assert!(error.downcast_ref().is_some_and(AcquireError::is_too_long), "{error}");
    Ok(())
}

struct Client {
    server: SocketAddr,
    limiter: RateLimiter,
    refused: AtomicU32,
}

impl Client {
    /// Asks until it is answered, at most for `patience` before each attempt.
    async fn get(
        &self,
        number: u32,
        patience: Duration,
    ) -> Result<u32, Box<dyn Error + Send + Sync>> {
        loop {
            self.limiter.acquire(1).within(patience).await?;
            let response = request(self.server, number).await?;
            if let Some(left) = response.remaining {
                // Only down: others may use the same quota, and an answer may be old.
                if f64::from(left) < self.limiter.tokens() {
                    self.limiter.set_tokens(left)?;
                }
            }
            match response.retry_after {
                Some(pause) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    self.limiter.pause_for(pause);
                }
                None => return Ok(response.body.trim().parse()?),
            }
        }
    }
}

/// As much of HTTP as this example needs.
#[derive(Default)]
struct Response {
    retry_after: Option<Duration>,
    /// `r` of `RateLimit: "default";r=7;t=1`.
    remaining: Option<u32>,
    body: String,
}

async fn request(
    server: SocketAddr,
    number: u32,
) -> Result<Response, Box<dyn Error + Send + Sync>> {
    let mut stream = TcpStream::connect(server).await?;
    let head = format!("GET /{number} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let mut response = Response::default();
    while let Some(line) = lines.next_line().await? {
        match line.split_once(": ") {
            Some(("Retry-After", seconds)) => {
                response.retry_after = Some(Duration::from_secs(seconds.parse()?));
            }
            Some(("RateLimit", policy)) => {
                let left = policy.split(';').find_map(|part| part.strip_prefix("r="));
                response.remaining = left.map(str::parse).transpose()?;
            }
            Some(_) => {}
            // The last line is the body.
            None => response.body = line,
        }
    }
    Ok(response)
}

/// A server that doubles numbers, and refuses what is above its quota.
async fn start_server() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let limiter = Arc::new(RateLimiter::new(ALLOWED));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { serve(stream, &limiter).await });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, limiter: &RateLimiter) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let number = head.split([' ', '/']).find_map(|word| word.parse::<u32>().ok());
    let granted = limiter.try_acquire(1);
    let left = limiter.tokens().max(0.0) as u32;
    let response = match (granted, number) {
        (Ok(()), Some(number)) => {
            format!("HTTP/1.1 200 OK\r\nRateLimit: \"default\";r={left};t=1\r\n\r\n{}", number * 2)
        }
        (Ok(()), None) => "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
        (Err(denied), _) => {
            // Whole seconds, rounded up.
            let wait = denied.retry_after().unwrap_or(Duration::MAX);
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            format!(
                "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {seconds}\r\n\
                 RateLimit: \"default\";r={left};t={seconds}\r\n\r\n"
            )
        }
    };
    stream.write_all(response.as_bytes()).await
}
