//! X4: a world, and the same with other names and other ids. Both are recorded, and the second must
//! be the first to the record, with one name for each name and one id for each id. Only the masks
//! of websockets make the bytes of clients others; of what they say the text is compared.
//!
//! Left out is what is by right a matter of names or ids: the namespace that everybody knows keeps
//! its name, what the program draws is not the server's, and who guesses ids guesses from none.

use std::collections::BTreeMap;

use super::{Comparison, Parting, Related};
use crate::choice::Choices;
use crate::profile::Preset;
use crate::trace::{App, Command, Input, Output, Peer, Record, Story, What, cut_to};
use crate::workload::Guise;
use crate::world::{self, Run};

/// Columns of a record in what is told.
const TOLD_CHARS: usize = 120;

pub(super) fn worlds(preset: Preset, mut choices: Choices) -> (Run, Related) {
    let stream = choices.stream(Comparison::STREAM, 0);
    let guises = Guise::pair(choices.seed(), &mut choices, stream);
    let one = world::run_as(guises[0], preset, choices, true);
    if one.verdicts.failure().is_some() {
        return (one, Related::Vacuous);
    }
    let two = world::run_as(guises[1], preset, one.choices.again(), true);
    if two.verdicts.failure().is_some() {
        return (Run { choices: one.choices, ..two }, Related::Vacuous);
    }
    let related = compare(guises, [one.trace.records(), two.trace.records()]);
    (one, related)
}

/// Whether two runs are one, but for names and ids.
pub(super) fn compare(guises: [Guise; 2], [ones, twos]: [&[Record]; 2]) -> Related {
    let mut likeness = Likeness::of(guises);
    let mut pairs = ones.iter().zip(twos);
    let same = pairs.position(|(one, two)| !likeness.is_record(one, two));
    let same = same.unwrap_or(ones.len().min(twos.len()));
    let parting = (same < ones.len().max(twos.len())).then(|| {
        let told = |records: &[Record]| match records.get(same) {
            Some(_) => cut_to(&Story::new(records).line(same).to_string(), TOLD_CHARS),
            None => "nothing more".into(),
        };
        let at = ones.get(same).or(twos.get(same)).map_or(0, |record| record.t);
        let what = format!("first {}; then {}", told(ones).trim(), told(twos).trim());
        Parting { at, what }
    });
    // They may part before any name is met.
    let is_tried = parting.is_some() || likeness.names_met > 0 && !likeness.ids.is_empty();
    Related::of(is_tried, parting)
}

/// What of one run is called what in the other.
struct Likeness {
    names: BTreeMap<&'static [u8], &'static [u8]>,
    ids: BTreeMap<Vec<u8>, Vec<u8>>,
    back: BTreeMap<Vec<u8>, Vec<u8>>,
    names_met: u64,
}

impl Likeness {
    fn of([one, two]: [Guise; 2]) -> Self {
        let names = one.names().into_iter().zip(two.names());
        let names = names.map(|(one, two)| (one.as_bytes(), two.as_bytes())).collect();
        Self { names, ids: BTreeMap::new(), back: BTreeMap::new(), names_met: 0 }
    }

    fn is_record(&mut self, one: &Record, two: &Record) -> bool {
        (one.t, one.cause, one.at) == (two.t, two.cause, two.at) && self.is(&one.what, &two.what)
    }

    fn is(&mut self, one: &What, two: &What) -> bool {
        match (one, two) {
            (What::In(turn, one), What::In(other, two)) => turn == other && self.is_input(one, two),
            (
                What::Out(conn, Output::Grow { bytes: one, packets: ones }),
                What::Out(other, Output::Grow { bytes: two, packets: twos }),
            ) => {
                let [ones, twos] = [ones, twos].map(|packets| packets.iter().map(|text| &**text));
                conn == other && self.is_text(one, two) && self.are_texts(ones, twos)
            }
            (What::App(one), What::App(two)) => self.is_app(one, two),
            (What::Peer(one), What::Peer(two)) => self.is_peer(one, two),
            (What::Note(one), What::Note(two)) => self.is_text(one.as_bytes(), two.as_bytes()),
            (What::Shadow { of: one, fields: ones }, What::Shadow { of: two, fields: twos }) => {
                self.is_text(one.as_bytes(), two.as_bytes()) && ones == twos
            }
            (one, two) => one == two,
        }
    }

