//! The demo's own process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Where it was built.
pub(crate) const DEMO: &str = env!("CARGO_BIN_EXE_parlor-demo");

/// The demo as it runs; killed when dropped.
pub(crate) struct Demo {
    /// Its process; stderr is piped.
    pub(crate) child: Child,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
}

impl Demo {
    /// Starts it, by a command that is it or becomes it, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the demo was built for these tests");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the demo prints text");
        let addr = line.trim_end().strip_prefix("The parlor is open at http://");
        let addr = addr.and_then(|addr| addr.parse().ok());
        Self { child, addr: addr.unwrap_or_else(|| panic!("the demo says {line:?}")) }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().expect("it was started here");
    }
}
