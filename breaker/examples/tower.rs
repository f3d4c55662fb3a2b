//! A client of several hosts, built of tower's layers: `retry(breaker(timeout(call)))`, with a breaker for
//! each host. Two servers on the loopback answer it, one of which falls ill and recovers.
//!
//! `cargo run --example tower --features http,tower`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use http::{Request, Response};
use lockgate_breaker::http::ByStatus;
use lockgate_breaker::tower::KeyedBreakerLayer;
use lockgate_breaker::{Backoff, Breaker, Error, Policy, Registry, State};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

const TIME_OUT: Duration = Duration::from_millis(250);
const OPEN: Duration = Duration::from_millis(100);

/// How a server answers its nth request; `None`: it hangs.
type Script = fn(u32) -> Option<&'static str>;

const WELL: &str = "HTTP/1.0 200 OK\r\n\r\npong";
const BUSY: &str = "HTTP/1.0 503 Service Unavailable\r\nretry-after: 1\r\n\r\n";

/// A server by its host and port, and how many requests it has had.
async fn serve(script: Script) -> io::Result<(String, Arc<AtomicU32>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let host = listener.local_addr()?.to_string();
    let served = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&served);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let Some(answer) = script(counts.fetch_add(1, Ordering::Relaxed) + 1) else {
                silent.push(socket);
                continue;
            };
            let mut request = [0; 1024];
            let read = socket.read(&mut request).await;
            if read.is_err() || socket.write_all(answer.as_bytes()).await.is_err() {
                println!("    a client was in a hurry");
            }
        }
    });
    Ok((host, served))
}

/// As little of HTTP as this program needs.
async fn get(request: Request<()>) -> Result<Response<String>, BoxError> {
    let host = request.uri().authority().ok_or("a request without a host")?.as_str();
    let mut socket = TcpStream::connect(host).await?;
    socket.write_all(format!("GET / HTTP/1.0\r\nhost: {host}\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    socket.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no head")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    Ok(response.body(body.to_owned())?)
}

/// Tries until it is well. A rejection is waited for, and costs the server nothing.
#[derive(Clone)]
struct UntilWell;

impl tower::retry::Policy<Request<()>, Response<String>, Error<BoxError>> for UntilWell {
    type Future = Sleep;

    fn retry(
        &mut self,
        _: &mut Request<()>,
        result: &mut Result<Response<String>, Error<BoxError>>,
    ) -> Option<Sleep> {
        match result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => {
                println!("    {}", response.status());
                Some(sleep(Duration::ZERO))
            }
            Err(Error::Inner(error)) => {
                println!("    {error}");
                Some(sleep(Duration::ZERO))
            }
            Err(Error::Rejected(rejected)) => {
                println!("    rejected: {}", rejected.state);
                Some(sleep(rejected.retry_after.unwrap_or(OPEN)))
            }
        }
    }

    fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> {
        Some(request.clone())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (well, served_well) = serve(|_| Some(WELL)).await?;
    // Its second and third request hang; the first probe is told a time; then it has recovered.
    let (ill, served_ill) = serve(|request| match request {
        2 | 3 => None,
        4 => Some(BUSY),
        _ => Some(WELL),
    })
    .await?;

    let usual = Breaker::builder("")
        .policy(Policy::consecutive_failures(2))
        .open_for(Backoff::fixed(OPEN).jitter(0.0));
    let hosts = Arc::new(Registry::new(usual)?);
    let host_of = |request: &Request<()>| {
        request.uri().authority().map_or_else(String::new, ToString::to_string)
    };
    let client = ServiceBuilder::new()
        .map_err(Error::into_boxed)
        .retry(UntilWell)
        .layer(KeyedBreakerLayer::new(Arc::clone(&hosts), host_of).classified_by(ByStatus::new()))
        .timeout(TIME_OUT)
        .service(service_fn(get));
    let _listener = hosts.get(&ill).on_transition(|it| match it.open_for {
        Some(time) => println!("  {} -> {} ({}), for {time:?}", it.from, it.to, it.reason),
        None => println!("  {} -> {} ({})", it.from, it.to, it.reason),
    });

    let ask = |host: &str| {
        let (mut client, uri) = (client.clone(), format!("http://{host}/"));
        async move {
            let request = Request::get(uri).body(())?;
            Ok::<_, BoxError>(client.ready().await?.call(request).await?.into_body())
        }
    };
    println!("well:");
    assert_eq!(ask(&ill).await?, "pong");
    println!("it hangs:");
    let (of_ill, of_well) = tokio::join!(ask(&ill), async {
        let mut answers = 0;
        while hosts.get(&ill).state() != State::Open {
            tokio::task::yield_now().await;
        }
        while hosts.get(&ill).state() != State::Closed {
            assert_eq!(ask(&well).await?, "pong");
            answers += 1;
            sleep(OPEN).await;
        }
        Ok::<u32, BoxError>(answers)
    });
    assert_eq!(of_ill?, "pong");
    let of_well = of_well?;
    println!("well again; while its circuit was open, the other host has answered {of_well} times");
    assert!(of_well > 0);
    assert_eq!(served_well.load(Ordering::Relaxed), of_well);
    // One, two that opened it, a probe that was told a time, and one that closed it.
    assert_eq!(served_ill.load(Ordering::Relaxed), 5);
    Ok(())
}
