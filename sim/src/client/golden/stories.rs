//! What `record.js` lets the official client do, once more.

use crate::client::Leave;
use crate::client::mind::{Mind, News, Seat, Wake};

/// Does what the story wants when something happens for the n-th time.
pub(super) type Story = fn(u32, Option<&News<'_>>, &mut Seat<'_>);

pub(super) struct Puppet {
    story: Story,
    /// How much has happened.
    count: u32,
}

impl Puppet {
    pub(super) fn new(story: Story) -> Self {
        Self { story, count: 0 }
    }

    fn act(&mut self, news: Option<&News<'_>>, seat: &mut Seat<'_>) {
        (self.story)(self.count, news, seat);
        self.count += 1;
    }
}

impl Mind for Puppet {
    fn born(&mut self, seat: &mut Seat<'_>) {
        self.act(None, seat);
    }

    fn told(&mut self, news: &News<'_>, seat: &mut Seat<'_>) {
        if !matches!(news, News::Opened | News::Lost) {
            self.act(Some(news), seat);
        }
    }

    fn woken(&mut self, wake: Wake, seat: &mut Seat<'_>) {
        match wake {
            (9, ..) => *seat.leave = Some(Leave::ForGood),
            _ => self.act(None, seat),
        }
    }
}

const BYTES: &[u8] = &[0, 1, 2, 0x1e, 0x7f, 0x80, 0xff];

pub(super) fn polling(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    match count {
        0 => drop(seat.join("/", "")),
        1 => drop(seat.say(0, ("echo", "[1,\"t\u{20ac}o\",{\"three\":[3]}]"), vec![], false)),
        2 => drop(seat.say(0, ("answer", "[\"yes\"]"), vec![], true)),
        _ => seat.part(0),
    }
}

pub(super) use polling as websocket;

pub(super) fn polling_bytes(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    let place = |num| format!("{{\"_placeholder\":true,\"num\":{num}}}");
    match count {
        0 => drop(seat.join("/", "")),
        1 => {
            let args = format!("[{},\"and\",{}]", place(0), place(1));
            seat.say(0, ("echo", &args), vec![BYTES.to_vec(), vec![]], false);
        }
        2 => {
            let args = format!("[{}]", place(0));
            seat.say(0, ("answer", &args), vec![BYTES.to_vec()], true);
        }
        _ => seat.part(0),
    }
}

pub(super) use polling_bytes as websocket_bytes;

pub(super) fn upgrade(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    match count {
        0 => drop(seat.join("/", "")),
        1 => drop(seat.say(0, ("echo", "[\"before\"]"), vec![], false)),
        // By then it is over.
        2 => seat.wake(1_000_000, (0, 0, 0)),
        3 => drop(seat.say(0, ("echo", "[\"after\"]"), vec![], false)),
        _ => seat.part(0),
    }
}

pub(super) fn namespaces(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    match count {
        0 => {
            seat.join("/", "");
            seat.join("/guarded", "{\"token\":\"secret\"}");
        }
        2 => drop(seat.say(1, ("echo", "[\"there\"]"), vec![], false)),
        3 => drop(seat.say(0, ("echo", "[\"here\"]"), vec![], false)),
        4 => {
            seat.part(1);
            seat.part(0);
        }
        _ => {}
    }
}

pub(super) fn refusal(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    if count == 0 {
        seat.join("/guarded", "{\"token\":\"wrong\"}");
    }
}

pub(super) fn expulsion(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    match count {
        0 => drop(seat.join("/", "")),
        1 => drop(seat.say(0, ("disconnect me", "[]"), vec![], false)),
        _ => {}
    }
}

pub(super) fn end_of_session(count: u32, _news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    match count {
        0 => drop(seat.join("/", "")),
        1 => drop(seat.say(0, ("disconnect session", "[]"), vec![], false)),
        // Without any namespace the official client goes, with its next poll already out.
        2 => seat.wake(1, (9, 0, 0)),
        _ => {}
    }
}

pub(super) fn reconnection(_count: u32, news: Option<&News<'_>>, seat: &mut Seat<'_>) {
    match news {
        None => drop(seat.join("/", "")),
        Some(News::Admitted { .. }) => {
            let word = if seat.me.life == 0 { "[\"before\"]" } else { "[\"after\"]" };
            seat.say(0, ("echo", word), vec![], false);
        }
        Some(_) if seat.me.life > 0 => seat.part(0),
        Some(_) => {}
    }
}
