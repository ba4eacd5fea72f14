//! A client of the workload: it says at random what the program understands.

use parlor::Overflow;

use super::Guise;
use super::app::{LATE, SPACES, WORD, WORDED};
use crate::client::json;
use crate::client::mind::{Mind, News, Seat, Wake};
use crate::client::{Antic, Leave};
use crate::hub::Hub;
use crate::oracle::asks::Questions;

/// An event that no handler is registered for.
const UNHEARD: &str = "nobody-hears";

// What it is woken for.
const THINK: u32 = 0;
const JOIN: u32 = 1;
const ANSWER: u32 = 2;

#[derive(Default)]
pub(crate) struct Visitor {
    /// By place.
    visits: Vec<Visit>,
}

/// Its stay in one namespace.
#[derive(Default)]
struct Visit {
    name: &'static str,
    knows_word: bool,
    questions: Questions,
    /// Counts what it says in all its life.
    number: u64,
}

impl Mind for Visitor {
    fn born(&mut self, seat: &mut Seat<'_>) {
        // Who is refused first, and let in elsewhere, stays.
        let first = seat.choose(SPACES.len() as u64) as usize;
        for name in SPACES.into_iter().cycle().skip(first).take(SPACES.len()) {
            if seat.hub.choices.keep(seat.me.stream, name) {
                let visit = Visit { name, ..Visit::default() };
                self.visits.push(visit);
            }
        }
        (0..self.visits.len()).for_each(|place| self.join(place, seat));
    }

    fn told(&mut self, news: &News<'_>, seat: &mut Seat<'_>) {
        match *news {
            News::Opened => {
                let think = seat.hub.profile.think;
                seat.wake(think, (THINK, 0, 0));
            }
            News::Lost => (0..self.visits.len()).for_each(|place| {
                self.visits[place].questions = default();
                self.join(place, seat);
            }),
            News::Admitted { place } => {
                let visit = &self.visits[place];
                if visit.name == WORDED && !visit.knows_word {
                    seat.hub.sockets.refused(visit.name, 1, &mut seat.hub.verdicts);
                }
            }
            News::Refused { place, .. } => {
                let name = self.visits[place].name;
                seat.hub.sockets.refused(name, 0, &mut seat.hub.verdicts);
            }
            News::Expelled { place } => self.come_back(place, seat),
            News::Event { place, name: "question", args, id: Some(id), .. } => {
                let number = json::members(args).and_then(|all| all.first()?.parse().ok());
                number.into_iter().for_each(|number| self.asked(place, id, number, seat));
            }
            News::Event { .. } => {}
            News::Answer { place, id, args, .. } => {
                let number = json::members(args).and_then(|all| all.first()?.parse().ok());
                let Hub { rules, verdicts, .. } = &mut *seat.hub;
                if let Some(socket) = seat.spaces[place].id() {
                    rules.answer_read(socket, id, verdicts);
                }
                self.visits[place].questions.answered(id, number, verdicts);
            }
        }
    }

    fn woken(&mut self, (what, place, number): Wake, seat: &mut Seat<'_>) {
        match what {
            THINK => self.think(seat),
            JOIN => self.join(place as usize, seat),
            _ => self.answer((place >> 32) as usize, place & 0xffff_ffff, number, seat),
        }
    }

    fn unsettled(&self, hub: &Hub) -> Option<String> {
        // Where the policy is to drop, answers are dropped too.
        if hub.profile.config.overflow == Overflow::DropMessage {
            return None;
        }
        self.visits.iter().find_map(|Visit { name, questions, .. }| {
            let is_open = !questions.is_empty();
            is_open.then(|| format!("in {name} answers never came: {questions:?}"))
        })
    }
}

fn default<T: Default>() -> T {
    T::default()
}

impl Visitor {
    fn join(&mut self, place: usize, seat: &mut Seat<'_>) {
        seat.span("join");
        let knows_word = !seat.hub.choices.happens(seat.me.stream, 1, 6);
        let visit = &mut self.visits[place];
        visit.knows_word = knows_word;
        let auth = match visit.name {
            WORDED if knows_word => WORD,
            WORDED => r#"{"word":"shut"}"#,
            _ => "",
        };
        let name = seat.hub.profile.guise.space(visit.name);
        seat.join(name, auth);
    }

    fn come_back(&mut self, place: usize, seat: &mut Seat<'_>) {
        self.visits[place].questions.left();
        seat.span("return");
        let pause = seat.choose(800_000);
        seat.wake(pause, (JOIN, place as u64, 0));
    }

