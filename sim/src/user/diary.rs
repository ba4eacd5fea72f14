//! What one client said and heard, kept for what a scenario demands.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use parlor::{FromArgs, Payload, SocketId};

use super::script::read;

/// Shared between a client's mind, which writes, and the views of a world.
pub(super) type Shared = Rc<Diary>;

/// Whether it was heard, the event, and the type that it was read as.
type Reading = (bool, String, TypeId);

#[derive(Default)]
pub(super) struct Diary {
    pub(super) index: usize,
    pub(super) name: Rc<str>,
    heard: RefCell<BTreeMap<String, Vec<Payload>>>,
    said: RefCell<BTreeMap<String, Vec<Payload>>>,
    /// Its sockets by namespace, while it is a member.
    ids: RefCell<BTreeMap<Rc<str>, SocketId>>,
    /// Decoded once and kept, by event and type.
    read: RefCell<BTreeMap<Reading, Box<dyn Any>>>,
    /// How often something was noted.
    notes: std::cell::Cell<u64>,
}

impl Diary {
    pub(super) fn new(index: usize, name: Rc<str>) -> Shared {
        Rc::new(Self { index, name, ..Self::default() })
    }

    pub(super) fn notes(&self) -> u64 {
        self.notes.get()
    }

    fn noted(&self) {
        self.notes.set(self.notes.get() + 1);
    }

    pub(super) fn hear(&self, event: &str, args: Payload) {
        self.heard.borrow_mut().entry(event.into()).or_default().push(args);
        self.noted();
    }

    pub(super) fn say(&self, event: &str, args: Payload) {
        self.said.borrow_mut().entry(event.into()).or_default().push(args);
        self.noted();
    }

    pub(super) fn admitted(&self, namespace: &Rc<str>, id: SocketId) {
        self.ids.borrow_mut().insert(Rc::clone(namespace), id);
        self.noted();
    }

    pub(super) fn left(&self, namespace: &str) {
        self.ids.borrow_mut().remove(namespace);
        self.noted();
    }

    pub(super) fn lost(&self) {
        self.ids.borrow_mut().clear();
        self.noted();
    }

    pub(super) fn id(&self, namespace: &str) -> Option<SocketId> {
        self.ids.borrow().get(namespace).copied()
    }

    pub(super) fn is_member(&self) -> bool {
        !self.ids.borrow().is_empty()
    }

    /// All that was heard, or said, under a name.
    pub(super) fn all<A: FromArgs + Clone + 'static>(
        &self,
        is_heard: bool,
        event: &str,
    ) -> Rc<Vec<A>> {
        let kept = if is_heard { self.heard.borrow() } else { self.said.borrow() };
        let payloads = kept.get(event).map(Vec::as_slice).unwrap_or_default();
        let mut read_before = self.read.borrow_mut();
        let key = (is_heard, event.to_string(), TypeId::of::<A>());
        let slot = read_before.entry(key).or_insert_with(|| Box::new(Rc::new(Vec::<A>::new())));
        let all: &mut Rc<Vec<A>> = slot.downcast_mut().expect("its type is in its key");
        if all.len() < payloads.len() {
            let new = payloads[all.len()..].iter().map(|args| read(self.index, event, args));
            let new: Vec<A> = new.collect();
            Rc::make_mut(all).extend(new);
        }
        Rc::clone(all)
    }

    /// The last that was heard under a name.
    pub(super) fn last<A: FromArgs>(&self, event: &str) -> Option<A> {
        let heard = self.heard.borrow();
        heard.get(event)?.last().map(|args| read(self.index, event, args))
    }
}
