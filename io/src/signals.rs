//! SIGTERM and SIGINT: the first asks for an orderly end, the second gets a prompt one.

use std::io;
use std::process;

use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_mio::v1_0;

/// The process's signals, as a source of the poll.
pub(crate) struct Signals {
    source: v1_0::Signals,
    stopping: bool,
}

impl Signals {
    /// Takes both signals over, for the rest of the process's life: once this value is gone they
    /// have no effect.
    pub(crate) fn install(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut source = v1_0::Signals::new([SIGTERM, SIGINT])?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self { source, stopping: false })
    }

    /// Whether the driver shall stop. Where it was told before, the process ends here, with the
    /// status by which shells name the signal: 143 after SIGTERM, 130 after SIGINT.
    pub(crate) fn read(&mut self) -> bool {
        for signal in self.source.pending() {
            if self.stopping {
                log::warn!("second signal: ending at once");
                process::exit(128 + signal);
            }
            self.stopping = true;
        }
        self.stopping
    }
}
