//! The demo's page in tabs of a real browser: the scenarios are JavaScript (`tabs.js`).

#[path = "../common/demo.rs"]
mod demo;
#[path = "../common/npm.rs"]
mod npm;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use demo::{DEMO, Demo};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/browser");

#[test]
fn two_tabs_chat() {
    check("two_tabs_chat");
}

#[test]
fn typing_shows_until_the_message_comes() {
    check("typing_shows_until_the_message_comes");
}

#[test]
fn a_reloaded_tab_comes_back() {
    check("a_reloaded_tab_comes_back");
}

#[test]
fn a_name_that_is_being_typed_is_kept() {
    check("a_name_that_is_being_typed_is_kept");
}

#[test]
fn rooms_do_not_hear_each_other() {
    check("rooms_do_not_hear_each_other");
}

fn check(scenario: &str) {
    if !has_browser() {
        return;
    }
    let demo = Demo::start(Command::new(DEMO).args(["--port", "0"]));
    let mut command = Command::new("node");
    command.args(["tabs.js", &format!("http://{}/", demo.addr), scenario]).current_dir(HERE);
    let tabs = command.output().expect("node runs, as was seen before");
    assert!(tabs.status.success(), "{}", String::from_utf8_lossy(&tabs.stderr));
}

fn has_browser() -> bool {
    static HAS: OnceLock<Result<bool, String>> = OnceLock::new();
    let prepare = || {
        let found = npm::has_tools(&["node", "npm"]).and_then(|()| has_chromium());
        let has = npm::or_skip(found, "4 tests in a browser")?;
        if has {
            npm::install(HERE)?;
        }
        Ok(has)
    };
    match HAS.get_or_init(prepare) {
        Ok(has) => *has,
        Err(why) => panic!("{why}"),
    }
}

/// Where `tabs.js` looks for it, too.
fn has_chromium() -> Result<(), String> {
    let path = std::env::var("PARLOR_CHROMIUM").unwrap_or("/usr/bin/chromium".to_owned());
    if Path::new(&path).exists() { Ok(()) } else { Err(format!("there is no {path}")) }
}
