//! Limits in the headers of requests and responses.

use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use lockgate_ratelimit::clock::{Clock, Manual};
use lockgate_ratelimit::http::{
    Advice, ForwardedFor, HeaderKey, KeyExtractor, PeerIp, RateLimitFields, Standing,
    set_retry_after,
};
use lockgate_ratelimit::{DeniedReason, Quota, RateLimiter};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

fn limiter(quota: Quota) -> RateLimiter<Manual> {
    RateLimiter::with_clock(quota, Manual::new())
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    map
}

fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn standing(limiter: &RateLimiter<Manual>) -> (u32, Option<Duration>) {
    let Standing { remaining, more_after, .. } = Standing::of(limiter);
    (remaining, more_after)
}

/// tower_governor cuts fractions off, so a client is told 0, and comes again at once.
#[test]
fn retry_after_is_rounded_up_and_never_zero() {
    let mut headers = HeaderMap::new();
    for (nanos, seconds) in [(0, "1"), (1, "1"), (999_999_999, "1"), (1_000_000_001, "2")] {
        set_retry_after(&mut headers, Duration::from_nanos(nanos));
        assert_eq!(all(&headers, "retry-after"), [seconds]);
    }
}

#[test]
fn a_standing_is_what_could_be_taken_and_when_there_is_more() {
    let limiter = limiter(Quota::per(2, SECOND).burst(4));
    assert_eq!(standing(&limiter), (4, None), "full");
    limiter.try_acquire(1).unwrap();
    assert_eq!(standing(&limiter), (3, Some(SECOND / 2)));
    limiter.clock().advance(SECOND / 8);
    assert_eq!(standing(&limiter), (3, Some(SECOND * 3 / 8)));
    limiter.try_acquire(3).unwrap();
    assert_eq!(standing(&limiter), (0, Some(SECOND * 3 / 8)));
    limiter.reserve(1).unwrap().commit();
    assert_eq!(standing(&limiter), (0, Some(SECOND * 7 / 8)), "promised to another");
    limiter.set_tokens(4).unwrap();
    limiter.pause_for(SECOND * 9);
    assert_eq!(standing(&limiter), (0, Some(SECOND * 9)), "paused");
    limiter.close();
    assert_eq!(standing(&limiter), (0, None), "closed");
}

/// What is remaining can be taken, and one more after the time that is told, not before.
#[test]
fn a_standing_keeps_its_word() {
    for (tokens, period, burst) in [(3, SECOND, 7), (7, SECOND * 60, 5), (1, SECOND / 3, 1)] {
        let limiter = limiter(Quota::per(tokens, period).burst(burst).initial(0));
        for _ in 0..50 {
            let (remaining, more_after) = standing(&limiter);
            limiter.peek(remaining).unwrap();
            limiter.peek(remaining + 1).unwrap_err();
            if let Some(more_after) = more_after {
                limiter.clock().advance(more_after - Duration::from_nanos(1));
                assert_eq!(standing(&limiter).0, remaining);
                limiter.clock().advance(Duration::from_nanos(1));
                assert_eq!(standing(&limiter).0, remaining + 1);
            }
            if remaining + 1 >= burst {
                limiter.try_acquire(burst).unwrap();
            }
        }
    }
}

