//! How bytes come and go: X1, X9 and X13.

use std::collections::{BTreeMap, BTreeSet};

use parlor::App;

use super::account::{Account, Detail, Outputs, Volatile};
use super::play::{Flushing, Manner, Played, play};
use super::{Parting, Related};
use crate::choice::{Choices, Stream};
use crate::client::Kind;
use crate::trace::{self, Done, Given, Input, InputLog, Output};
use crate::workload::{Variant, workload_as};

/// As if there were no bound that a driver can reach by flushing late or reading much at once, and
/// no cork.
fn unbounded(log: &InputLog) -> InputLog {
    let mut log = log.clone();
    log.config.volatile = parlor::Volatile::Turn { cork_bytes_max: u32::MAX };
    log.config.limits.egress_bytes_max = u32::MAX;
    log.config.limits.egress_bytes_total_max = u64::MAX;
    log.config.limits.connects_pending_max = u32::MAX;
    log.config.limits.asks_per_socket_max = u32::MAX;
    // Above it a ping of the WebSocket layer has no pong.
    let high = &mut log.config.limits.egress_bytes_high;
    *high = (*high).max(parlor::Config::default().limits.egress_bytes_high);
    log
}

/// X1: what strict clients say comes in more pieces, at the same instants.
pub(super) fn resegmented(
    log: &InputLog,
    kinds: &[Kind],
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let log = unbounded(log);
    let clients = clients(&log);
    let is_strict = |conn: u32| {
        let kind = clients.get(&conn).and_then(|&client| kinds.get(client));
        matches!(kind, Some(Kind::Polling | Kind::WebSocket | Kind::Upgrading))
    };
    let base = play(&log, patient(), |_io| workload_as(Variant::AsksReliably));
    let (mut whole, came) = (crowded(&base), connecting(&base));
    loop {
        let may_cut = |at, conn| is_strict(conn) && !whole.contains(&(at, conn));
        let (other, is_tried) = in_pieces(&log, may_cut, choices, stream);
        let two = play(&other, patient(), |_io| workload_as(Variant::AsksReliably));
        let parting = but_for_volatile(&base, &two);
        // A CONNECT is not completed where the rest of its read breaks the rules: then handlers run
        // for it that did not, and the read has to stay whole.
        let more: Vec<_> = connecting(&two).difference(&came).copied().collect();
        if parting.is_none() || more.iter().all(|place| whole.contains(place)) {
            return Related::of(is_tried, parting);
        }
        whole.extend(more);
    }
}

/// A log in which what may be cut is cut; whether anything is.
fn in_pieces(
    log: &InputLog,
    may_cut: impl Fn(u64, u32) -> bool,
    choices: &mut Choices,
    stream: Stream,
) -> (InputLog, bool) {
    let mut other = log.clone();
    other.given.clear();
    let mut is_tried = false;
    for given in &log.given {
        let pieces = match &given.input {
            Input::Data { conn, .. } if !may_cut(given.at, *conn) => Vec::new(),
            Input::Data { bytes, .. } if polls_behind(bytes) => Vec::new(),
            Input::Data { bytes, .. } if bytes.len() > 1 => cut(bytes, choices, stream),
            _ => Vec::new(),
        };
        let Some(conn) = given.input.conn().filter(|_| !pieces.is_empty()) else {
            other.given.push(given.clone());
            continue;
        };
        is_tried |= pieces.len() > 1;
        let inputs = pieces.into_iter().map(|bytes| Input::Data { conn, bytes });
        let (at, n) = (given.at, given.n);
        other.given.extend(inputs.map(|input| Given { at, input, done: Done::default(), n }));
    }
    (other, is_tried)
}

/// When handlers ran for a CONNECT that came on a connection.
fn connecting(all: &[Played]) -> BTreeSet<(u64, u32)> {
    let connects =
        |app: &trace::App| matches!(app, trace::App::Enter { event, .. } if is_connect(event));
    let all = all.iter().filter(|played| played.done.app.iter().any(connects));
    all.filter_map(|played| Some((played.at, played.conn?))).collect()
}

fn is_connect(event: &str) -> bool {
    matches!(event, "authorize" | "on_connect")
}

/// Whether a poll stands behind something else: if that is a CONNECT, it is completed when the poll
/// is read too, and has only itself for an answer.
fn polls_behind(bytes: &[u8]) -> bool {
    bytes.windows(5).skip(1).any(|window| window == b"GET /")
}

/// Fires all that is due, and writes when all that has come is read.
pub(super) fn patient() -> Manner<'static> {
    Manner::diligent(Flushing::EachPass)
}

/// When a connection said something together with a CONNECT, which is completed when all of the
/// read is decoded, or together with an end, in front of which commands already say that their
/// socket has gone, and behind which a CONNECT is not completed: what handlers do depends on the
/// cut.
fn crowded(all: &[Played]) -> BTreeSet<(u64, u32)> {
    let mut ran: BTreeMap<(u64, u32), Ran<'_>> = BTreeMap::new();
    for Played { at, conn, done } in all {
        let Some(conn) = *conn else { continue };
        for app in &done.app {
            let trace::App::Enter { sock, event, .. } = app else { continue };
            let ran = ran.entry((*at, conn)).or_default();
            ran.is_over |= &**event == "on_close";
            let Some(socket) = sock else { continue };
            ran.sockets.insert(socket);
            match &**event {
                event if is_connect(event) => ran.connects = true,
                "on_disconnecting" | "on_disconnect" => ran.ends = true,
                _ => ran.does_more = true,
            }
        }
    }
    ran.into_iter().filter(|(_, ran)| ran.is_crowded()).map(|(place, _)| place).collect()
}

