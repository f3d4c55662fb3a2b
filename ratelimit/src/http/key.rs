//! Whose request it is.

use crate::keyed::ipv6_prefix;
use http::Request;
use http::header::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

/// Says by which key a request is limited. Closures do.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::http::KeyExtractor;
/// # use http::Request;
/// fn check<K, B>(extractor: impl KeyExtractor<K, B>, request: &Request<B>) -> Option<K> {
///     extractor.key(request)
/// }
/// let by_path = |request: &Request<()>| Some(request.uri().path().to_owned());
/// assert_eq!(check(by_path, &Request::new(())).as_deref(), Some("/"));
/// ```
pub trait KeyExtractor<K, B> {
    /// The key; `None` if the request has none.
    fn key(&self, request: &Request<B>) -> Option<K>;
}

impl<K, B, F> KeyExtractor<K, B> for F
where
    F: Fn(&Request<B>) -> Option<K>,
{
    fn key(&self, request: &Request<B>) -> Option<K> {
        self(request)
    }
}

/// Of an IPv6 address, its /64, because whoever has one has them all.
const IPV6_BITS: u8 = 64;

/// The address of whoever has connected, from the request's extensions: a [`SocketAddr`] or an
/// [`IpAddr`] that the server has put there.
///
/// Of IPv6 addresses, the first 64 bits are the key, unless [`ipv6_prefix`](Self::ipv6_prefix) says
/// otherwise. IPv4 addresses that are mapped into IPv6 are IPv4 addresses.
///
/// Behind a proxy, all requests have one address, the proxy's: see [`ForwardedFor`]. With axum, the
/// address is a `ConnectInfo`, and a closure does:
///
/// ```
/// # use axum::extract::{ConnectInfo, Request};
/// # use lockgate_ratelimit::ipv6_prefix;
/// # use std::net::SocketAddr;
/// let by_peer = |request: &Request| {
///     let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
///     Some(ipv6_prefix(peer.ip(), 64))
/// };
/// # assert_eq!(by_peer(&Request::default()), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PeerIp {
    bits: u8,
}

impl PeerIp {
    /// By the address.
    #[must_use]
    pub const fn new() -> Self {
        Self { bits: IPV6_BITS }
    }

    /// By so many bits of an IPv6 address.
    ///
    /// # Panics
    ///
    /// If there are more than 128.
    #[must_use]
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        assert!(bits <= 128, "an IPv6 prefix has 0 to 128 bits");
        self.bits = bits;
        self
    }
}

impl Default for PeerIp {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> KeyExtractor<IpAddr, B> for PeerIp {
    fn key(&self, request: &Request<B>) -> Option<IpAddr> {
        let extensions = request.extensions();
        let socket = extensions.get::<SocketAddr>().map(SocketAddr::ip);
        let ip = socket.or_else(|| extensions.get::<IpAddr>().copied())?;
        Some(ipv6_prefix(ip, self.bits))
    }
}

/// The client's address as the proxies in front of the server tell it, in `X-Forwarded-For`.
///
/// Each proxy appends the address that has connected to it, so what is on the left was written by
/// the client, and may be anything: whoever takes the *leftmost* address lets every client choose
/// its key. This takes the one that the outermost of so many trusted proxies has written, counted
/// from the right: with one proxy, the last; behind a content delivery network and a load balancer,
/// the last but one. If there are fewer, the request came another way, and has no key.
///
/// **The server must be out of reach but through those proxies**, and each must append, as nginx
/// does with `$proxy_add_x_forwarded_for`. Of IPv6 addresses, the first 64 bits are the key. A port
/// is left out.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::http::{ForwardedFor, KeyExtractor};
/// # use http::Request;
/// # use std::net::IpAddr;
/// let forged = Request::builder()
///     .header("x-forwarded-for", "10.6.6.6, 192.0.2.7")
///     .body(())
///     .unwrap();
/// let key: Option<IpAddr> = ForwardedFor::trusted_hops(1).key(&forged);
/// assert_eq!(key, "192.0.2.7".parse().ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ForwardedFor {
    hops: usize,
    bits: u8,
}

impl ForwardedFor {
    /// Behind so many proxies, all of which are trusted.
    ///
    /// # Panics
    ///
    /// If there are none: then it is the [peer's address](PeerIp) that counts.
    #[must_use]
    pub const fn trusted_hops(hops: usize) -> Self {
        assert!(hops > 0, "without a proxy, nothing in X-Forwarded-For can be trusted");
        Self { hops, bits: IPV6_BITS }
    }

    /// By so many bits of an IPv6 address.
    ///
    /// # Panics
    ///
    /// If there are more than 128.
    #[must_use]
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        assert!(bits <= 128, "an IPv6 prefix has 0 to 128 bits");
        self.bits = bits;
        self
    }

    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        // As bytes: what a client has written on the left need not be text. An empty place counts,
        // or what is left of it would be taken for the proxy's word.
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let hop = hops.nth(self.hops - 1)?;
        address(std::str::from_utf8(hop).ok()?.trim())
    }
}

impl<B> KeyExtractor<IpAddr, B> for ForwardedFor {
    fn key(&self, request: &Request<B>) -> Option<IpAddr> {
        self.client(request.headers()).map(|ip| ipv6_prefix(ip, self.bits))
    }
}

/// An address, with or without brackets and a port.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse().ok().map(IpAddr::V6)
}

/// The value of a header, such as an API key.
///
/// A request without it, or with one of more than 128 bytes or not in visible ASCII, has no key: a
/// limiter's memory is bounded only if its keys are. If the header is there more than once, the
/// first counts.
///
/// Look whether the value is valid *before* the limiter does; or whoever makes up a new one for each
/// request has a new limit for each.
#[derive(Clone, Debug)]
pub struct HeaderKey {
    name: HeaderName,
    longest: usize,
}

impl HeaderKey {
    /// By this header.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self { name, longest: 128 }
    }

    /// With values of up to so many bytes.
    #[must_use]
    pub const fn longest(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }
}

impl<B> KeyExtractor<String, B> for HeaderKey {
    fn key(&self, request: &Request<B>) -> Option<String> {
        let value = request.headers().get(&self.name)?.to_str().ok()?;
        // A copy: the value itself would keep all the request's headers in memory.
        (value.len() <= self.longest).then(|| value.to_owned())
    }
}
