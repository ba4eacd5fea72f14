//! The driver of the node: what `io` does, in virtual time. Each cause is one call, and after each
//! call the outputs are carried out and the oracles look.

mod closing;
mod demand;
mod rules;
mod whims;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::PoisonError;

use parlor::{
    App, ConnId, Handle, Input, Instant, NamespaceId, Node, Output, Outside, Peer, Root, Stats,
};

use crate::audit::Audit;
use crate::choice::Stream;
use crate::fault;
use crate::hub::{Event, Hub};
use crate::marks::Mark;
use crate::net::{Arrived, Due, Read};
use crate::oracle::Property;
use crate::oracle::deeds::Deeds;
use crate::oracle::egress;
use crate::oracle::requests::Ledger;
use crate::oracle::turns::Cause;
use crate::outside::Letterbox;
use crate::shadow::{self, Shadow};
use crate::trace::{self, Dir, Scribe, Told};
use crate::user::Demands;
use crate::watch::{Log, Records, Seen, Watcher};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    On,
    Paused,
    Eof,
    Lost,
}

/// What a write shows that shows only the beginning.
const SHOWN_MAX: usize = 100;

/// The server's end of a connection.
struct End {
    id: ConnId,
    reading: Reading,
    is_ready: bool,
    is_writable: bool,
    is_flushing: bool,
    is_open: bool,
    shown: egress::Shown,
    bytes_in: u64,
    bytes_out: u64,
    /// Requests that came in, by the blank line behind their heads, and how far the next one is.
    requests: u64,
    blank: usize,
    /// All that was ever shown.
    grown: u64,
    ledger: Ledger,
    /// It was paused in this call.
    is_pausing: bool,
    opened_at: u64,
    /// When it was last given something to write.
    grown_at: u64,
    /// The first part of a POST has come.
    is_posting: bool,
}

pub(crate) struct Server<S> {
    node: Node<S>,
    log: Log,
    letterbox: Letterbox<S>,
    /// What the program did, of a run that is recorded.
    told: Option<Told>,
    /// Its counters before this call.
    stats: Stats,
    /// Work from outside that is on its way, by the number of its event.
    outside: BTreeMap<u64, Outside<S>>,
    outside_next: u64,
    /// How long work from outside is on its way.
    delays: Stream,
    /// By the world's number of the connection.
    ends: Vec<Option<End>>,
    /// The world's number, by the core's dense index.
    places: Vec<usize>,
    open: Vec<usize>,
    ready: Vec<usize>,
    writable: Vec<usize>,
    flush: Vec<usize>,
    /// Paused until then, as by a collector of garbage.
    paused_until: u64,
    buffer: Vec<u8>,
    choices: Stream,
    seen: Vec<Seen>,
    /// Connections that were closed lately.
    stale: Vec<ConnId>,
    /// For calls that must do nothing.
    idle: Stream,
    /// Why the node is called.
    cause: Option<Cause>,
    /// The latest time that it was told.
    told_at: u64,
    /// What is to be flushed is, from then on.
    flush_at: u64,
    is_shut_down: bool,
    /// Namespaces that have had members; their places are their numbers.
    spaces: Vec<NamespaceId>,
    demands: Demands<S>,
    audit: Audit,
}

