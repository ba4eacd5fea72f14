//! What time may not do: T4, T5, X2, X3 and X14. Each is exact, to the byte.

use parlor::App;

use super::account::{Account, Detail, Outputs};
use super::play::{Flushing, Manner, Spurious, play};
use super::{Parting, Related};
use crate::choice::{Choices, Stream};
use crate::trace::{Input, InputLog};
use crate::workload::workload;

/// Calls for nothing between the calls of the log.
pub(super) fn spurious(
    log: &InputLog,
    kind: Spurious,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let one = play(log, Manner::as_taken(), |_io| workload());
    let manner = Manner { spurious: Some((kind, choices, stream)), ..Manner::as_taken() };
    let two = play(log, manner, |_io| workload());
    // A wake-up may be answered by one more attempt to write.
    let outputs = match kind {
        Spurious::Timeouts => Outputs::All,
        Spurious::WakeUps => Outputs::NoFlush,
    };
    let detail = Detail { outputs, ..Detail::EXACT };
    let [one_account, two_account] = [&one, &two].map(|all| Account::of(all, detail));
    Related::of(two.len() > one.len(), one_account.parting(&two_account))
}

/// T5: what is told of the time is older than what was told before.
pub(super) fn older_now(log: &InputLog, choices: &mut Choices, stream: Stream) -> Related {
    let mut other = log.clone();
    let (mut latest, mut is_tried) = (log.start, false);
    for given in &mut other.given {
        if given.at == latest && choices.happens(stream, 1, 2) {
            let bound = [1000, 1_000_000, u64::MAX][choices.choose(stream, 3) as usize];
            given.at = latest.saturating_sub(1 + choices.choose(stream, bound));
            is_tried = true;
        } else {
            latest = given.at;
        }
    }
    Related::of(is_tried, same(workload, log, &other))
}

/// T5: another wall time at the start. No cookie is set here, and nobody looks at the handshake.
pub(super) fn wall_time<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let unix_ms = choices.choose(stream, 1 << 43);
    let is_tried = unix_ms != log.unix_ms;
    Related::of(is_tried, same(program, log, &InputLog { unix_ms, ..log.clone() }))
}

/// X3: everything later by whole slots of the timers.
pub(super) fn epoch<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let size = 10 * choices.choose(stream, 5);
    let slots = 1 + choices.choose(stream, 1 << size);
    Related::of(!log.given.is_empty(), same(program, log, &later(log, slots * 1000)))
}

fn later(log: &InputLog, micros: u64) -> InputLog {
    let mut other = log.clone();
    other.start += micros;
    other.given.iter_mut().for_each(|given| given.at += micros);
    other
}

pub(super) fn same<S: Send + 'static>(
    program: fn() -> App<S>,
    one: &InputLog,
    two: &InputLog,
) -> Option<Parting> {
    let [one, two] = [one, two].map(|log| {
        let all = play(log, Manner::as_taken(), |_io| program());
        Account::of(&all, Detail { start: log.start, ..Detail::EXACT })
    });
    one.parting(&two)
}

/// X14: so many deadlines a call. The driver sleeps through two in three, so that more are due at
/// once.
pub(super) fn deadlines(log: &InputLog, choices: &mut Choices, stream: Stream) -> Related {
    let many = 2 + choices.choose(stream, 1000) as u32;
    let mut log = log.clone();
    log.given.retain(|given| {
        !matches!(given.input, Input::Timeout { .. }) || choices.happens(stream, 1, 3)
    });
    let [one, two] = [1, many].map(|most| {
        log.config.limits.deadlines_per_call_max = most;
        let all = play(&log, Manner::diligent(Flushing::AsTaken), |_io| workload());
        let detail = Detail { outputs: Outputs::NoFlush, ..Detail::EXACT };
        (all.len(), Account::of(&all, detail))
    });
    Related::of(two.0 < one.0, one.1.parting(&two.1))
}
