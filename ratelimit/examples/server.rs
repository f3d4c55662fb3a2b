//! A web server that keeps each client to a rate, and two clients over a real connection: one that
//! does not care and is turned away, and one that keeps to what it is told.
//!
//! `cargo run --example server --features http,tower`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use lockgate_ratelimit::http::{Advice, RateLimitFields};
use lockgate_ratelimit::tower::KeyedRateLimitLayer;
use lockgate_ratelimit::{Keyed, Quota, RateLimiter, ipv6_prefix};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Five at once, and then one every 200 ms.
const QUOTA: Quota = Quota::per_second(5);

fn by_peer(request: &Request) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(ipv6_prefix(peer.ip(), 64))
}

/// The server's address, and its limiter, which may be changed while the server runs.
async fn serve() -> Result<(SocketAddr, Arc<Keyed<IpAddr>>)> {
    let limiter = Arc::new(Keyed::new(QUOTA));
    let layer = KeyedRateLimitLayer::new(Arc::clone(&limiter), by_peer)
        .fields(RateLimitFields::new("per-address")?)
        .fields_on_success();
    let app = Router::new().route("/", get(|| async { "hello" })).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((address, limiter))
}

struct Client {
    connection: SendRequest<Empty<Bytes>>,
    host: String,
}

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { connection, host: address.to_string() })
    }

    async fn get(&mut self) -> Result<Response<Incoming>> {
        self.connection.ready().await?;
        let request = Request::get("/").header("host", &self.host).body(Empty::new())?;
        let mut response = self.connection.send_request(request).await?;
        // So that the connection is free for the next one.
        response.body_mut().collect().await?;
        Ok(response)
    }
}

fn show(response: &Response<Incoming>) -> String {
    let field = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let limit = field("ratelimit").unwrap_or_default();
    let retry =
        field("retry-after").map_or_else(String::new, |after| format!(", again in {after} s"));
    format!("{} {limit}{retry}", response.status())
}

/// Asks as fast as it can, until it is turned away.
async fn careless(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect(address).await?;
    for request in 1..1000 {
        let response = client.get().await?;
        println!("careless {request}: {}", show(&response));
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(request > 5, "five are let in at once");
            let after = Advice::read(response.headers()).retry_after;
            assert_eq!(after, Some(Duration::from_secs(1)), "at most 200 ms, rounded up");
            return Ok(());
        }
        assert_eq!(response.status(), StatusCode::OK);
    }
    Err("a thousand requests were let in".into())
}

/// Has a limiter of its own, more generous than the server's, and keeps to what it is told. When it
/// begins, nothing is left at the server.
async fn polite(address: SocketAddr) -> Result<()> {
    let limiter = RateLimiter::new(Quota::per_second(50));
    let mut client = Client::connect(address).await?;
    for request in 1..=8 {
        let waited = limiter.acquire(1).await?;
        let response = client.get().await?;
        println!("polite {request}, waited {waited:.1?}: {}", show(&response));
        Advice::read(response.headers()).at_most(Duration::from_secs(10)).follow(&limiter);
        assert!(request == 1 || response.status().is_success(), "it was told how much is left");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let (address, limiter) = serve().await?;
    careless(address).await?;
    polite(address).await?;
    assert_eq!(limiter.len(), 1, "both have come from one address");
    Ok(())
}