    /// Does something that a user might.
    fn think(&mut self, seat: &mut Seat<'_>) {
        if seat.hub.is_quiet {
            return;
        }
        seat.span("think");
        let think = seat.hub.profile.think;
        let pause = seat.choose(2 * think + 1);
        if pause > 0 {
            seat.wake(pause, (THINK, 0, 0));
        }
        // Ending a session on purpose is a fault as others are.
        let is_restless = !seat.hub.is_healed && seat.hub.profile.fault_every.is_some();
        match seat.choose(400) {
            0 => {}
            1 if is_restless => *seat.leave = Some(Leave::Farewell),
            2 if is_restless => *seat.leave = Some(Leave::Reset),
            3..5 if is_restless => {
                let antic = seat.choose(Antic::ALL.len() as u64) as usize;
                *seat.antic = Some(Antic::ALL[antic]);
            }
            5 if is_restless => self.insist(seat),
            6 if is_restless => {
                self.say_and(seat, |visitor, place, seat| {
                    visitor.say(place, "echo", r#","and bye""#, false, seat);
                    *seat.leave = Some(Leave::Farewell);
                });
            }
            7 if is_restless => {
                self.say_and(seat, |visitor, place, seat| {
                    visitor.say(place, "kick", "", false, seat);
                    visitor.say(place, "echo", r#","too late""#, false, seat);
                });
            }
            8 if is_restless => {
                self.say_and(seat, |visitor, place, seat| {
                    visitor.say(place, "echo", r#","in time""#, false, seat);
                    seat.step_out(place);
                    visitor.come_back(place, seat);
                });
            }
            _ if seat.is_full => {}
            _ => {
                let name = SPACES[seat.choose(SPACES.len() as u64) as usize];
                let place = self.visits.iter().position(|visit| visit.name == name);
                place.into_iter().for_each(|place| self.act(place, seat));
            }
        }
    }

    /// Says several things in one write, where it is a member.
    fn say_and(&mut self, seat: &mut Seat<'_>, say: impl FnOnce(&mut Self, usize, &mut Seat<'_>)) {
        let place = seat.spaces.iter().position(|space| space.id().is_some());
        if let Some(place) = place {
            say(self, place, seat);
        }
    }

    /// Comes in anew, and does not wait for the answer.
    fn insist(&mut self, seat: &mut Seat<'_>) {
        let Some(place) = self.visits.iter().position(|visit| visit.name == LATE) else {
            return;
        };
        self.visits[place].questions = default();
        seat.step_out(place);
        self.join(place, seat);
        seat.insist(place);
    }

    fn act(&mut self, place: usize, seat: &mut Seat<'_>) {
        if seat.spaces[place].id().is_none() {
            return;
        }
        let op = seat.choose(124);
        let size = seat.choose(12);
        let bound = (seat.hub.profile.text_bytes_max >> size.min(8)).max(1);
        let size = seat.choose(bound) as usize;
        let guise = seat.hub.profile.guise;
        let room = guise.rooms[seat.choose(3) as usize];
        let ms = 1 + seat.choose(3000);
        let text = || text(size);
        let is_healed = seat.hub.is_healed;
        match op {
            0..12 => self.say(place, "echo", &format!(",{}", text()), false, seat),
            12 | 13 => self.say(place, "values", &format!(",{VALUES}"), false, seat),
            14 if ms.is_multiple_of(16) => self.say(place, "quiz", "", false, seat),
            14 | 15 => self.say(place, "both", "", true, seat),
            16 => self.say(place, "ghosts", "", false, seat),
            17 | 18 => self.say(place, "tick", &format!(",{ms}"), false, seat),
            19 => self.answer_badly(place, ms, seat),
            20..32 => self.say(place, "sum", &format!(",{}", text()), true, seat),
            32..36 => self.say(place, "later", "", true, seat),
            36..46 => self.say(place, "say", &format!(",\"{room}\",{}", text()), false, seat),
            46..52 => self.say(place, "all", &format!(",{}", text()), false, seat),
            52..58 => self.say(place, "few", &format!(",\"{room}\""), false, seat),
            58..63 => self.say(place, "join", &format!(",\"{room}\""), false, seat),
            63..66 => self.say(place, "leave", &format!(",\"{room}\""), false, seat),
            66..76 => self.say(place, "ask", &format!(",{ms}"), false, seat),
            76..80 => self.say(place, "askv", &format!(",{ms}"), false, seat),
            80..86 => self.say(place, "volatile", &format!(",{}", text()), false, seat),
            86..90 => self.bytes(place, "bytes", size, seat),
            90..94 => self.say(place, "burst", &format!(",{}", ms % 40), false, seat),
            94..96 if !is_healed => self.say(place, "kick", "", false, seat),
            96 if !is_healed => self.say(place, "end", "", false, seat),
            97 if !is_healed => {
                seat.step_out(place);
                self.come_back(place, seat);
            }
            98 if !is_healed => self.say(place, "hang up", "", false, seat),
            99..103 => self.bytes(place, "flash", size, seat),
            103..106 => self.say(place, "flare", &format!(",\"{room}\""), false, seat),
            106..109 => self.say(place, "tour", &format!(",\"{room}\""), false, seat),
            109..113 => self.say(place, "beats", &format!(",{ms}"), false, seat),
            113 if !is_healed => {
                self.say(place, "parting", "", false, seat);
                self.say(place, "echo", &format!(",{}", text()), false, seat);
            }
            114..117 => self.say(place, "mixed", &format!(",{}", text()), false, seat),
            117..120 => {
                let (to, except) = (rooms(guise, ms), rooms(guise, ms / 8));
                self.say(place, "choir", &format!(",{to},{except}"), false, seat);
            }
            120 => self.say(place, "empty", &format!(",\"{room}\""), false, seat),
            121 | 122 => self.say(place, "wait", "", false, seat),
            _ => self.say(place, UNHEARD, "", false, seat),
        }
    }

    /// Says something. The text of its arguments is what its handler must get.
    fn say(&mut self, place: usize, name: &str, rest: &str, asks: bool, seat: &mut Seat<'_>) {
        let visit = &mut self.visits[place];
        visit.number += 1;
        let args = format!("[{}{rest}]", visit.number);
        if let Some(id) = seat.say(place, (name, &args), Vec::new(), asks) {
            visit.questions.asked(id, visit.number);
        }
    }

    fn bytes(&mut self, place: usize, name: &str, size: usize, seat: &mut Seat<'_>) {
        let visit = &mut self.visits[place];
        visit.number += 1;
        let data = (0..size).map(|place| (place * 7) as u8).collect();
        let args = format!(r#"[{},{{"_placeholder":true,"num":0}}]"#, visit.number);
        seat.say(place, (name, &args), vec![data], false);
    }

    fn asked(&mut self, place: usize, id: u64, number: u64, seat: &mut Seat<'_>) {
        seat.span("question");
        match seat.choose(8) {
            7 => {}
            5 | 6 => {
                let pause = seat.choose(4_000_000);
                seat.wake(pause, (ANSWER, (place as u64) << 32 | id, number));
            }
            4 => (0..2).for_each(|_| self.answer(place, id, number, seat)),
            _ => self.answer(place, id, number, seat),
        }
    }

    /// An answer under an id that is not its own to answer, or was never given out.
    fn answer_badly(&self, place: usize, ms: u64, seat: &mut Seat<'_>) {
        let Some(socket) = seat.spaces[place].id() else { return };
        let name = seat.hub.profile.guise.space(self.visits[place].name);
        let foreign = seat.hub.asks.foreign(name, socket);
        let id = match ms % 4 {
            0 => u64::MAX,
            1 => (1 << 53) + 1,
            _ => foreign.unwrap_or(u64::MAX),
        };
        seat.answer(place, id, "[0]", Vec::new());
    }

    fn answer(&self, place: usize, id: u64, number: u64, seat: &mut Seat<'_>) {
        // Now and then with more than was asked for.
        let (args, attachments) = match number % 16 {
            0 => (format!(r#"[{number},{{"_placeholder":true,"num":0}}]"#), vec![vec![7; 5]]),
            _ => (format!("[{number}]"), Vec::new()),
        };
        seat.answer(place, id, &args, attachments);
    }
}

/// Some of the rooms, as a number's bits say.
fn rooms(guise: Guise, bits: u64) -> String {
    let all = guise.rooms.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    let some: Vec<_> = all.map(|(_, room)| format!("\"{room}\"")).collect();
    format!("[{}]", some.join(","))
}

/// What may be hard to carry, besides strings.
const VALUES: &str =
    r#"{"n":[0,-0.5,1e300,12345678901234567890,null,true],"":{"\ud83d":"\u0000"}}"#;

/// JSON text of a string of about so many bytes, with everything in it that may be hard.
fn text(bytes: usize) -> String {
    const PIECES: [&str; 6] = ["a", "\u{e9}", "\u{20ac}", "\u{1f600}", "\\\"", "\\u001e"];
    let mut out = String::from('"');
    for place in 0.. {
        if out.len() > bytes {
            break;
        }
        out.push_str(PIECES[place * 5 % 7 % 6]);
    }
    out.push('"');
    out
}
