//! Errors of starting, in words that say what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why an address could not be listened on.
#[derive(Debug)]
struct BindError {
    addr: SocketAddr,
    source: io::Error,
}

/// The same kind of error, with advice.
pub(crate) fn cannot_bind(addr: SocketAddr, source: io::Error) -> io::Error {
    io::Error::new(source.kind(), BindError { addr, source })
}

pub(crate) fn bad_config(why: parlor::ConfigError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.addr.port();
        write!(f, "cannot listen on {}: ", self.addr)?;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "port {port} is taken by another program; stop it or choose another port \
                 (0 lets the system choose)"
            ),
            io::ErrorKind::PermissionDenied if port < 1024 => write!(
                f,
                "ports below 1024 need a privilege; choose one from 1024 on, such as {}",
                8000 + port % 1000
            ),
            io::ErrorKind::AddrNotAvailable => write!(
                f,
                "no interface of this machine has the address {}; 127.0.0.1 is for this machine \
                 alone, 0.0.0.0 for all that reach it",
                self.addr.ip()
            ),
            _ => fmt::Display::fmt(&self.source, f),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(addr: &str, kind: io::ErrorKind) -> String {
        cannot_bind(addr.parse().expect("an address"), kind.into()).to_string()
    }

    #[test]
    fn a_bind_error_says_what_to_do_and_keeps_its_kind() {
        let taken = said("127.0.0.1:3000", io::ErrorKind::AddrInUse);
        assert!(taken.contains("port 3000 is taken") && taken.contains("choose another"));
        let forbidden = said("0.0.0.0:80", io::ErrorKind::PermissionDenied);
        assert!(forbidden.contains("below 1024") && forbidden.contains("8080"));
        let elsewhere = said("192.0.2.1:3000", io::ErrorKind::AddrNotAvailable);
        assert!(elsewhere.contains("192.0.2.1") && elsewhere.contains("127.0.0.1"));
        let addr = "127.0.0.1:3000".parse().expect("an address");
        let error = cannot_bind(addr, io::ErrorKind::AddrInUse.into());
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
