//! What rustfmt and clippy do not see: the house rules of the source text. Each rule has a sample
//! that breaks it, so none can go blind.

mod rules;

use std::path::Path;
use std::process::Command;
use std::{fs, str};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// All that may stand at the top, dot-files aside.
const TOP: &[&str] = &[
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "io",
    "rustfmt.toml",
    "sim",
    "snapshots",
    "src",
    "tests",
];

#[test]
fn every_file_keeps_the_house_rules() {
    let files = files();
    assert!(files.iter().any(|path| path == "src/lib.rs"), "{} files", files.len());
    let mut faults = Vec::new();
    for path in &files {
        let bytes = fs::read(Path::new(ROOT).join(path)).expect("the list was made just now");
        let Ok(text) = str::from_utf8(&bytes) else { continue };
        faults.extend(rules::check(path, text));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn the_top_level_is_short() {
    let mut tops: Vec<_> = files().iter().map(|path| top(path).to_owned()).collect();
    tops.dedup();
    let strangers: Vec<_> =
        tops.iter().filter(|top| !top.starts_with('.') && !TOP.contains(&&***top)).collect();
    assert!(strangers.is_empty(), "{strangers:?} at the top level");
}

fn top(path: &str) -> &str {
    path.split('/').next().expect("split yields at least one part")
}

/// What git has or would add, in order; where there is no git, as in an unpacked archive, what lies
/// there.
fn files() -> Vec<String> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let git = Command::new("git").args(list).current_dir(ROOT).output();
    let mut files = match git {
        Ok(list) if list.status.success() => {
            let list = String::from_utf8(list.stdout).expect("paths are ASCII");
            list.split_terminator('\0').map(str::to_owned).collect()
        }
        _ => {
            let mut files = Vec::new();
            walk(Path::new(ROOT), "", &mut files);
            files
        }
    };
    // One that was deleted and not yet committed is still listed.
    files.retain(|path| Path::new(ROOT).join(path).is_file());
    files.sort();
    files
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("a directory of this repository") {
        let entry = entry.expect("a directory of this repository");
        let name = entry.file_name().into_string().expect("paths are ASCII");
        let path = format!("{prefix}{name}");
        if ["target", "node_modules", ".git"].contains(&&*name) {
            continue;
        }
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else {
            files.push(path);
        }
    }
}