/// What handlers ran for what a connection said at one instant.
#[derive(Default)]
struct Ran<'a> {
    sockets: BTreeSet<&'a str>,
    connects: bool,
    ends: bool,
    /// The session is.
    is_over: bool,
    does_more: bool,
}

impl Ran<'_> {
    fn is_crowded(&self) -> bool {
        let is_alone = self.sockets.len() == 1;
        let ends_alone = is_alone && !self.does_more && !self.connects;
        self.is_over || self.connects && !is_alone || self.ends && !ends_alone
    }
}

/// Compares without volatile packets; of those a websocket gets in the second at least what it
/// got in the first.
pub(super) fn but_for_volatile(one: &[Played], two: &[Played]) -> Option<Parting> {
    let volatile = Volatile::of(one);
    let detail = Detail { outputs: Outputs::Ends, tells_volatile: false, ..Detail::EXACT };
    let [mut one, mut two] = [one, two].map(|all| Account::of(all, detail));
    let [one_got, two_got] = [&mut one, &mut two].map(|account| account.take_volatile(&volatile));
    one.parting(&two).or_else(|| {
        let missing = one_got.iter().find_map(|(conn, packets)| {
            let got = two_got.get(conn);
            let missing = packets.iter().find(|packet| got.is_none_or(|got| !got.contains(packet)));
            missing.map(|packet| (conn, packet))
        });
        missing.map(|(conn, packet)| {
            let what =
                format!("connection {conn}: volatile {packet} comes in one piece, and not in more");
            Parting { at: 0, what }
        })
    })
}

fn cut(bytes: &[u8], choices: &mut Choices, stream: Stream) -> Vec<Box<[u8]>> {
    let mut ends: Vec<usize> = (0..1 + choices.choose(stream, 3))
        .map(|_| 1 + choices.choose(stream, bytes.len() as u64 - 1) as usize)
        .collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    ends.dedup();
    let mut from = 0;
    let piece = |to| {
        let piece = bytes[from..to].into();
        from = to;
        piece
    };
    ends.into_iter().map(piece).collect()
}

/// X9: two clients' bytes of one instant come in the other order, to an application that has no
/// state and no rooms.
pub(super) fn commuted<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let log = unbounded(log);
    let base = play(&log, patient(), |_io| program());
    let is_quiet = plain_calls(&base);
    let clients = clients(&log);
    let mut other = log.clone();
    other.given.retain(|given| !matches!(given.input, Input::Sent { .. }));
    let log = other.clone();
    let mut is_tried = false;
    let mut place = 1;
    while place < other.given.len() {
        let [one, two] = [place - 1, place].map(|place| &other.given[place]);
        let [client, next] = [one, two].map(|given| {
            let Input::Data { conn, .. } = given.input else { return None };
            let is_plain = is_quiet.get(&(given.at, conn)).is_some_and(|&is_plain| is_plain);
            clients.get(&conn).filter(|_| is_plain)
        });
        let is_pair = one.at == two.at && client.is_some() && next.is_some() && client != next;
        if is_pair && choices.happens(stream, 3, 4) {
            other.given.swap(place - 1, place);
            is_tried = true;
            place += 1;
        }
        place += 1;
    }
    let detail = Detail { outputs: Outputs::Ends, is_by_socket: true, ..Detail::EXACT };
    let [one, two] = [&log, &other].map(|log| {
        let all = play(log, patient(), |_io| program());
        Account::of(&all, detail)
    });
    Related::of(is_tried, one.parting(&two))
}

/// By instant and connection, whether what came then neither made nor ended anything, and asked
/// nothing: ids are drawn, and places and the numbers of questions given, in the order of the
/// calls.
fn plain_calls(all: &[Played]) -> BTreeMap<(u64, u32), bool> {
    let mut plain = BTreeMap::new();
    for played in all {
        let Some(conn) = played.conn else { continue };
        let done = &played.done;
        let is_new = done.grown.values().any(|bytes| {
            let mut windows = bytes.windows(6);
            windows.any(|window| window == b"\"sid\":")
        });
        let changes = |app: &trace::App| match app {
            trace::App::Enter { event, .. } => {
                matches!(&**event, "on_connect" | "on_disconnect")
            }
            trace::App::Ask { .. } => true,
            _ => false,
        };
        let is_changed = done.app.iter().any(changes);
        let closes = |output: &Output| matches!(output, Output::Close { .. } | Output::Shut);
        let is_plain = !is_new && !is_changed && !done.outputs.iter().any(|(_, out)| closes(out));
        *plain.entry((played.at, conn)).or_insert(true) &= is_plain;
    }
    plain
}

/// X13: all is written after each turn, or after each pass, or each 16 ms. No kernel refuses, and
/// there is no cork, so what becomes of volatile packets is the same.
pub(super) fn flushed<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let log = unbounded(log);
    let other = [Flushing::EachPass, Flushing::EachTick][choices.choose(stream, 2) as usize];
    let [one, two] = [Flushing::EachTurn, other].map(|flushing| {
        let all = play(&log, Manner::diligent(flushing), |_io| program());
        Account::of(&all, Detail { outputs: Outputs::None, ..Detail::EXACT })
    });
    Related::of(one.len() > 0, one.parting(&two))
}

/// Whose each connection is, by where it comes from.
fn clients(log: &InputLog) -> BTreeMap<u32, usize> {
    let client = |given: &Given| {
        let Input::Accept { conn, peer } = &given.input else { return None };
        let last = peer.rsplit_once(':')?.0.rsplit_once('.')?.1;
        Some((*conn, last.parse().ok()?))
    };
    log.given.iter().filter_map(client).collect()
}