    fn is_input(&mut self, one: &Input, two: &Input) -> bool {
        match (one, two) {
            (Input::Data { conn, bytes: one }, Input::Data { conn: other, bytes: two }) => {
                conn == other && one.len() == two.len()
            }
            (
                Input::Job { number, job, site, args: one },
                Input::Job { number: other_number, job: other_job, site: other_site, args: two },
            ) => {
                (number, job, site) == (other_number, other_job, other_site)
                    && self.is_text(one.as_bytes(), two.as_bytes())
            }
            (one, two) => one == two,
        }
    }

    fn is_app(&mut self, one: &App, two: &App) -> bool {
        let (ones, twos) = (texts(one), texts(two));
        let are_alike =
            ones.len() == twos.len() && self.are_texts(ones.into_iter(), twos.into_iter());
        are_alike && bare(one) == bare(two)
    }

    fn is_peer(&mut self, one: &Peer, two: &Peer) -> bool {
        let place = |peer: &Peer| (peer.is_said, peer.conn, peer.end, peer.bytes.len());
        place(one) == place(two)
            && self.is_text(one.unit.as_bytes(), two.unit.as_bytes())
            && (one.is_said || self.is_text(&one.bytes, &two.bytes))
    }

    fn are_texts<'a>(
        &mut self,
        ones: impl ExactSizeIterator<Item = &'a str>,
        twos: impl ExactSizeIterator<Item = &'a str>,
    ) -> bool {
        ones.len() == twos.len()
            && ones.zip(twos).all(|(one, two)| self.is_text(one.as_bytes(), two.as_bytes()))
    }

    /// Whether words stand at the same places, and each is the other's.
    fn is_text(&mut self, one: &[u8], two: &[u8]) -> bool {
        if one == two {
            return true;
        }
        if one.len() != two.len() {
            return false;
        }
        let mut at = 0;
        while let Some(length) = one.get(at..).filter(|rest| !rest.is_empty()).map(word) {
            if word(&two[at..]) != length {
                return false;
            }
            let end = at + length.max(1);
            if one[at..end] != two[at..end] && !self.is_word(&one[at..end], &two[at..end]) {
                return false;
            }
            at = end;
        }
        true
    }

    /// Two words that are not the same.
    fn is_word(&mut self, one: &[u8], two: &[u8]) -> bool {
        if let Some(name) = self.names.get(one) {
            self.names_met += 1;
            return *name == two;
        }
        if !matches!(one.len(), parlor::SocketId::CHARS | SESSION_CHARS) {
            return false;
        }
        let there = self.ids.entry(one.into()).or_insert_with(|| two.into());
        let back = self.back.entry(two.into()).or_insert_with(|| one.into());
        **there == *two && **back == *one
    }
}

/// A session's id, in print.
const SESSION_CHARS: usize = 27;

/// How many letters of names and ids a text begins with.
fn word(text: &[u8]) -> usize {
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.iter().take_while(is_letter).count()
}

/// Where names and ids may stand.
fn texts(app: &App) -> Vec<&str> {
    match app {
        App::Enter { sock, event, args } => {
            sock.iter().chain([event, args]).map(|text| &**text).collect()
        }
        App::Exit { sock, event } => sock.iter().chain([event]).map(|text| &**text).collect(),
        App::Ask { sock, event, .. } => vec![sock, event],
        App::Settle { sock, args, .. } => vec![sock, args],
        App::Command(command) => {
            let Command { to, event, args, out, .. } = &**command;
            [to, event, args]
                .into_iter()
                .chain(out.iter().map(|(sock, ..)| sock))
                .map(|text| &**text)
                .collect()
        }
    }
}