impl<S: Send + 'static> Server<S> {
    pub(crate) fn new(
        hub: &mut Hub,
        app: impl FnOnce(Handle<S>) -> App<S>,
        demands: Demands<S>,
    ) -> Self {
        let seed = hub.choices.seed();
        let log = Log::default();
        let letterbox = Letterbox::default();
        let config = hub.profile.config.clone();
        let mut app = app(letterbox.handle());
        // The rules are told of sessions, whatever the program wants to know.
        app.engine().on_open(|_cx| {}).on_close(|_cx, _why| {});
        hub.trace.runs_with(&config);
        let (ids, start) = (trace::secret(hub.profile.guise.secret.unwrap_or(seed)), Instant::ZERO);
        let mut node = Node::new(config, app, ids, start, trace::UNIX_MS)
            .expect("profiles draw options that agree");
        hub.sockets.is_unannounced = !node.server().config().announce_disconnecting;
        let told = hub.trace.is_recorded().then(Told::default);
        let scribe = told.clone().map(Scribe::new);
        let records = Records::default();
        let told_of = Some(Records::clone(&records));
        node.set_observer(Box::new(Watcher::new(log.clone(), told_of, scribe)));
        let shadow = Shadow::new(node.server().config(), hub.profile.quiet());
        Self {
            node,
            log,
            letterbox,
            told,
            stats: Stats::default(),
            outside: BTreeMap::new(),
            outside_next: 0,
            delays: hub.choices.stream("outside", 0),
            ends: Vec::new(),
            places: Vec::new(),
            open: Vec::new(),
            ready: Vec::new(),
            writable: Vec::new(),
            flush: Vec::new(),
            paused_until: 0,
            buffer: Vec::new(),
            choices: hub.choices.stream("driver", 0),
            seen: Vec::new(),
            stale: Vec::new(),
            idle: hub.choices.stream("idle", 0),
            cause: None,
            told_at: 0,
            flush_at: 0,
            is_shut_down: false,
            spaces: Vec::new(),
            demands,
            audit: Audit::new(shadow, records),
        }
    }

    /// The program notes here what it does.
    pub(crate) fn keeps(&mut self, ledger: Deeds) {
        self.audit.ledger = Some(ledger);
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.node.is_drained()
    }

    /// It is paused, unless it is about to end.
    pub(crate) fn pause(&mut self, until: u64) {
        if !self.is_shut_down {
            self.paused_until = until;
        }
    }

    /// Until when it does nothing.
    pub(crate) fn paused_until(&self) -> u64 {
        self.paused_until
    }

    fn wake(&mut self, at: u64, hub: &mut Hub) {
        let at = at.max(self.paused_until).max(hub.now);
        if at < hub.pass_at {
            hub.pass_at = at;
            hub.is_pass_urgent = at == hub.now;
            hub.push(at, Event::Pass);
        }
    }

    fn soon(&mut self, hub: &mut Hub) {
        let delay = hub.choices.choose(self.choices, hub.profile.pass_delay + 1);
        self.wake(hub.now + delay, hub);
    }

    pub(crate) fn syn(&mut self, id: usize, hub: &mut Hub) {
        let at = Instant::from_micros(hub.now);
        let peer = Peer::from(address(hub.conns[id].client));
        self.open(Cause::Accept, hub);
        let Ok(conn) = self.node.accept(at, peer) else {
            if !self.is_shut_down {
                hub.marks.hit(Mark::ConnectionRefused);
            }
            hub.conns[id].server_end().close();
            hub.pump_down(id);
            return;
        };
        hub.trace.event(hub.now, 1, id as u64, &[]);
        hub.trace.input(hub.now, || accepted(id, hub.conns[id].client));
        if self.ends.len() <= id {
            self.ends.resize_with(id + 1, || None);
        }
        let end = End {
            id: conn,
            reading: Reading::On,
            is_ready: false,
            is_writable: false,
            is_flushing: false,
            is_open: true,
            shown: egress::Shown::default(),
            bytes_in: 0,
            bytes_out: 0,
            requests: 0,
            blank: 0,
            grown: 0,
            ledger: Ledger::default(),
            is_pausing: false,
            opened_at: hub.now,
            grown_at: hub.now,
            is_posting: false,
        };
        self.ends[id] = Some(end);
        if self.places.len() <= conn.index() {
            self.places.resize(conn.index() + 1, usize::MAX);
        }
        self.places[conn.index()] = id;
        self.open.push(id);
        let is_explained = hub.is_explained(id);
        self.audit.cause(shadow::Cause::Accept { conn: id, is_explained });
        self.after_call(hub);
        self.readable(id, hub);
    }

    fn end(&mut self, id: usize) -> Option<&mut End> {
        self.ends.get_mut(id)?.as_mut().filter(|end| end.is_open)
    }

    /// Something may have arrived.
    pub(crate) fn readable(&mut self, id: usize, hub: &mut Hub) {
        let Some(end) = self.end(id) else { return };
        let up = &hub.conns[id].up;
        let is_news = up.is_readable() || up.is_lost() && end.reading != Reading::Lost;
        if is_news && !end.is_ready {
            end.is_ready = true;
            self.ready.push(id);
            self.soon(hub);
        }
    }

    /// A reset hits the connection.
    pub(crate) fn reset(&mut self, id: usize, hub: &mut Hub) {
        hub.hit(id, Dir::Up);
        self.readable(id, hub);
    }

    /// What the kernel wanted to be reminded of.
    pub(crate) fn due(&mut self, id: usize, hub: &mut Hub) {
        match hub.conns[id].down.due(hub.now) {
            Some(Due::Room) => {
                if let Some(end) = self.end(id)
                    && !end.is_writable
                {
                    end.is_writable = true;
                    self.writable.push(id);
                    self.soon(hub);
                }
            }
            Some(Due::TimedOut) if hub.conns[id].server_end().time_out() == Arrived::Reset => {
                self.readable(id, hub);
            }
            Some(Due::TimedOut) | None => {}
        }
        hub.pump_down(id);
    }

    /// One turn of the loop: see `io`'s.
    pub(crate) fn pass(&mut self, hub: &mut Hub) {
        if hub.now != hub.pass_at {
            return;
        }
        hub.pass_at = u64::MAX;
        for id in std::mem::take(&mut self.writable) {
            if let Some(end) = self.end(id) {
                end.is_writable = false;
                end.shown.writable();
                let conn = end.id;
                self.call(hub, 2, Cause::Writable(id), Input::Writable { conn });
            }
        }
        for id in std::mem::take(&mut self.ready) {
            self.read(id, hub);
        }
        self.expire(hub);
        self.call_idly(hub);
        if self.flush_at <= hub.now {
            self.write_all(hub);
        }
        if !self.ready.is_empty() || !self.writable.is_empty() {
            self.soon(hub);
        }
        if !self.flush.is_empty() {
            self.wake(self.flush_at, hub);
        }
        self.wake_for_deadline(hub);
    }

    fn read(&mut self, id: usize, hub: &mut Hub) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read_into(id, &mut buffer, hub);
        self.buffer = buffer;
    }

    fn read_into(&mut self, id: usize, buffer: &mut Vec<u8>, hub: &mut Hub) {
        if hub.verdicts.failure().is_some() {
            return;
        }
        let most = hub.profile.read_bytes;
        let Some(end) = self.end(id) else { return };
        end.is_ready = false;
        let conn = end.id;
        let link = &mut hub.conns[id];
        buffer.clear();
        let read = match end.reading {
            Reading::On => link.up.read(most, buffer),
            // Nothing is read, but a reset is known at once.
            Reading::Paused | Reading::Eof if link.up.is_lost() => Read::Lost,
            _ => return,
        };
        match read {
            Read::Nothing => {}
            Read::Lost => {
                end.reading = Reading::Lost;
                self.call(hub, 3, Cause::Lost(id), Input::Lost { conn });
            }
            Read::End => {
                end.reading = Reading::Eof;
                if link.up.is_lost() {
                    end.is_ready = true;
                    self.ready.push(id);
                }
                self.call(hub, 4, Cause::Eof(id), Input::Eof { conn });
            }
            Read::Bytes(bytes) => {
                end.bytes_in += bytes as u64;
                end.count_requests(buffer);
                if link.up.is_readable() {
                    end.is_ready = true;
                    self.ready.push(id);
                }
                hub.pump_up(id);
                hub.trace.event(hub.now, 5, id as u64, buffer);
                self.call(hub, 6, Cause::Data(id), Input::Data { conn, bytes: buffer });
            }
        }
    }

    /// Deadlines, each a call of its own. Sometimes only one, and the rest in the next pass.
    fn expire(&mut self, hub: &mut Hub) {
        let mut deadlines = egress::Deadlines::default();
        let is_patient = hub.choices.happens(self.choices, 1, 8);
        let mut before = None;
        while let Some((due, why)) = self.node.poll_timeout() {
            if due.as_micros() > hub.now || !deadlines.fired(due.as_micros(), &mut hub.verdicts) {
                break;
            }
            if why != parlor::Wake::QueuedOutput && before.replace(due) == Some(due) {
                hub.marks.hit(Mark::TwoDeadlines);
            }
            hub.trace.event(hub.now, 7, due.as_micros(), &[]);
            hub.trace.input(hub.now, || trace::Input::Timeout { why: format!("{why:?}").into() });
            self.open(Cause::Timeout { at: due.as_micros(), why }, hub);
            let at = self.time(hub);
            self.node.handle_timeout(at);
            self.after_call(hub);
            if is_patient {
                break;
            }
        }
    }

    fn write_all(&mut self, hub: &mut Hub) {
        for id in std::mem::take(&mut self.flush) {
            self.write(id, hub);
        }
    }

    fn write(&mut self, id: usize, hub: &mut Hub) {
        if hub.verdicts.failure().is_some() {
            return;
        }
        let refuse_one_in = hub.profile.refuse_one_in;
        let stream = hub.conns[id].stream;
        let is_refusing = refuse_one_in > 0 && hub.choices.happens(stream, 1, refuse_one_in);
        // A driver may show its kernel less than there is: that is no refusal.
        let is_whole = !hub.choices.happens(stream, 1, 16);
        let most = if is_whole { usize::MAX } else { SHOWN_MAX };
        let Some(end) = self.ends.get_mut(id).and_then(Option::as_mut) else { return };
        end.is_flushing = false;
        if !end.is_open {
            return;
        }
        let conn = end.id;
        let link = &mut hub.conns[id];
        if end.reading == Reading::Lost {
            return;
        }
        let is_asked = self.node.egress(conn).next().is_some();
        if is_asked && link.server_end().is_failed() {
            end.reading = Reading::Lost;
            self.call(hub, 3, Cause::Lost(id), Input::Lost { conn });
            return;
        }
        let (mut sent, mut refused) = (0, false);
        if is_asked && is_refusing && link.down.room(hub.now) > 0 {
            // Room is told as soon as the kernel would: at once, if nothing is in the way.
            link.down.refuse();
            hub.marks.hit(Mark::RefusedZero);
            refused = true;
        } else {
            for slice in self.node.egress(conn) {
                let offered = &slice[..slice.len().min(most - sent)];
                let taken = link.down.write(hub.now, offered);
                sent += taken;
                refused = taken < offered.len();
                if refused || sent == most {
                    break;
                }
            }
        }
        end.shown.sent(sent, refused);
        end.bytes_out += sent as u64;
        hub.trace.writes(id);
        hub.pump_down(id);
        hub.trace.event(hub.now, 8, id as u64, &(sent as u64).to_le_bytes());
        self.call(hub, 9, Cause::Sent(id), Input::Sent { conn, bytes: sent, refused });
    }

    fn call(&mut self, hub: &mut Hub, kind: u8, cause: Cause, input: Input<'_>) {
        let id = cause.conn().expect("an input is about a connection");
        self.audit.input(id, &input);
        hub.trace.event(hub.now, kind, id as u64, &[]);
        hub.trace.input(hub.now, || told(id, &input));
        self.open(cause, hub);
        if let Input::Data { bytes, .. } = &input {
            self.heard(id, bytes.len(), hub);
        }
        let at = self.time(hub);
        self.node.handle(at, input);
        self.after_call(hub);
    }

    /// Work from outside, at hand.
    #[track_caller]
    pub(crate) fn run<R>(&mut self, work: impl FnOnce(&mut Root<'_, S>) -> R, hub: &mut Hub) -> R {
        let site = Location::caller();
        hub.trace.input(hub.now, || {
            let site = Some(format!("{}:{}", site.file(), site.line()).into());
            trace::Input::Job { number: None, job: "run".into(), site, args: "".into() }
        });
        self.open(Cause::Outside, hub);
        let result = self.node.run(Instant::from_micros(hub.now), work);
        self.after_call(hub);
        result
    }

    pub(crate) fn state(&self) -> &S {
        self.node.state()
    }

    /// Work from outside arrives.
    pub(crate) fn outside(&mut self, number: u64, hub: &mut Hub) {
        let Some(work) = self.outside.remove(&number) else { return };
        hub.trace.event(hub.now, 12, number, &[]);
        hub.trace.input(hub.now, || job(number, &work));
        self.open(Cause::Outside, hub);
        let at = self.time(hub);
        self.node.outside(at, work);
        self.after_call(hub);
    }

    /// What the program has posted goes on its way, and may overtake what is.
    fn post(&mut self, hub: &mut Hub) {
        for work in self.letterbox.take(&mut hub.verdicts) {
            let (low, high) = hub.profile.outside;
            let delay = hub.choices.between(self.delays, low, high);
            self.outside.insert(self.outside_next, work);
            hub.push(hub.now + delay, Event::Outside(self.outside_next));
            self.outside_next += 1;
        }
    }

    /// Carries out what the core wants and lets the oracles look.
    fn after_call(&mut self, hub: &mut Hub) {
        self.post(hub);
        let is_news = self.hear(hub);
        if let Some(told) = &self.told {
            let turn = self.node.server().turn_last();
            hub.trace.turn(turn);
            let all = self.finished(told.take());
            hub.trace.app(hub.now, all);
        }
        self.judge(None, is_news, hub);
        self.look(hub);
        // A driver that sleeps until the next deadline must strand nothing.
        let wake = self.node.poll_timeout().map(|(at, _why)| at.as_micros());
        let mut is_first = true;
        while let Some(output) = self.node.poll_output() {
            if std::mem::take(&mut is_first) {
                egress::queued(&output, wake, hub.now, &mut hub.verdicts);
            }
            self.carry_out(&output, hub);
        }
        self.audit.shut(&self.node, &mut hub.verdicts);
        self.shadows(hub);
        for index in 0..self.open.len() {
            let Some(end) = &mut self.ends[self.open[index]] else { continue };
            end.shown.drained(&mut hub.verdicts);
            // One that is resumed in the same call is none.
            if std::mem::take(&mut end.is_pausing) {
                let requests_max = hub.profile.config.limits.pipelined_requests_max.into();
                let is_behind = end.shown.is_behind();
                end.ledger.paused(end.requests, requests_max, is_behind, &mut hub.verdicts);
            }
        }
        let wake = self.node.poll_timeout().map(|(at, _why)| at.as_micros());
        let Hub { rules, asks, verdicts, scout, marks, .. } = hub;
        scout.shut(&self.stats, self.node.stats(), marks);
        rules.shut((&self.stats, self.node.stats()), wake, asks, verdicts);
        asks.shut(verdicts);
        let clock = self.node.server().now().as_micros();
        egress::clock(hub.now, clock, verdicts);
        self.counted(hub);
        if let Some(crossing) = &mut hub.crossing {
            crossing.shows(self.node.stats(), wake);
        }
        self.wake_for_deadline(hub);
        if hub.profile.aim.is_some_and(|aim| hub.marks.is_fresh(aim.mark)) {
            hub.scout.place().into_iter().for_each(|id| fault::take_aim(id, hub));
        }
        if hub.profile.is_eager {
            self.soon(hub);
        }
    }

    /// What waits in each egress, of a run that is recorded.
    fn shadows(&self, hub: &mut Hub) {
        if !hub.trace.is_recorded() {
            return;
        }
        for &id in &self.open {
            let Some(end) = &self.ends[id] else { continue };
            let Some(entity) = hub.trace.entity(id) else { continue };
            let (unsent, is_refused) = end.shown.waiting();
            hub.trace.shadow(hub.now, &entity.to_string(), || {
                vec![("unsent", (unsent as u64).into()), ("refused", is_refused.into())]
            });
        }
    }

    /// What the program did in this call, with the names of namespaces and the reasons of drops.
    fn finished(&self, mut all: Vec<trace::App>) -> Vec<trace::App> {
        let name = |&id: &NamespaceId| (id, self.node.server().namespace_name(id).to_string());
        let spaces: Vec<_> = self.spaces.iter().map(name).collect();
        trace::finish(&mut all, &spaces, &self.stats, self.node.stats());
        all
    }

    fn carry_out(&mut self, output: &Output, hub: &mut Hub) {
        hub.trace.event(hub.now, 11, 0, &[]);
        let is_resume = matches!(output, Output::Resume(_));
        hub.rules.output(is_resume, &mut hub.verdicts);
        let conn = match *output {
            Output::Flush(conn)
            | Output::Pause(conn)
            | Output::Resume(conn)
            | Output::ShutdownWrite(conn)
            | Output::Close { conn, .. } => conn,
            ref other => {
                hub.verdicts.fail(Property::S0, format!("a node gives {other:?}"));
                return;
            }
        };
        let id = self.places.get(conn.index()).copied().unwrap_or(usize::MAX);
        let known = self.ends.get_mut(id).and_then(Option::as_mut).filter(|end| end.id == conn);
        let Some(end) = known else {
            hub.verdicts.fail(Property::D3, format!("{output:?} names nobody"));
            return;
        };
        hub.trace.output(hub.now, id, || wanted(output));
        self.audit.wanted(id, output);
        let verdicts = &mut hub.verdicts;
        match *output {
            Output::Flush(_) => {
                end.shown.flush(verdicts);
                if !end.is_flushing {
                    end.is_flushing = true;
                    self.flush_soon(id, hub);
                }
            }
            Output::Pause(_) => {
                hub.marks.hit(Mark::Paused);
                end.shown.pause(verdicts);
                end.is_pausing = !hub.conns[id].is_hostile;
                hub.rules.paused(id);
                if end.reading == Reading::On {
                    end.reading = Reading::Paused;
                }
            }
            Output::Resume(_) => {
                end.shown.resume(verdicts);
                end.is_pausing = false;
                if end.reading == Reading::Paused {
                    end.reading = Reading::On;
                }
                self.readable(id, hub);
            }
            Output::ShutdownWrite(_) => {
                end.shown.shutdown_write(verdicts);
                hub.conns[id].down.shut();
                hub.pump_down(id);
            }
            Output::Close { abort, .. } => self.close(id, abort, hub),
            _ => {}
        }
    }

    /// What the application did and was told in this call. Says whether there was anything.
    fn hear(&mut self, hub: &mut Hub) -> bool {
        std::mem::swap(
            &mut self.seen,
            &mut self.log.lock().unwrap_or_else(PoisonError::into_inner),
        );
        let mut all = std::mem::take(&mut self.seen);
        let is_news = !all.is_empty();
        for seen in all.drain(..) {
            self.hear_one(seen, hub);
        }
        self.seen = all;
        hub.sockets.shut(&mut hub.verdicts);
        is_news
    }

    fn hear_one(&mut self, seen: Seen, hub: &mut Hub) {
        if let (true, Some(crossing)) = (seen.is_about_all(), &mut hub.crossing) {
            crossing.touch_all();
        }
        hub.marks.seen(&seen);
        hub.scout.seen(&seen, &mut hub.marks);
        let Hub { sockets, asks, verdicts, rules, .. } = hub;
        match seen {
            Seen::Told(turn, told) => rules.told(turn, told, verdicts),
            Seen::Connect(id, namespace) => {
                sockets.connect(id, verdicts);
                sockets.member(id, space_of(&mut self.spaces, namespace));
            }
            Seen::Event(id, (key, print)) => {
                sockets.event(id, print, verdicts);
                rules.event(id, (key, print), verdicts);
            }
            Seen::Settled(socket, ask, settled) => {
                if let Some(print) = asks.settled((socket, ask), settled, verdicts) {
                    sockets.unsent(socket, print);
                }
            }
            Seen::Disconnecting(id) => sockets.disconnecting(id, verdicts),
            Seen::Disconnect(id) => sockets.disconnect(id, verdicts),
            Seen::Emit { socket, print, status, .. } => {
                rules.accepted(Some(socket), print);
                sockets.emit(socket, print, status);
            }
            Seen::Ask { socket, print, outcome } => {
                rules.accepted(Some(socket), print);
                if let parlor::Outcome::Asked(_) = outcome {
                    sockets.emit(socket, print, parlor::SendStatus::Sent);
                }
                asks.asked(socket, print, outcome, verdicts);
            }
            Seen::Broadcast(namespace, broadcast) => {
                rules.accepted(None, broadcast.print);
                sockets.broadcast(space_of(&mut self.spaces, namespace), &broadcast);
            }
            Seen::Join(id, room) => sockets.join(id, &room),
            Seen::Leave(id, room) => sockets.leave(id, &room),
            Seen::Kick(id) => sockets.kick(id),
        }
    }

    pub(crate) fn shutdown(&mut self, hub: &mut Hub) {
        hub.trace.input(hub.now, || trace::Input::Shutdown);
        self.is_shut_down = true;
        self.open(Cause::Shutdown, hub);
        self.node.shutdown(Instant::from_micros(hub.now));
        self.after_call(hub);
    }

    /// After the shutdown.
    pub(crate) fn finish(&self, hub: &mut Hub) {
        hub.marks.counted(self.node.stats());
        let is_drained = self.node.is_drained();
        hub.verdicts.claim(Property::D7, is_drained, || {
            format!("the shutdown does not end; {} connections are open", self.open.len())
        });
        for end in self.ends.iter().flatten() {
            end.shown.end(&mut hub.verdicts);
        }
        self.emptied(hub);
        hub.asks.end(&mut hub.verdicts);
        hub.rules.end(&mut hub.verdicts);
        hub.sockets.end(&mut hub.verdicts);
        self.audit.end(self.node.server(), hub);
    }
}

