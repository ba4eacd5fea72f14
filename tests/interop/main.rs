//! Unmodified npm clients of two generations against Parlor, each in three modes.
//!
//! The behaviours are JavaScript (`behaviours.js`), and each is a test of its own for each of the
//! six ways. With `PARLOR_INTEROP_URL` they run against the server there, such as `reference.js`.

#[path = "../common/npm.rs"]
mod npm;
mod server;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use std::{env, thread};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop");
/// Longer than any behaviour takes to fail by itself, which says more.
const BEHAVIOUR_TIME_MAX: Duration = Duration::from_secs(60);

/// Every behaviour six ways: `v4_upgrade::buffer`.
macro_rules! six_ways {
    ($($name:ident)*) => {
        const BEHAVIOURS: &[&str] = &[$(stringify!($name)),*];
        way! { v4_polling "v4" "polling" $($name)* }
        way! { v4_websocket "v4" "websocket" $($name)* }
        way! { v4_upgrade "v4" "upgrade" $($name)* }
        way! { v3_polling "v3" "polling" $($name)* }
        way! { v3_websocket "v3" "websocket" $($name)* }
        way! { v3_upgrade "v3" "upgrade" $($name)* }
    };
}

macro_rules! way {
    ($way:ident $version:literal $mode:literal $($name:ident)*) => {
        mod $way {
            static CLIENTS: std::sync::OnceLock<crate::Clients> = std::sync::OnceLock::new();
            $(
                #[test]
                fn $name() {
                    let Some(url) = crate::url() else { return };
                    let start = || crate::Clients::start(url, $version, $mode);
                    CLIENTS.get_or_init(start).check(stringify!($name));
                }
            )*
        }
    };
}

six_ways! {
    connects_with_an_id_of_its_own
    auth_object_is_visible
    auth_function_is_visible
    absent_auth_is_an_empty_object
    query_is_visible
    extra_headers_are_visible
    cookies_are_visible
    transport_is_what_the_mode_says
    namespace_of_its_own
    namespace_made_on_demand
    unknown_namespace_is_refused
    refusal_has_message_and_data
    refused_may_try_again
    refusal_leaves_other_namespaces
    namespaces_share_a_connection
    emits_while_authorizing_go_before_connect
    emits_before_connect_keep_their_order
    reconnects_with_a_new_id_after_a_lost_connection
    several_arguments
    no_arguments
    undefined_becomes_null
    strings_of_every_script
    strings_with_escapes
    numbers
    deep_nesting
    objects_like_placeholders
    event_named_like_a_number
    event_with_an_odd_name
    message_event
    catch_all_listener
    compress_flag_is_harmless
    buffer
    empty_buffer
    nested_binary
    array_buffer
    typed_arrays
    attachments_in_order
    large_text
    large_binary
    two_hundred_events_in_order
    text_and_binary_keep_their_order
    server_answers
    server_answers_with_several_values
    server_answers_with_nothing
    server_answers_with_binary
    server_answers_later
    server_answers_from_a_thread
    answers_find_their_asks_in_any_order
    answers_in_a_namespace
    client_answers
    client_answers_with_several_values
    client_answers_with_binary
    client_answers_many_asks_backwards
    silent_client_times_out
    room_reaches_members_but_not_the_sender
    room_is_reached_by_one_outside
    room_includes_the_sender_when_asked_of_the_server
    left_room_is_silent
    except_leaves_a_room_out
    union_of_rooms_has_no_duplicates
    same_room_in_another_namespace_is_another
    binary_reaches_a_room
    broadcasts_keep_their_order
    others_all_hear
    all_hear_in_this_namespace_only
    one_socket_is_reached_by_id
    server_moves_members
    server_disconnects_members
    rooms_end_with_their_member
    volatile_reaches_an_idle_client
    client_disconnects
    client_disconnects_and_comes_back
    client_leaves_one_namespace
    rooms_are_known_at_the_end
    server_disconnects_a_socket
    server_disconnected_comes_back_by_hand
    server_disconnects_the_session
    client_closes_the_engine
    heartbeats_keep_an_idle_client
    silent_client_is_dropped
    oversized_message_ends_the_connection
    too_many_attachments_end_the_connection
}

#[test]
fn every_behaviour_is_listed_here() {
    if url().is_none() {
        return;
    }
    let list = node().arg("--list").output().expect("node is installed");
    let list = String::from_utf8(list.stdout).expect("names are ASCII");
    assert_eq!(list.lines().collect::<Vec<_>>(), BEHAVIOURS);
}

/// One process of clients of one version in one mode; it runs any number of behaviours at once.
struct Clients {
    requests: Mutex<ChildStdin>,
    pending: Arc<Mutex<Pending>>,
}

#[derive(Default)]
struct Pending {
    last: u64,
    /// By ids that this side numbers.
    outcomes: BTreeMap<u64, Sender<Value>>,
}

impl Clients {
    fn start(url: &str, version: &str, mode: &str) -> Self {
        let mut command = node();
        command.args([url, version, mode]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is installed");
        let requests = child.stdin.take().expect("it is piped");
        let outcomes = child.stdout.take().expect("it is piped");
        let pending = Arc::new(Mutex::new(Pending::default()));
        let shared = Arc::clone(&pending);
        // The process ends with this one, when its stdin does.
        thread::spawn(move || {
            Self::hand_out(outcomes, &shared);
            child.wait().expect("it was started here");
        });
        Self { requests: Mutex::new(requests), pending }
    }

    /// Gives each outcome to the test that waits for it.
    fn hand_out(lines: ChildStdout, pending: &Mutex<Pending>) {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            let outcome: Value = serde_json::from_str(&line).expect("stdout is lines of JSON");
            let id = outcome["id"].as_u64().expect("an outcome has the id of its request");
            let mut pending = pending.lock().expect("nothing panics while it is held");
            // A test that gave up has dropped its receiver.
            pending.outcomes.remove(&id).map(|test| test.send(outcome));
        }
        pending.lock().expect("nothing panics while it is held").outcomes.clear();
    }

    fn check(&self, behaviour: &str) {
        let (sender, outcome) = mpsc::channel();
        let id = {
            let mut pending = self.pending.lock().expect("nothing panics while it is held");
            pending.last += 1;
            let id = pending.last;
            pending.outcomes.insert(id, sender);
            id
        };
        let line = format!("{id} {behaviour}\n");
        let sent = self.requests.lock().expect("nothing panics in it").write_all(line.as_bytes());
        sent.expect("the clients' process takes requests");
        let outcome = outcome.recv_timeout(BEHAVIOUR_TIME_MAX).expect("an outcome in time");
        assert!(outcome["failure"].is_null(), "{}", outcome["failure"].as_str().unwrap_or("?"));
    }
}

/// Where the server under test listens; `None` where there is no node to run clients.
fn url() -> Option<&'static str> {
    static URL: OnceLock<Result<Option<String>, String>> = OnceLock::new();
    let prepare = || {
        let tests = format!("{} tests of interop", 6 * BEHAVIOURS.len());
        if !npm::or_skip(npm::has_tools(&["node", "npm"]), &tests)? {
            return Ok(None);
        }
        npm::install(HERE)?;
        let url = env::var("PARLOR_INTEROP_URL");
        Ok(Some(url.unwrap_or_else(|_| format!("http://{}", server::start()))))
    };
    match URL.get_or_init(prepare) {
        Ok(url) => url.as_deref(),
        Err(why) => panic!("{why}"),
    }
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.arg("behaviours.js").current_dir(HERE);
    command
}