#[test]
fn fields_are_as_the_draft_has_them() {
    let limiter = limiter(Quota::per_minute(100));
    let fields = RateLimitFields::new("default").unwrap();
    let written = |fields: &RateLimitFields| {
        let mut headers = HeaderMap::new();
        fields.write(&Standing::of(&limiter), &mut headers);
        headers
    };
    let full = written(&fields);
    assert_eq!(all(&full, "ratelimit-policy"), [r#""default";q=100;w=60"#]);
    assert_eq!(all(&full, "ratelimit"), [r#""default";r=100"#], "there will be no more");
    limiter.try_acquire(58).unwrap();
    let some = written(&fields);
    assert_eq!(all(&some, "ratelimit"), [r#""default";r=42;t=1"#], "0.6 s, rounded up");
    assert!(!some.contains_key("x-ratelimit-limit"), "not asked for");
    let legacy = written(&fields.legacy());
    for (name, value) in [("limit", "100"), ("remaining", "42"), ("reset", "1")] {
        assert_eq!(all(&legacy, &format!("x-ratelimit-{name}")), [value]);
    }
}

/// A response passes the inner limit first. Lists take both; of what is no list, the tighter stays.
#[test]
fn several_limits_are_told_together() {
    let (second, day) = (limiter(Quota::per_second(5)), limiter(Quota::per(50, SECOND * 86_400)));
    second.try_acquire(5).unwrap();
    day.try_acquire(5).unwrap();
    let fields = |name| RateLimitFields::new(name).unwrap().legacy();
    for order in [[("s", &second), ("d", &day)], [("d", &day), ("s", &second)]] {
        let mut headers = HeaderMap::new();
        for (name, limiter) in order {
            fields(name).write(&Standing::of(limiter), &mut headers);
        }
        let mut told = all(&headers, "ratelimit");
        told.sort();
        assert_eq!(told, [r#""d";r=45;t=1728"#, r#""s";r=0;t=1"#]);
        assert_eq!(all(&headers, "ratelimit-policy").len(), 2);
        assert_eq!(all(&headers, "x-ratelimit-remaining"), ["0"]);
        assert_eq!(all(&headers, "x-ratelimit-limit"), ["5"]);
        let read = Advice::read(&headers);
        assert_eq!(read.limits.len(), 2, "and a client reads them");
        assert_eq!(read.pause(), Some(SECOND));
    }
}

#[test]
fn without_a_limit_nothing_is_told() {
    let mut headers = HeaderMap::new();
    let fields = RateLimitFields::new("default").unwrap().legacy();
    fields.write(&Standing::of(&limiter(Quota::INF)), &mut headers);
    assert!(headers.is_empty());
    fields.write(&Standing::of(&limiter(Quota::ZERO.burst(3))), &mut headers);
    assert_eq!(all(&headers, "ratelimit-policy"), [r#""default";q=3"#]);
    assert_eq!(all(&headers, "ratelimit"), [r#""default";r=3"#]);
}

#[test]
fn a_name_cannot_smuggle_a_header() {
    let error = RateLimitFields::new("a\r\nx: y").unwrap_err();
    assert!(error.to_string().contains("not printable ASCII"));
    let mut headers = HeaderMap::new();
    let fields = RateLimitFields::new(r#"a"b\c"#).unwrap();
    fields.write(&Standing::of(&limiter(Quota::per_second(1))), &mut headers);
    assert_eq!(all(&headers, "ratelimit"), [r#""a\"b\\c";r=1"#]);
    assert_eq!(Advice::read(&headers).limits[0].name, r#"a"b\c"#);
}

fn retry_after(lines: &[(&'static str, &str)]) -> Option<Duration> {
    // Of the client's clock, which is wrong.
    Advice::read_at(&headers(lines), SystemTime::UNIX_EPOCH + SECOND * 784_111_000).retry_after
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(retry_after(&[]), None);
    assert_eq!(retry_after(&[("retry-after", "120")]), Some(SECOND * 120));
    assert_eq!(retry_after(&[("retry-after", " 0 ")]), Some(Duration::ZERO));
    let huge = retry_after(&[("retry-after", "99999999999999999999")]);
    assert_eq!(huge, Some(Duration::from_secs(u64::MAX)));
    for wrong in ["", "-1", "1.5", "+1", "soon", "1e3", "\u{ff11}", "Sun, 06 Nov 1994"] {
        assert_eq!(retry_after(&[("retry-after", wrong)]), None, "{wrong}");
    }
    // 784 111 777 seconds after 1970, in the three forms that HTTP knows.
    for date in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(retry_after(&[("retry-after", date)]), Some(SECOND * 777), "{date}");
    }
    let date = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
    let by_server = retry_after(&[date, ("date", "Sun, 06 Nov 1994 08:49:07 GMT")]);
    assert_eq!(by_server, Some(SECOND * 30), "by the server's clock");
    let passed = retry_after(&[date, ("date", "Sun, 06 Nov 1994 09:00:00 GMT")]);
    assert_eq!(passed, Some(Duration::ZERO));
}

#[test]
fn limits_are_read_and_what_is_wrong_is_not() {
    let read = |lines: &[(&'static str, &str)]| {
        let limits = Advice::read(&headers(lines)).limits;
        limits.into_iter().map(|it| (it.name, it.remaining, it.reset)).collect::<Vec<_>>()
    };
    assert_eq!(
        read(&[("ratelimit", r#""a";r=50;t=30, "b";r=0"#), ("ratelimit", "c;r=1;pk=:cHM=:")]),
        [
            ("a".to_owned(), 50, Some(SECOND * 30)),
            ("b".to_owned(), 0, None),
            ("c".to_owned(), 1, None)
        ]
    );
    for wrong in
        [r#""a";r=-1"#, r#""a";t=3"#, r#""a";r=1.5"#, r#""a";r="1""#, "limit=1, remaining=1"]
    {
        assert_eq!(read(&[("ratelimit", wrong)]), [], "{wrong}");
    }
    let spoilt = [("ratelimit", r#""a";r=1"#), ("ratelimit", r#""b"#)];
    assert_eq!(read(&spoilt), [], "one that is wrong spoils the list");
    let bytes = [
        ("ratelimit", r#""a";r=5, "bytes";r=9"#),
        ("ratelimit-policy", r#""bytes";q=9;qu="content-bytes", "a";q=5;qu="requests""#),
    ];
    assert_eq!(read(&bytes), [("a".to_owned(), 5, None)], "not of requests");
}

fn follow(limiter: &RateLimiter<Manual>, lines: &[(&'static str, &str)]) {
    Advice::read(&headers(lines)).follow(limiter);
}

#[test]
fn retry_after_pauses_a_client() {
    let limiter = limiter(Quota::per_second(10));
    follow(&limiter, &[("retry-after", "30")]);
    let denied = limiter.try_acquire(1).unwrap_err();
    assert_eq!((denied.reason(), denied.retry_after()), (DeniedReason::Paused, Some(SECOND * 30)));
    limiter.clock().advance(SECOND * 30);
    limiter.try_acquire(10).unwrap();
}

/// Of two responses that overtake one another, the longer pause stands; a pause of 0 ends none.
#[test]
fn a_pause_is_not_made_shorter() {
    let limiter = limiter(Quota::per_second(10));
    for seconds in ["30", "5", "0"] {
        follow(&limiter, &[("retry-after", seconds)]);
        assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(SECOND * 30));
    }
    limiter.clock().advance(SECOND * 28);
    follow(&limiter, &[("retry-after", "5")]);
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(SECOND * 5), "it is longer");
}

#[test]
fn retry_after_of_zero_is_no_pause() {
    let limiter = limiter(Quota::per_second(10));
    follow(&limiter, &[("retry-after", "0")]);
    limiter.try_acquire(10).unwrap();
}

#[test]
fn a_pause_without_end_can_be_bounded() {
    let limiter = limiter(Quota::per_second(10));
    let lines =
        [("retry-after", "99999999999999999999"), ("ratelimit", "\"a\";r=0;t=999999999999999")];
    let advice = Advice::read(&headers(&lines));
    advice.clone().at_most(SECOND * 60).follow(&limiter);
    let bounded = limiter.peek(1).unwrap_err().retry_after();
    assert_eq!(bounded, Some(Duration::from_millis(60_100)), "and then the first token");
    advice.follow(&limiter);
    assert!(limiter.peek(1).unwrap_err().is_never(), "beyond the clock's end");
    limiter.pause_for(Duration::ZERO);
    limiter.clock().advance(SECOND);
    limiter.try_acquire(10).unwrap();
}

#[test]
fn what_is_left_at_the_server_is_all_that_is_left() {
    let limiter = limiter(Quota::per_second(100));
    follow(&limiter, &[("ratelimit", r#""hour";r=40;t=10, "day";r=7;t=99999"#)]);
    assert_eq!(limiter.tokens(), 7.0);
    follow(&limiter, &[("ratelimit", r#""hour";r=90;t=10"#)]);
    assert_eq!(limiter.tokens(), 7.0, "nothing is put in");
    follow(&limiter, &[("ratelimit", r#""hour";r=0;t=10"#)]);
    assert_eq!(limiter.peek(1).unwrap_err().retry_after(), Some(Duration::from_millis(10_010)));
    limiter.clock().advance(SECOND * 11);
    assert_eq!(limiter.tokens(), 100.0);
    limiter.reserve(100).unwrap().commit();
    limiter.reserve(5).unwrap().commit();
    follow(&limiter, &[("ratelimit", r#""hour";r=0"#)]);
    assert_eq!(limiter.tokens(), -5.0, "promises are kept");
}

/// The field that says more has precedence.
#[test]
fn retry_after_comes_before_a_reset() {
    let limiter = limiter(Quota::per_second(100));
    follow(&limiter, &[("retry-after", "3"), ("ratelimit", r#""day";r=0;t=99999"#)]);
    let after = limiter.peek(1).unwrap_err().retry_after();
    assert_eq!(after, Some(Duration::from_millis(3010)));
}

#[test]
fn a_limiter_without_limit_can_be_paused() {
    let limiter = limiter(Quota::INF);
    follow(&limiter, &[("ratelimit", r#""a";r=3"#)]);
    limiter.try_acquire(1000).unwrap();
    assert!(limiter.clock().now().as_nanos() == 0);
}

fn key<K>(extractor: &impl KeyExtractor<K, ()>, lines: &[(&'static str, &str)]) -> Option<K> {
    let mut request = Request::new(());
    *request.headers_mut() = headers(lines);
    extractor.key(&request)
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// tower_governor takes the leftmost address, which is the client's to choose.
#[test]
fn a_client_cannot_choose_its_address() {
    let one = ForwardedFor::trusted_hops(1);
    let two = ForwardedFor::trusted_hops(2);
    for forged in ["", "10.0.0.1, ", "10.0.0.1, 10.0.0.2, ", ",,,", "\u{e9}, ", "unknown, \"x,"] {
        let line = format!("{forged}192.0.2.7");
        assert_eq!(key(&one, &[("x-forwarded-for", &line)]), ip("192.0.2.7"), "{line}");
        let behind_two = format!("{line}, 198.51.100.1");
        assert_eq!(key(&two, &[("x-forwarded-for", &behind_two)]), ip("192.0.2.7"), "{line}");
    }
    // A proxy may add a line instead of a word; the client's own line comes first.
    let lines = [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "192.0.2.7")];
    assert_eq!(key(&one, &lines), ip("192.0.2.7"));
    let three = [lines[0], lines[1], ("x-forwarded-for", "198.51.100.1")];
    assert_eq!(key(&two, &three), ip("192.0.2.7"));
}

#[test]
fn who_has_not_come_through_all_proxies_has_no_key() {
    let two = ForwardedFor::trusted_hops(2);
    assert_eq!(key(&two, &[]), None);
    assert_eq!(key(&two, &[("x-forwarded-for", "192.0.2.7")]), None);
    assert_eq!(key(&two, &[("x-forwarded-for", "192.0.2.7, , 198.51.100.1")]), None);
    assert_eq!(key(&two, &[("x-forwarded-for", "unknown, 198.51.100.1")]), None);
    assert_eq!(key(&two, &[("x-forwarded-for", "_hidden, 198.51.100.1")]), None);
}

#[test]
fn addresses_are_read_as_proxies_write_them() {
    let one = ForwardedFor::trusted_hops(1);
    for (text, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::"),
        ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::"),
    ] {
        assert_eq!(key(&one, &[("x-forwarded-for", text)]), ip(expected), "{text}");
    }
    let narrow = one.ipv6_prefix(48);
    assert_eq!(key(&narrow, &[("x-forwarded-for", "2001:db8:1:2::9")]), ip("2001:db8:1::"));
}

#[test]
fn a_peer_is_known_by_what_the_server_says() {
    let peer = |put: &dyn Fn(&mut http::Extensions)| {
        let mut request = Request::new(());
        put(request.extensions_mut());
        KeyExtractor::<IpAddr, ()>::key(&PeerIp::new(), &request)
    };
    assert_eq!(peer(&|_| ()), None);
    let socket: SocketAddr = "[2001:db8:1:2:3:4:5:6]:80".parse().unwrap();
    assert_eq!(peer(&|to| _ = to.insert(socket)), ip("2001:db8:1:2::"));
    assert_eq!(peer(&|to| _ = to.insert(ip("192.0.2.7").unwrap())), ip("192.0.2.7"));
    let mut request = Request::new(());
    request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
    assert_eq!(KeyExtractor::<IpAddr, ()>::key(&PeerIp::new(), &request), None, "no header");
}

#[test]
fn a_header_is_a_key_up_to_a_length() {
    let by = HeaderKey::new(HeaderName::from_static("x-api-key"));
    assert_eq!(key(&by, &[("x-api-key", "abc")]).as_deref(), Some("abc"));
    assert_eq!(key(&by, &[("x-api-key", "a"), ("x-api-key", "b")]).as_deref(), Some("a"));
    assert_eq!(key(&by, &[("x-other", "abc")]), None);
    assert_eq!(key(&by, &[("x-api-key", "\u{e9}")]), None);
    assert!(key(&by, &[("x-api-key", &"x".repeat(128))]).is_some());
    assert!(key(&by, &[("x-api-key", &"x".repeat(129))]).is_none());
    assert!(key(&by.longest(2), &[("x-api-key", "abc")]).is_none());
}
