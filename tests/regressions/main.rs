//! What the simulator has found in Parlor: the smallest choices under which each failed, before it
//! was mended. A log ends with its failure, and the run goes on. Where the generator has changed,
//! standard error says that the log no longer fits; then it is made anew, with the mend taken back.

use parlor_sim::{Preset, repeat};

/// T6: a shutdown that a handler or job asked for counted a turn of its own.
#[test]
fn a_shutdown_belongs_to_the_turn_that_asked_for_it() {
    repeat(Preset::Swarm, include_str!("shutdown_turn.choices"));
}

/// O3: a handler's command for a session that its client had ended in the same read was done, and
/// events behind it ran.
#[test]
fn a_session_that_its_client_ended_is_gone_for_commands() {
    repeat(Preset::Swarm, include_str!("end_of_session.choices"));
}

/// T6: a report that let a session catch up and held-back requests be read was two turns.
#[test]
fn a_report_that_drains_and_resumes_is_one_turn() {
    repeat(Preset::Swarm, include_str!("drain_and_resume.choices"));
}

/// S0: at `namespaces_per_session_max` a CONNECT behind a DISCONNECT in one read was refused.
#[test]
fn whoever_leaves_makes_room_for_whom_joins_behind_it() {
    repeat(Preset::Swarm, include_str!("room_behind_a_leave.choices"));
}

/// V11: between two calls a server said of a socket that it was not writable, by the turn before.
#[test]
fn a_server_foretells_what_becomes_of_a_volatile_packet() {
    repeat(Preset::Swarm, include_str!("foretold.choices"));
}
