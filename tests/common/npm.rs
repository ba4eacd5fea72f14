//! Packages of npm for tests that need a client which is not Rust.

use std::fs::{self, File};
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// What a test needs that is missing is an error in CI; elsewhere it is said, loudly, and the tests
/// are skipped.
pub(crate) fn or_skip(have: Result<(), String>, tests: &str) -> Result<bool, String> {
    let Err(why) = have else { return Ok(true) };
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        return Err(why);
    }
    // Not `eprintln!`, which the test harness hides where tests pass.
    writeln!(io::stderr(), "\nSKIPPED: {tests}, for {why}\n").ok();
    Ok(false)
}

/// Whether these programs run.
pub(crate) fn has_tools(tools: &[&str]) -> Result<(), String> {
    for tool in tools {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        found.map_err(|error| format!("{tool} does not run: {error}"))?;
    }
    Ok(())
}

/// `npm ci` in a directory, unless the packages of its very lock file are there.
pub(crate) fn install(dir: &str) -> Result<(), String> {
    let stamp = format!("{dir}/node_modules/.installed-lock.json");
    let prepare = || {
        // Another run of the tests may be at it.
        let guard = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/npm.lock"))?;
        guard.lock()?;
        let wanted = fs::read(format!("{dir}/package-lock.json"))?;
        if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        let npm = Command::new("npm").arg("ci").current_dir(dir).output()?;
        if !npm.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&npm.stderr)));
        }
        fs::write(&stamp, wanted)
    };
    prepare().map_err(|error| format!("npm ci: {error}"))
}