/// Where a client's connections come from.
pub(crate) fn address(client: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, client as u8], 1))
}

fn accepted(id: usize, client: usize) -> trace::Input {
    trace::Input::Accept { conn: id as u32, peer: address(client).to_string().into() }
}

/// An input, as it is recorded.
fn told(id: usize, input: &Input<'_>) -> trace::Input {
    let conn = id as u32;
    match input {
        Input::Data { bytes, .. } => trace::Input::Data { conn, bytes: (**bytes).into() },
        Input::Eof { .. } => trace::Input::Eof { conn },
        Input::Writable { .. } => trace::Input::Writable { conn },
        Input::Sent { bytes, refused, .. } => {
            trace::Input::Sent { conn, bytes: *bytes as u64, refused: *refused }
        }
        _ => trace::Input::Lost { conn },
    }
}

/// Work from outside, as it is recorded.
fn job<S>(number: u64, work: &Outside<S>) -> trace::Input {
    let written = |args: &Result<parlor::Payload, String>| match args {
        Ok(args) => args.to_json().into(),
        Err(why) => why.as_str().into(),
    };
    let (job, site, args): (_, _, Box<str>) = match work {
        Outside::Answer(_, args) => ("answer", None, written(args)),
        Outside::Decide(_, verdict) => ("decide", None, format!("{verdict:?}").into()),
        Outside::Run(site, _) => {
            ("run", Some(format!("{}:{}", site.file(), site.line())), "".into())
        }
        Outside::Emit(socket, event, args) => {
            ("emit", None, format!("{socket} {event} {}", written(args)).into())
        }
        other => ("other", None, format!("{other:?}").into()),
    };
    trace::Input::Job { number: Some(number), job: job.into(), site: site.map(Into::into), args }
}

pub(crate) fn wanted(output: &Output) -> trace::Output {
    match *output {
        Output::Pause(_) => trace::Output::Pause,
        Output::Resume(_) => trace::Output::Resume,
        Output::ShutdownWrite(_) => trace::Output::Shut,
        Output::Close { abort, .. } => trace::Output::Close { abort },
        _ => trace::Output::Flush,
    }
}

/// The world's number of a namespace.
fn space_of(spaces: &mut Vec<NamespaceId>, namespace: NamespaceId) -> usize {
    spaces.iter().position(|&known| known == namespace).unwrap_or_else(|| {
        spaces.push(namespace);
        spaces.len() - 1
    })
}
