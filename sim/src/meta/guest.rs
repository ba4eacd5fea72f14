//! One connection more: X5 and M4.

use parlor::App;

use super::Related;
use super::account::{Account, Detail, Outputs};
use super::names::Names;
use super::play::{Flushing, Manner, Played, play};
use crate::choice::{Choices, Stream};
use crate::client::hostile::speech;
use crate::client::{http, ws};
use crate::trace::{Done, Given, Input, InputLog};

/// Connections from here on are not of the log.
const FIRST: u32 = 1 << 30;

/// X5: somebody who says nothing, in a namespace where nobody else is.
pub(super) fn observer<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let log = &with_room(log);
    let mut other = log.clone();
    let frame = ws::frame(ws::TEXT, b"40/alone,", choices.choose(stream, 1 << 32) as u32);
    let said = [[http::upgrade(None), frame].concat()];
    visit(&mut other, FIRST, &said, choices, stream);
    compare(program, (log, &other), |guests| {
        let mut shown = guests.iter().flat_map(|played| played.done.grown.values());
        shown.any(|bytes| bytes.windows(10).any(|window| window == b"40/alone,{"))
    })
}

/// M4: somebody who means no good, and is never admitted.
pub(super) fn hostile<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let log = &with_room(log);
    let mut other = log.clone();
    for number in 0..1 + choices.choose(stream, 4) as u32 {
        let speech = speech::of(None, choices, stream).bytes;
        let pace = [1 + speech.len() / 5, 1 << 20][choices.choose(stream, 2) as usize];
        let said: Vec<Vec<u8>> = speech.chunks(pace).map(<[u8]>::to_vec).collect();
        visit(&mut other, FIRST + number, &said, choices, stream);
    }
    // No handler ran for it, so no namespace has taken it in.
    compare(program, (log, &other), |guests| guests.iter().all(|played| played.done.app.is_empty()))
}

/// The log, with room for guests. It ends with the shutdown, which ends sessions in the order of
/// their places in a table, and a guest takes one.
fn with_room(log: &InputLog) -> InputLog {
    const GUESTS_MAX: u32 = 4;
    let mut log = log.clone();
    let limits = &mut log.config.limits;
    for limit in [&mut limits.connections_max, &mut limits.sessions_max] {
        *limit = limit.saturating_add(GUESTS_MAX);
    }
    let end = log.given.iter().position(|given| given.input == Input::Shutdown);
    log.given.truncate(end.unwrap_or(log.given.len()));
    log
}

/// Puts what a guest does into a log, in order, at times of the log's own inputs.
fn visit(log: &mut InputLog, conn: u32, said: &[Vec<u8>], choices: &mut Choices, stream: Stream) {
    let peer = "10.1.0.1:1".into();
    let mut inputs = vec![Input::Accept { conn, peer }];
    inputs.extend(said.iter().map(|bytes| Input::Data { conn, bytes: bytes[..].into() }));
    match choices.choose(stream, 3) {
        0 => {}
        1 => inputs.push(Input::Eof { conn }),
        _ => inputs.push(Input::Lost { conn }),
    }
    let own = log.given.iter().rposition(|given| given.n != usize::MAX).unwrap_or(0) as u64;
    let mut places: Vec<usize> =
        inputs.iter().map(|_| choices.choose(stream, own + 1) as usize).collect();
    places.sort_unstable();
    for (input, place) in inputs.into_iter().zip(places).rev() {
        let Some(at) = log.given.get(place).map(|given| given.at) else { continue };
        log.given.insert(place, Given { at, input, done: Done::default(), n: usize::MAX });
    }
}

/// Compares what everybody else sees; ids apart, which are drawn.
fn compare<S: Send + 'static>(
    program: fn() -> App<S>,
    (log, other): (&InputLog, &InputLog),
    is_one: impl Fn(&[&Played]) -> bool,
) -> Related {
    let manner = || Manner::diligent(Flushing::EachPass);
    let mut one = play(log, manner(), |_io| with_alone(program));
    let one_names = Names::of(&one);
    let mut two_names = Names::renaming(&one_names, log);
    let names = Some(&mut two_names);
    let mut two = play(other, Manner { names, ..manner() }, |_io| with_alone(program));
    let is_guest = |conn: u32| conn >= FIRST;
    let guests = two.iter().filter(|played| played.conn.is_some_and(is_guest));
    let is_tried = is_one(&guests.collect::<Vec<_>>());
    one_names.canonical(&mut one);
    two_names.canonical(&mut two);
    let detail = Detail { outputs: Outputs::Ends, ..Detail::EXACT };
    let [one, mut two] = [&one, &two].map(|all| Account::of(all, detail));
    two.forget(is_guest);
    Related::of(is_tried, one.parting(&two))
}

/// With a namespace in which nobody is.
fn with_alone<S: Send + 'static>(program: fn() -> App<S>) -> App<S> {
    let mut app = program();
    app.of("/alone");
    app
}
