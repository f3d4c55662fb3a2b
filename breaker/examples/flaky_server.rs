//! An HTTP client, hyper's, of a server on the loopback that hangs, then asks to be left alone, and then is well
//! again: a time-out inside the breaker, a retry outside, and the transitions as they come.
//!
//! `cargo run --example flaky_server --features http`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lockgate_breaker::http::ByStatus;
use lockgate_breaker::{Backoff, Breaker, Error, Policy, Reason, State};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const TIME_OUT: Duration = Duration::from_millis(500);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy)]
enum Mood {
    Well,
    /// Takes requests and never answers.
    Hangs,
    /// Answers, and says when to come again.
    Busy,
}

impl Mood {
    const fn answer(self) -> Option<&'static str> {
        match self {
            Self::Well => {
                Some("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\npong")
            }
            Self::Hangs => None,
            Self::Busy => Some(
                "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
                 content-length: 0\r\n\r\n",
            ),
        }
    }
}

struct Server {
    mood: Mutex<Mood>,
    requests: AtomicU32,
}

impl Server {
    fn be(&self, mood: Mood) {
        *self.mood.lock().expect("nobody panics under it") = mood;
    }

    async fn serve(&self, listener: TcpListener) {
        let mut silent = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mood = *self.mood.lock().expect("nobody panics under it");
            match self.answer(&mut socket, mood).await {
                // Kept open: the client has to give up by itself.
                Ok(false) => silent.push(socket),
                Ok(true) => {}
                Err(error) => println!("    a client was in a hurry: {error}"),
            }
        }
    }

    /// Whether it has answered.
    async fn answer(&self, socket: &mut TcpStream, mood: Mood) -> io::Result<bool> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if socket.read_buf(&mut request).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let Some(answer) = mood.answer() else { return Ok(false) };
        socket.write_all(answer.as_bytes()).await?;
        Ok(true)
    }
}

type Http = Client<HttpConnector, String>;

/// With its body: half of a response is no response.
async fn get(client: &Http, uri: &str) -> Result<Response<String>, BoxError> {
    let request = Request::get(uri).body(String::new())?;
    let (head, body) = client.request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, String::from_utf8_lossy(&body).into_owned()))
}

/// The time-out inside, so that the breaker sees it; the retry outside, so that it sees the breaker.
async fn ask(breaker: &Breaker, client: &Http, uri: &str) -> String {
    loop {
        let call = async { timeout(TIME_OUT, get(client, uri)).await? };
        match breaker.run(call).classified_by(ByStatus::new()).await {
            Ok(response) if response.status().is_success() => return response.into_body(),
            Ok(response) => println!("    {}", response.status()),
            Err(Error::Inner(error)) => println!("    {error}"),
            Err(Error::Rejected(rejected)) => {
                println!("    {rejected}");
                sleep(rejected.retry_after.unwrap_or(TIME_OUT)).await;
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}/ping", listener.local_addr()?);
    let server = Arc::new(Server { mood: Mutex::new(Mood::Well), requests: AtomicU32::new(0) });
    let serves = Arc::clone(&server);
    tokio::spawn(async move { serves.serve(listener).await });

    let breaker = Breaker::builder("loopback")
        .policy(Policy::consecutive_failures(3))
        .open_for(Backoff::exponential(Duration::from_millis(100), Duration::from_secs(1)))
        .build()?;
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let (moody, of_all) = (Arc::clone(&server), Arc::clone(&reasons));
    let _listener = breaker.on_transition(move |it| {
        println!("  {} -> {} ({})", it.from, it.to, it.reason);
        let mut reasons = of_all.lock().expect("nobody panics under it");
        reasons.push(it.reason);
        match it.reason {
            // It gets better while it is left alone.
            Reason::ProbesFailed => moody.be(Mood::Busy),
            Reason::Told => moody.be(Mood::Well),
            _ => {}
        }
    });

    let client: Http = Client::builder(TokioExecutor::new()).build_http();
    println!("well:");
    assert_eq!(ask(&breaker, &client, &uri).await, "pong");
    println!("the server hangs:");
    server.be(Mood::Hangs);
    assert_eq!(ask(&breaker, &client, &uri).await, "pong");
    println!("well again, after {} requests", server.requests.load(Ordering::Relaxed));

    assert_eq!(breaker.state(), State::Closed);
    let reasons = reasons.lock().expect("nobody panics under it");
    assert_eq!(reasons.first(), Some(&Reason::Tripped));
    assert!(reasons.contains(&Reason::Told), "`Retry-After` has opened it: {reasons:?}");
    assert_eq!(reasons.last(), Some(&Reason::Recovered));
    Ok(())
}
