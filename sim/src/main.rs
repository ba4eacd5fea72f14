//! `cargo sim`: the simulator's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    parlor_sim::command::main()
}
