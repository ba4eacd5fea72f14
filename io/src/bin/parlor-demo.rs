//! A chat in one file and one page: `cargo run --release`, and open two tabs.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::{Arg, ValueExt};
use parlor_io::{Driver, Options};

#[path = "../../demo/chat.rs"]
mod chat;

use chat::chat;

const HELP: &str = "\
A chat server with one page, to see Parlor at work.

Usage: parlor-demo [--host HOST] [--port PORT]

  --host HOST   where to listen [default: 127.0.0.1, which is this machine alone]
  --port PORT   on which port; 0 lets the system choose [default: $PORT, or else 3000]
  --help        this text
";

fn main() -> ExitCode {
    log::set_max_level(log::LevelFilter::Info);
    log::set_logger(&Stderr).expect("nobody else sets one");
    let place = match Place::from_environment() {
        Ok(Some(place)) => place,
        Ok(None) => return print(HELP),
        Err(error) => {
            log::error!("{error}; see --help");
            return ExitCode::from(2);
        }
    };
    match run(&place) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(place: &Place) -> io::Result<()> {
    if let Err(error) = parlor_io::raise_open_files() {
        log::warn!("cannot raise the limit of open files: {error}");
    }
    let options = Options { signals: true, ..Options::default() };
    let driver = Driver::bind((place.host.as_str(), place.port), options)?;
    print(&format!("The parlor is open at http://{}\n", driver.local_addr()));
    driver.run(chat).map(drop)
}

/// Where to listen.
struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// `None` if help is wanted.
    fn from_environment() -> Result<Option<Self>, lexopt::Error> {
        let mut place = Self { host: "127.0.0.1".to_string(), port: 3000 };
        if let Some(port) = env::var_os("PORT") {
            place.port = port.parse().map_err(|error| format!("PORT: {error}"))?;
        }
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("host") => place.host = args.value()?.string()?,
                Arg::Short('p') | Arg::Long("port") => place.port = args.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(Some(place))
    }
}

/// A closed stdout is no reason to stop.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Logs to stderr, a line each.
struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            let line = format!("parlor-demo: {level}: {}\n", record.args());
            // There is nobody left to tell if this fails.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
