//! Keys made of addresses.

use std::net::{IpAddr, Ipv6Addr};

/// The network of an address, as a key: whoever has one IPv6 address has billions of them, usually
/// a whole /64.
///
/// Of an IPv6 address, all but the first `bits` become zero. An IPv4 address stays as it is, and so
/// does one that is mapped into IPv6 (`::ffff:a.b.c.d`): it becomes that IPv4 address, so that the
/// same host is the same key over either kind of socket.
///
/// # Panics
///
/// If `bits` is more than 128.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::{Keyed, Quota, ipv6_prefix};
/// # use std::net::IpAddr;
/// let limiter = Keyed::new(Quota::per_second(10));
/// let peer: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
/// assert!(limiter.try_acquire(&ipv6_prefix(peer, 64), 1).is_ok());
/// assert_eq!(ipv6_prefix(peer, 64).to_string(), "2001:db8:1:2::");
/// ```
#[must_use]
pub const fn ipv6_prefix(addr: IpAddr, bits: u8) -> IpAddr {
    assert!(bits <= 128, "an IPv6 prefix has 0 to 128 bits");
    let IpAddr::V6(v6) = addr else { return addr };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let mask = match u128::MAX.checked_shl(128 - bits as u32) {
        Some(mask) => mask,
        None => 0,
    };
    IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
}
