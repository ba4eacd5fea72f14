//! Whom a broadcast is for.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

use smallvec::SmallVec;

use crate::app::args::ToArgs;
use crate::app::cx::Io;
use crate::{Fanout, Flags, NamespaceId, Recipients, SocketId};

/// A choice of recipients. A value: reusable, and its flags cannot leak into another emit.
///
/// ```
/// let mut app = parlor::App::new();
/// app.of("/").on("move", |cx, (x, y): (f64, f64)| {
///     let others = cx.to(["red", "blue"]).except("muted"); // each once, and not the sender
///     others.clone().volatile().emit("moved", (cx.id(), x, y));
///     if x < 0.0 {
///         others.emit("out", cx.id());
///     }
///     cx.io().of("/").to("referees").emit("moved", (cx.id(), x, y)); // the sender too
/// });
/// ```
#[must_use = "nothing is sent until `.emit(..)`"]
#[derive(Clone)]
pub struct Audience<'a, S = ()> {
    io: Io<'a, S>,
    /// `None`: there is no such namespace, hence nobody.
    namespace: Option<NamespaceId>,
    rooms: Rooms,
    except: Rooms,
    except_socket: Option<SocketId>,
    flags: Flags,
}

type Rooms = SmallVec<[Box<str>; 1]>;

impl<'a, S: Send + 'static> Audience<'a, S> {
    pub(super) fn new(
        io: Io<'a, S>,
        namespace: Option<NamespaceId>,
        except_socket: Option<SocketId>,
        flags: Flags,
    ) -> Self {
        let (rooms, except) = (Rooms::new(), Rooms::new());
        Self { io, namespace, rooms, except, except_socket, flags }
    }

    /// Only those in these rooms, or in rooms that were named before.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        rooms.each(&mut |room| self.rooms.push(room.into()));
        self
    }

    /// The same as [`to`](Self::to).
    pub fn in_(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Not those in these rooms.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        rooms.each(&mut |room| self.except.push(room.into()));
        self
    }

    /// Only to those whose transport can take it at this instant.
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Only to those on this server.
    pub fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// Whether it is worth compressing.
    pub fn compress(mut self, compress: bool) -> Self {
        self.flags.compress = compress;
        self
    }

    /// Sends an event to each of them.
    #[track_caller]
    pub fn emit(&self, event: &str, args: impl ToArgs) -> Fanout {
        let site = Location::caller();
        let Some(args) = self.io.encode(event, args) else { return Fanout::default() };
        let Some(to) = self.recipients() else { return Fanout::default() };
        self.io.door.core().at(site).broadcast(to, event, &args, self.flags)
    }

    /// The event `message`.
    #[track_caller]
    pub fn send(&self, args: impl ToArgs) -> Fanout {
        self.emit("message", args)
    }

    /// Who they are: a list taken now, so that members may change while it is walked.
    pub fn sockets(&self) -> Vec<SocketId> {
        self.recipients().map(|to| self.io.door.core().server.sockets(to)).unwrap_or_default()
    }

    /// All rooms of the namespace with the number of their members, the oldest first.
    pub fn rooms(&self) -> Vec<(Box<str>, u32)> {
        let namespace = self.namespace;
        namespace.map(|id| self.io.door.core().server.namespace_rooms(id)).unwrap_or_default()
    }

    /// Each of them joins these rooms.
    #[track_caller]
    pub fn join(&self, rooms: impl IntoRooms) {
        let site = Location::caller();
        self.each_room(rooms, |id, room| self.io.door.core().at(site).join(id, room));
    }

    /// Each of them leaves these rooms.
    #[track_caller]
    pub fn leave(&self, rooms: impl IntoRooms) {
        let site = Location::caller();
        self.each_room(rooms, |id, room| self.io.door.core().at(site).leave(id, room));
    }

    /// Takes each of them out of the namespace; their sessions stay.
    #[track_caller]
    pub fn disconnect(&self) {
        let site = Location::caller();
        for id in self.sockets() {
            self.io.door.core().at(site).disconnect(id);
        }
    }

    /// Ends the sessions of them all.
    #[track_caller]
    pub fn disconnect_session(&self) {
        let site = Location::caller();
        for id in self.sockets() {
            self.io.door.core().at(site).disconnect_session(id);
        }
    }

    fn recipients(&self) -> Option<Recipients<'_>> {
        let (namespace, except_socket) = (self.namespace?, self.except_socket);
        Some(Recipients { namespace, rooms: &self.rooms, except: &self.except, except_socket })
    }

    fn each_room(&self, rooms: impl IntoRooms, mut f: impl FnMut(SocketId, &str)) {
        let mut names = Rooms::new();
        rooms.each(&mut |room| names.push(room.into()));
        for id in self.sockets() {
            for room in &names {
                f(id, room);
            }
        }
    }
}