/// The rest of it.
fn bare(app: &App) -> App {
    let mut app = app.clone();
    match &mut app {
        App::Enter { sock, event, args } => {
            (*event, *args) = Default::default();
            *sock = sock.take().map(|_| "".into());
        }
        App::Exit { sock, event } => {
            *event = "".into();
            *sock = sock.take().map(|_| "".into());
        }
        App::Ask { sock, event, .. } => (*sock, *event) = Default::default(),
        App::Settle { sock, args, .. } => (*sock, *args) = Default::default(),
        App::Command(command) => {
            (command.to, command.event, command.args) = Default::default();
            command.out.iter_mut().for_each(|(sock, ..)| *sock = "".into());
        }
    }
    app
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::trace::{Entity, Input};

    fn guises() -> [Guise; 2] {
        let mut choices = Choices::new(1);
        let stream = choices.stream("relation", 0);
        Guise::pair(1, &mut choices, stream)
    }

    fn id(letter: char) -> String {
        letter.to_string().repeat(parlor::SocketId::CHARS)
    }

    /// Two members of a room, and what is said to it and shown to them.
    fn told(guise: Guise, ids: [char; 2], order: [usize; 2]) -> Vec<Record> {
        let [room, ..] = guise.rooms;
        let record = |what| Record { t: 7, cause: None, at: Entity::Node(1), what };
        let args = |id: &str| format!("[1,{id:?}]").into();
        let enters = ids.map(|letter| {
            let (sock, event) = (Some(id(letter).into()), "on_connect".into());
            record(What::App(App::Enter { sock, event, args: args(&id(letter)) }))
        });
        let command = Command { cmd: "broadcast".into(), to: room.into(), ..Command::default() };
        let shown = order.map(|conn| {
            let text = format!("42{},[\"said\",1,\"{}\"]", guise.word, id(ids[conn]));
            let output = Output::Grow { bytes: text.as_bytes().into(), packets: vec![text.into()] };
            record(What::Out(conn as u32, output))
        });
        let command = record(What::App(App::Command(Box::new(command))));
        enters.into_iter().chain([command]).chain(shown).collect()
    }

    #[test]
    fn names_and_ids_may_be_others() {
        let guises = guises();
        let one = told(guises[0], ['a', 'b'], [0, 1]);
        let two = told(guises[1], ['y', 'x'], [0, 1]);
        assert_eq!(compare(guises, [&one, &two]), Related::Alike);
        assert_eq!(compare(guises, [&[], &[]]), Related::Vacuous);
    }

    #[test]
    fn an_order_that_follows_from_names_or_ids_is_seen() {
        let guises = guises();
        let one = told(guises[0], ['a', 'b'], [0, 1]);
        let two = told(guises[1], ['y', 'x'], [1, 0]);
        let related = compare(guises, [&one, &two]);
        let Related::Differ(Parting { at: 7, what }) = related else { panic!("{related:?}") };
        assert!(what.starts_with("first ") && what.contains("; then "), "{what}");
    }

    #[test]
    fn one_for_another_less_of_it_and_another_time_are_seen() {
        let guises = guises();
        let one = told(guises[0], ['a', 'b'], [0, 1]);
        let is_seen = |two: &[Record]| {
            let related = compare(guises, [&one, two]);
            assert!(matches!(related, Related::Differ(_)), "{related:?}");
        };
        let [_, other] = guises;
        is_seen(&told(other, ['y', 'y'], [0, 1]));
        let mut shuffled = other;
        shuffled.rooms.rotate_left(1);
        is_seen(&told(shuffled, ['y', 'x'], [0, 1]));
        let two = told(other, ['y', 'x'], [0, 1]);
        is_seen(&two[..4]);
        let mut late = two.clone();
        late[3].t += 1;
        is_seen(&late);
        let mut text = two.clone();
        text[4].what = What::Out(1, Output::Grow { bytes: (*b"42").into(), packets: vec![] });
        is_seen(&text);
    }

    #[test]
    fn of_what_clients_send_masked_the_length_counts_and_the_text_of_the_unit() {
        let mut likeness = Likeness::of(guises());
        let data = |bytes: &[u8]| What::In(1, Input::Data { conn: 1, bytes: bytes.into() });
        assert!(likeness.is(&data(b"ab"), &data(b"xy")));
        assert!(!likeness.is(&data(b"ab"), &data(b"xyz")));
        let said = |unit: &str, bytes: &[u8]| {
            let (unit, bytes) = (unit.into(), bytes.into());
            What::Peer(Peer { is_said: true, conn: 1, unit, end: 2, bytes })
        };
        assert!(likeness.is(&said("40", b"ab"), &said("40", b"xy")));
        assert!(!likeness.is(&said("40", b"ab"), &said("41", b"xy")));
    }

    #[test]
    fn a_world_is_the_same_by_other_names() {
        let (run, related) = worlds(Preset::Swarm, Choices::recorded(84));
        assert_eq!((run.verdicts.failure(), related), (None, Related::Alike));
    }
}
