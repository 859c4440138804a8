//! Whether an address is free to listen on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::exit::{Exit, Failure};

/// Refuses an address that another process listens on.
///
/// The gateway's own listeners share their port among its threads (`SO_REUSEPORT`), so a second gateway would
/// quietly take half of the calls of the first. A listener without that option tells.
pub(crate) fn require_free(address: SocketAddr) -> Result<(), Failure> {
    if address.port() == 0 {
        return Ok(());
    }
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => {
            let failure = Failure::io(Exit::Unavailable, format_args!("cannot listen on {address}"), &error);
            Err(match error.kind() {
                io::ErrorKind::AddrInUse => {
                    failure.remedy("another program listens there; choose another port")
                }
                _ => failure,
            })
        }
    }
}

/// The URL by which a listener on `address` is reached from this machine.
pub(crate) fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_refused_and_a_free_one_is_not() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(require_free(address).unwrap_err().exit, Exit::Unavailable);
        drop(taken);
        require_free(address).unwrap();
    }

    #[test]
    fn a_listener_on_every_address_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(url("192.0.2.1:80".parse().unwrap()), "http://192.0.2.1:80");
    }
}