impl<S> fmt::Debug for Audience<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { io: _, namespace, rooms, except, except_socket, flags } = self;
        let mut out = f.debug_struct("Audience");
        out.field("namespace", namespace).field("rooms", rooms).field("except", except);
        out.field("except_socket", except_socket).field("flags", flags).finish()
    }
}

/// Room names: `"a"`, a `String`, an array, a `Vec` or a slice of them, by value or by reference,
/// or a [`SocketId`], as everyone is in the room of their own id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name rooms",
    label = "not a room, nor a list of rooms",
    note = "rooms are named by `&str`, `String` and `SocketId`, \
            and by arrays, slices and `Vec`s of these"
)]
pub trait IntoRooms {
    #[doc(hidden)]
    fn each(self, f: &mut dyn FnMut(&str));
}

impl IntoRooms for &str {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(self);
    }
}

impl IntoRooms for &&str {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(self);
    }
}

impl IntoRooms for String {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(&self);
    }
}

impl IntoRooms for &String {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(self);
    }
}

impl IntoRooms for Box<str> {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(&self);
    }
}

impl IntoRooms for &Box<str> {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(self);
    }
}

impl IntoRooms for SocketId {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(&self.to_string());
    }
}

impl IntoRooms for &SocketId {
    fn each(self, f: &mut dyn FnMut(&str)) {
        f(&self.to_string());
    }
}

impl<T: IntoRooms, const N: usize> IntoRooms for [T; N] {
    fn each(self, f: &mut dyn FnMut(&str)) {
        for rooms in self {
            rooms.each(f);
        }
    }
}

impl<'r, T, const N: usize> IntoRooms for &'r [T; N]
where
    &'r T: IntoRooms,
{
    fn each(self, f: &mut dyn FnMut(&str)) {
        self.as_slice().each(f);
    }
}

impl<T: IntoRooms> IntoRooms for Vec<T> {
    fn each(self, f: &mut dyn FnMut(&str)) {
        for rooms in self {
            rooms.each(f);
        }
    }
}

impl<'r, T> IntoRooms for &'r [T]
where
    &'r T: IntoRooms,
{
    fn each(self, f: &mut dyn FnMut(&str)) {
        for rooms in self {
            rooms.each(f);
        }
    }
}

impl<'r, T> IntoRooms for &'r Vec<T>
where
    &'r T: IntoRooms,
{
    fn each(self, f: &mut dyn FnMut(&str)) {
        self.as_slice().each(f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn named(rooms: impl IntoRooms) -> Vec<String> {
        let mut names = Vec::new();
        rooms.each(&mut |name| names.push(name.to_string()));
        names
    }

    #[test]
    fn rooms_are_named_by_whatever_one_has_at_hand() {
        let id = SocketId { index: 1, secret: [7; SocketId::SECRET_BYTES] };
        let (a, b) = (String::from("a"), String::from("b"));
        let (texts, list) = ([a.clone(), b.clone()], vec![a.clone(), b.clone()]);
        let boxes: [Box<str>; 2] = ["a".into(), "b".into()];
        let lists = [
            named(["a", "b"]),
            named(vec!["a", "b"]),
            named([&a, &b]),
            named(vec![&a, &b]),
            named(&texts),
            named(&list),
            named(&list[..]),
            named(list),
            named(&boxes[..]),
            named(boxes),
        ];
        assert!(lists.iter().all(|names| *names == ["a", "b"]), "{lists:?}");
        for one in [named("a"), named(&a), named(a), named(Box::<str>::from("a"))] {
            assert_eq!(one, ["a"]);
        }
        assert_eq!(named([id, id]), [id.to_string(), id.to_string()]);
        assert_eq!(named(Vec::<String>::new()), Vec::<String>::new());
    }
}
