//! Ids are drawn: one connection more, and all later ones are others. Here they are named by the
//! connection that told them first, and clients are made to say the ids that they were told.

use std::collections::BTreeMap;

use super::play::Played;
use crate::trace::{App, Done, Input, InputLog};

/// In front of an id, where it is told first.
const MARK: &[u8] = b"\"sid\":\"";

/// The connection that told an id, and its number among those that it told.
pub(super) type Name = (u32, usize);

/// The ids of one run, and where the log's clients say those of another.
#[derive(Debug, Default)]
pub(super) struct Names {
    told: BTreeMap<Name, Vec<u8>>,
    counts: BTreeMap<u32, usize>,
    /// By connection: where, in all that it says, an id stands.
    said: BTreeMap<u32, Vec<(usize, usize, Name)>>,
    /// How much each connection has said.
    fed: BTreeMap<u32, usize>,
}

impl Names {
    /// The ids that a run told.
    pub(super) fn of(all: &[Played]) -> Self {
        let mut names = Self::default();
        all.iter().for_each(|played| names.learn(&played.done));
        names
    }

    /// For a run of the same log in which ids are others than those that these connections told.
    pub(super) fn renaming(base: &Self, log: &InputLog) -> Self {
        let mut streams: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for given in &log.given {
            if let Input::Data { conn, bytes } = &given.input {
                streams.entry(*conn).or_default().extend(&bytes[..]);
            }
        }
        let known = base.by_id();
        let mut names = Self::default();
        for (conn, stream) in streams {
            let tokens = tokens(&stream).filter_map(|(from, to)| {
                known.get(&stream[from..to]).map(|&name| (from, to, name))
            });
            names.said.insert(conn, tokens.collect());
        }
        names
    }

    /// What a call told.
    pub(super) fn learn(&mut self, done: &Done) {
        for (&conn, bytes) in &done.grown {
            let mut rest = &bytes[..];
            while let Some(at) = find(rest, MARK) {
                rest = &rest[at + MARK.len()..];
                let end = rest.iter().position(|&byte| byte == b'"').unwrap_or(rest.len());
                let count = self.counts.entry(conn).or_default();
                self.told.insert((conn, *count), rest[..end].to_vec());
                *count += 1;
            }
        }
    }

    /// The next bytes of a connection, with the ids of this run; `None` if they are the same.
    pub(super) fn renamed(&mut self, conn: u32, bytes: &[u8]) -> Option<Input> {
        let from = *self.fed.get(&conn).unwrap_or(&0);
        let to = from + bytes.len();
        self.fed.insert(conn, to);
        let mut new = bytes.to_vec();
        for &(start, end, name) in self.said.get(&conn)? {
            let Some(id) = self.told.get(&name).filter(|id| id.len() == end - start) else {
                continue;
            };
            let (first, last) = (start.max(from), end.min(to));
            if first < last {
                new[first - from..last - from].copy_from_slice(&id[first - start..last - start]);
            }
        }
        (new != bytes).then(|| Input::Data { conn, bytes: new.into() })
    }

    /// The same text with a name in the place of each id. Ids that no connection told are
    /// numbered as they come.
    pub(super) fn canonical(&self, all: &mut [Played]) {
        let known = self.by_id();
        let mut others: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut name = |id: &[u8], counts_others: bool| match known.get(id) {
            Some((conn, count)) => Some(format!("#{conn}.{count}")),
            None => {
                let next = others.len();
                if counts_others && id.len() == SOCKET_BYTES {
                    others.entry(id.to_vec()).or_insert(next);
                }
                others.get(id).map(|other| format!("#other.{other}"))
            }
        };
        for played in all {
            for app in &mut played.done.app {
                for text in texts(app) {
                    let named = replaced(text.as_bytes(), |id| name(id, true));
                    *text = String::from_utf8_lossy(&named).into();
                }
            }
            for bytes in played.done.grown.values_mut() {
                *bytes = replaced(bytes, |id| name(id, false));
            }
        }
    }

    /// All that were told.
    pub(super) fn ids(&self) -> impl Iterator<Item = &[u8]> {
        self.told.values().map(|id| &id[..])
    }

    fn by_id(&self) -> BTreeMap<&[u8], Name> {
        self.told.iter().map(|(&name, id)| (&id[..], name)).collect()
    }
}

/// Where ids may stand.
fn texts(app: &mut App) -> Vec<&mut Box<str>> {
    match app {
        App::Enter { sock, event: _, args } => sock.iter_mut().chain([args]).collect(),
        App::Exit { sock, event: _ } => sock.iter_mut().collect(),
        App::Ask { sock, .. } => vec![sock],
        App::Settle { sock, args, .. } => vec![sock, args],
        App::Command(command) => vec![&mut command.to, &mut command.event, &mut command.args],
    }
}

/// A socket's id, in print.
const SOCKET_BYTES: usize = 20;
/// A session's.
const SESSION_BYTES: usize = 27;

fn replaced(text: &[u8], mut name: impl FnMut(&[u8]) -> Option<String>) -> Vec<u8> {
    let (mut out, mut done) = (Vec::with_capacity(text.len()), 0);
    for (from, to) in tokens(text) {
        if let Some(name) = name(&text[from..to]) {
            out.extend(&text[done..from]);
            out.extend(name.as_bytes());
            done = to;
        }
    }
    out.extend(&text[done..]);
    out
}

/// Where something stands that is as long as an id, and of its letters.
fn tokens(text: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += text.get(at..)?.iter().position(is_letter)?;
            let from = at;
            at += text[at..].iter().take_while(|byte| is_letter(byte)).count();
            if matches!(at - from, SOCKET_BYTES | SESSION_BYTES) {
                return Some((from, at));
            }
        }
    })
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAA1";
    const TWO: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBB2";

    fn told(conn: u32, id: &str) -> Played {
        let bytes = format!("0{{\"sid\":\"{id}\"}}").into_bytes();
        let done = Done { grown: [(conn, bytes)].into(), ..Done::default() };
        Played { at: 0, conn: Some(conn), done }
    }

    #[test]
    fn clients_say_the_ids_that_they_were_told_however_their_bytes_are_cut() {
        let base = Names::of(&[told(4, ONE)]);
        let text = format!("GET /?sid={ONE} HTTP/1.1");
        let pieces = [&text.as_bytes()[..20], &text.as_bytes()[20..]];
        let given = pieces.map(|piece| {
            let input = Input::Data { conn: 5, bytes: piece.into() };
            crate::trace::Given { at: 0, input, done: Done::default(), n: 0 }
        });
        let config = parlor::Config::default();
        let log = InputLog { seed: 0, start: 0, unix_ms: 0, config, given: given.into() };
        let mut names = Names::renaming(&base, &log);
        names.learn(&told(4, TWO).done);
        let said: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| match names.renamed(5, piece) {
                Some(Input::Data { bytes, .. }) => bytes.to_vec(),
                _ => panic!("it says the old one"),
            })
            .collect();
        assert_eq!(String::from_utf8(said).unwrap(), text.replace(ONE, TWO));
    }

    #[test]
    fn ids_of_one_place_have_one_name() {
        let mut all = [[told(4, ONE)], [told(4, TWO)]];
        for one in &mut all {
            let names = Names::of(one);
            names.canonical(one);
        }
        assert_eq!(all[0][0].done, all[1][0].done);
        assert_eq!(all[0][0].done.grown[&4], b"0{\"sid\":\"#4.0\"}");
    }
}
