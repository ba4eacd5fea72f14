//! Scripts: what two ends of a connection do, one step after the other, and what each step may
//! come to. A step is a line, `who verb object | legal outcome | another`:
//!
//! | verb          | what it does                                   | what it comes to                |
//! |---------------|------------------------------------------------|---------------------------------|
//! | writes N      | one write                                      | taken, short, refused, failed   |
//! | fills         | writes until it is not all taken               | refused, failed                 |
//! | has N         | waits until so many bytes have arrived unread  | there                           |
//! | takes N       | reads until so many have come                  | there, or as `takes rest`       |
//! | takes all     | reads what the other has had taken so far      | there, or as `takes rest`       |
//! | takes some    | reads until the other hears of room            | at once, later                  |
//! | takes rest    | reads to the end                               | all, some or none; end or lost  |
//! | sips N        | reads so many, a byte at a time                | there, or as `takes rest`       |
//! | hears room    | waits for that, after a refusal                | room                            |
//! | hears loss    | waits until the connection is dead             | lost                            |
//! | shuts, closes, aborts |                                        | done                            |

/// What each step came to.
pub(crate) type Outcomes = Vec<String>;

pub(crate) struct Script {
    name: &'static str,
    pub(crate) steps: Vec<Step>,
}

pub(crate) struct Step {
    pub(crate) text: &'static str,
    side: usize,
    verb: &'static str,
    object: &'static str,
    pub(crate) legal: Vec<&'static str>,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Bytes(usize),
    End,
    Lost,
    /// Nothing yet.
    Nothing,
}

/// A connection between end 0 and end 1.
pub(crate) trait Network {
    /// How many of these bytes are taken; `None` if the connection is dead, or shut.
    fn write(&mut self, side: usize, bytes: &[u8]) -> Option<usize>;
    /// Reads at most so many.
    fn read(&mut self, side: usize, most: usize, into: &mut Vec<u8>) -> Got;
    /// Bytes that a read would give, as far as `most`.
    fn unread(&mut self, side: usize, most: usize) -> usize;
    /// Whether it was told of room since it was refused last.
    fn is_room(&mut self, side: usize) -> bool;
    fn is_lost(&mut self, side: usize) -> bool;
    fn shut(&mut self, side: usize);
    fn close(&mut self, side: usize);
    fn abort(&mut self, side: usize);
    /// Lets something happen. False if nothing will.
    fn wait(&mut self) -> bool;
}

/// Larger than any buffer of the virtual links, and quick to send.
const PIECE: usize = 16 * 1024;

impl Script {
    pub(crate) fn parse(name: &'static str, text: &'static str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let steps = lines.map(|line| {
            let mut parts = line.split('|').map(str::trim);
            let text = parts.next().expect("split yields at least one part");
            let mut words = text.split(' ');
            let side = match words.next() {
                Some("a") => 0,
                Some("b") => 1,
                who => panic!("{name}: nobody is called {who:?}"),
            };
            let verb = words.next().expect("a step has a verb");
            let object = words.next().unwrap_or_default();
            let legal: Vec<_> = parts.collect();
            Step { text, side, verb, object, legal }
        });
        Self { name, steps: steps.collect() }
    }

    /// Runs it; panics if something is not legal.
    pub(crate) fn run(&self, network: &mut impl Network, place: &str) -> Outcomes {
        let mut stage = Stage { network, written: [0, 0], read: [0, 0] };
        let mut outcomes = Outcomes::new();
        for step in &self.steps {
            let outcome = stage.act(step);
            let is_legal = match &step.legal[..] {
                [] => outcome == "done",
                legal => legal.contains(&&*outcome),
            };
            assert!(
                is_legal,
                "{}, {place}: {:?} comes to {outcome:?} after {outcomes:?}",
                self.name, step.text
            );
            outcomes.push(outcome);
        }
        outcomes
    }
}

struct Stage<'a, N> {
    network: &'a mut N,
    /// What each end has had taken, and what it has read.
    written: [usize; 2],
    read: [usize; 2],
}

/// A byte of a direction, by which it is known if one is lost, doubled or out of place.
fn byte(side: usize, place: usize) -> u8 {
    (place % 251 + 3 * side) as u8
}

impl<N: Network> Stage<'_, N> {
    fn act(&mut self, step: &Step) -> String {
        let side = step.side;
        let number = || step.object.parse().expect("this verb has a number");
        match step.verb {
            "writes" => self.write(side, number()).into(),
            "fills" => loop {
                match self.write(side, PIECE) {
                    "taken" => {}
                    "failed" => return "failed".into(),
                    _ => return "refused".into(),
                }
            },
            "has" => {
                let most = number();
                self.until("there", |network| network.unread(side, most) == most)
            }
            "takes" => match step.object {
                "rest" => self.take(side, usize::MAX, PIECE),
                "all" => self.take(side, self.written[1 - side] - self.read[side], PIECE),
                "some" => self.take_until_room(side),
                _ => self.take(side, number(), PIECE),
            },
            "sips" => self.take(side, number(), 1),
            "hears" if step.object == "room" => self.until("room", |network| network.is_room(side)),
            "hears" => self.until("lost", |network| network.is_lost(side)),
            verb => {
                match verb {
                    "shuts" => self.network.shut(side),
                    "closes" => self.network.close(side),
                    "aborts" => self.network.abort(side),
                    _ => panic!("nobody knows how one {verb}"),
                }
                "done".into()
            }
        }
    }

    fn write(&mut self, side: usize, count: usize) -> &'static str {
        let start = self.written[side];
        let bytes: Vec<u8> = (start..start + count).map(|place| byte(side, place)).collect();
        let Some(taken) = self.network.write(side, &bytes) else { return "failed" };
        self.written[side] += taken;
        match taken {
            0 => "refused",
            _ if taken < count => "short",
            _ => "taken",
        }
    }

    fn until(&mut self, what: &str, mut is_there: impl FnMut(&mut N) -> bool) -> String {
        while !is_there(self.network) {
            if !self.network.wait() {
                return "nothing".into();
            }
        }
        what.into()
    }

    /// One read, whose bytes are compared with what was written.
    fn read(&mut self, side: usize, most: usize) -> Got {
        let mut bytes = Vec::new();
        let got = self.network.read(side, most, &mut bytes);
        for found in bytes {
            assert_eq!(found, byte(1 - side, self.read[side]), "byte {}", self.read[side]);
            self.read[side] += 1;
        }
        got
    }

    fn take(&mut self, side: usize, count: usize, most: usize) -> String {
        let start = self.read[side];
        loop {
            let taken = self.read[side] - start;
            if taken == count {
                return "there".into();
            }
            let over = match self.read(side, most.min(count - taken)) {
                Got::Bytes(_) => continue,
                Got::End => "end",
                Got::Lost => "lost",
                Got::Nothing if self.network.wait() => continue,
                Got::Nothing => "nothing",
            };
            let much = match self.read[side] - start {
                _ if self.read[side] == self.written[1 - side] => "all",
                0 => "none",
                _ => "some",
            };
            return format!("{much}, {over}");
        }
    }

    /// Little by little, until the other, who was refused, hears of room.
    fn take_until_room(&mut self, side: usize) -> String {
        let start = self.read[side];
        let little = self.written[1 - side] / 32;
        while !self.network.is_room(1 - side) {
            if self.read(side, little.max(1)) == Got::Nothing && !self.network.wait() {
                return "nothing".into();
            }
        }
        if self.read[side] - start <= 2 * little { "at once".into() } else { "later".into() }
    }
}
