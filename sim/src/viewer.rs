//! The viewer: a trace inside one HTML file, which shows it in any browser, from disk and alone.
//!
//! The page reads `parlor-trace/1`, and ignores kinds and fields that it does not know. Where the
//! format leaves something open, this is what the page relies on; without it, it shows less.
//!
//! - *Connections* are named `c3/2`. Where `conn` is a number, the name is in a record of that
//!   `conn` which is `at` the connection, or in the `peer` of its `in.accept`.
//! - *A connection's transport* is in its `shadow` (`transport`: polling, websocket or
//!   candidate), or in its session's, if that names the connection in `conn`, `transport` or
//!   `parked`; else it is what the client's request asks for. A candidate is a websocket once
//!   the client has said `5`.
//! - *Whose socket or session it is* stands in its name (`c2/chat`), or in the connection to
//!   which the causes of its first record lead.
//! - *What a client said*: `unit` is the packet itself, or a request (`POST /path 40 | 42[]`)
//!   or an answer (`200 40`) with its packets; else it is decoded from `b`, be it an HTTP
//!   message, WebSocket frames (masked, too) or the bare packet. `pk` lists texts of packets.
//! - *Arrows* pair `net.send` with `net.recv` and `net.lose` by connection, direction (`up`,
//!   `down`) and offsets. `net.lose` has its reason in `why`. Where a connection has no
//!   `net.send`, an `in.data` or `out.grow` is an arrow of its own.
//! - *Faults* name what they are `on` (`c2`, `c2/1`, `n1`, or all). A `fault.off` has its
//!   `fault.on` as its cause, or the same `fault` and `on`; `then` says what is drawn at its
//!   end.
//! - *W*: `why` in the `out` of `app.cmd` is one of closing, no_poll, same_turn, refused, cork
//!   and limit, and decides which condition failed; the shadow says since when. `busy` is a
//!   turn.
//! - *A broadcast* that names no recipients in `out` has counts in `fanout` (sent, backlogged,
//!   dropped) and one `why`.
//! - *Asks of the server*: the first packet behind `app.ask` that goes to its socket's client,
//!   wants an answer, has its `event` and the `args` of the `app.cmd` just before. `outcome` of
//!   `app.settle` is answered, or says why not. Asks of clients are found by their packets.
//! - *The violation* is the last `oracle` whose `verdict` is fail; its causes are told as its
//!   story.
//! - *P(fail)* is a record `when` with `points` (pairs of an instant and a probability), or one
//!   `when` for each prefix, with `p`, or `failed` and `of`.

const PAGE: &str = include_str!("../viewer/viewer.html");
const PLACE: &str = r#"<script type="text/plain" id="trace">"#;

/// The page that shows a trace.
pub fn page(trace_jsonl: &str) -> String {
    let (before, after) = PAGE.split_once(PLACE).expect("the page has a place for the trace");
    // In JSON a `<` stands within strings only, where this means the same. So nothing that a peer
    // has sent ends the element, or begins a comment in it.
    let trace = trace_jsonl.replace('<', "\\u003c");
    [before, PLACE, "\n", &trace, after].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_has_sent_stays_in_its_element() {
        let page = page("{\"b\":\"</script><!--<script>\"}");
        assert!(page.contains(r#"{"b":"\u003c/script>\u003c!--\u003cscript>"}</script>"#));
        assert_eq!(page.matches("<script").count(), PAGE.matches("<script").count());
    }

    #[test]
    fn the_page_needs_nothing_else() {
        assert_eq!(PAGE.matches(PLACE).count(), 1);
        for part in ["//cdn", "http:", "https:", " src=", "@import", "url(", "fetch("] {
            assert!(!PAGE.contains(part), "{part}");
        }
    }
}
