//! Which addresses to listen on, and whether they are free.

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

/// The port of the first listener where only an IP address is given.
const FIRST_PORT: u16 = 7780;

/// Reads `IP` or `IP:PORT` as five addresses: PORT and the four after it, or any free ports where it is 0.
pub(crate) fn five_from(text: &str) -> Result<[SocketAddr; 5], String> {
    let first = text
        .parse()
        .or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, FIRST_PORT)))
        .map_err(|_| "expected an IP address, and a port if need be, e.g. 127.0.0.1:7780".to_owned())?;
    let port = |n: u16| match first.port() {
        0 => Ok(0),
        first => first.checked_add(n).ok_or_else(|| "five ports are needed, from PORT on".to_owned()),
    };
    let address = |n| port(n).map(|port| SocketAddr::new(first.ip(), port));
    Ok([first, address(1)?, address(2)?, address(3)?, address(4)?])
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
    fn five_addresses_are_taken_in_turn() {
        let ports = |text: &str| five_from(text).map(|addresses| addresses.map(|address| address.port()));
        assert_eq!(ports("127.0.0.1"), Ok([7780, 7781, 7782, 7783, 7784]));
        assert_eq!(ports("[::1]:9000"), Ok([9000, 9001, 9002, 9003, 9004]));
        assert_eq!(ports("0.0.0.0:0"), Ok([0; 5]));
        for wrong in ["", "localhost", "127.0.0.1:", "127.0.0.1:65532", "7780", ":0"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
        assert_eq!(five_from("::1").unwrap()[0], "[::1]:7780".parse().unwrap());
    }

    #[test]
    fn a_listener_on_every_address_is_reached_by_loopback() {
        assert_eq!(url("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(url("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(url("192.0.2.1:80".parse().unwrap()), "http://192.0.2.1:80");
    }
}
