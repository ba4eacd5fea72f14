//! The viewer in a real browser: the page says in its body's attributes what it shows.

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use parlor_sim::viewer;

const STORY: &str = include_str!("data/story.jsonl");
const LOST: &str = include_str!("data/lost.jsonl");

#[test]
fn it_opens_at_the_violation() {
    let Some(shown) = Shown::open("opens", STORY, "") else { return };
    assert_eq!(shown.is("state"), "ready");
    assert_eq!(shown.is("violation"), "147 everybody sees the same roster");
    assert_eq!(shown.is("selected"), "147");
    assert_eq!(shown.is("view"), "story");
    assert_eq!(shown.is("records"), "148");
    assert_eq!(shown.is("lanes"), "app node c1/1:websocket c2/1:websocket");
    assert_eq!(shown.is("faults"), "c2/1:window closed");
    assert_eq!(shown.is("drops"), "134:s2-Zt8RrVvB1nq_PoUiJd:refused");
    assert_eq!(shown.is("asks"), "say#0 c1 answered");
    assert!(shown.is("drawn").starts_with("31 records, 12 arrows"), "{}", shown.is("drawn"));
}

#[test]
fn all_records_are_shown_if_asked_for() {
    let Some(shown) = Shown::open("all", STORY, "#view=all&find=is:dropped") else { return };
    assert_eq!(shown.is("view"), "all");
    // The one that is not is the strip of probabilities.
    assert_eq!(shown.is("shown"), "147");
    assert_eq!(shown.is("found"), "1");
}

#[test]
fn a_dropped_volatile_says_which_condition_failed_and_since_when() {
    let Some(shown) = Shown::open("dropped", STORY, "#n=134.0") else { return };
    assert_eq!(shown.is("selected"), "134");
    let card = shown.text("conditions");
    let told = "volatile to c2 dropped session open yes nothing sent this turn yes \
                not refused since 1.300, took 0 of 36 \u{b7} n 116 NO \
                fits the cork 36 bytes unsent not asked within the bound not asked";
    assert_eq!(card, told);
    let shadow = shown.text("shadow");
    assert!(shadow.contains("rooms s2 lobby"), "{shadow}");
    assert!(shadow.contains("unsent c2/1 36 bytes refused c2/1 yes"), "{shadow}");
}

#[test]
fn an_ask_without_answer_says_what_stood_in_the_way() {
    let Some(shown) = Shown::open("lost", LOST, "") else { return };
    assert_eq!(shown.is("asks"), "vote#3 c2 reset, timed out; say#0 c1 answered");
}

#[test]
fn a_connection_that_upgrades_is_a_candidate_until_it_has_said_so() {
    // The first client's connection, up to its upgrade, as that of a session which has polled.
    let was = "GET /socket.io/?EIO=4&transport=websocket HTTP";
    let now = was.replace(" HTTP", "&sid=Zq3 HTTP");
    let Some(shown) = Shown::open("candidate", &STORY.replace(was, &now), "") else { return };
    // The session's shadow, which names its connection, says otherwise later.
    assert_eq!(shown.is("lanes"), "app node c1/1:websocket c2/1:websocket");
    let bare = without_shadow().replace(was, &now);
    let Some(shown) = Shown::open("bare", &bare, "") else { return };
    assert_eq!(shown.is("lanes"), "app node c1/1:candidate c2/1:candidate");
}

#[test]
fn without_a_shadow_the_inputs_say_since_when() {
    let Some(shown) = Shown::open("inputs", &without_shadow(), "#n=134.0") else { return };
    let told = "not refused since 1.300, took 0 bytes \u{b7} n 116 NO fits the cork not asked";
    assert!(shown.text("conditions").contains(told), "{}", shown.text("conditions"));
}

fn without_shadow() -> String {
    let is_shadow = |line: &&str| line.contains(r#""k":"shadow""#);
    STORY.split_inclusive('\n').filter(|line| !is_shadow(line)).collect()
}

#[test]
fn what_a_peer_has_sent_is_text() {
    let trace = STORY.replace("guest 1", "</script><!--<script><i data-state=\\\"x\\\">");
    let Some(shown) = Shown::open("hostile", &trace, "") else { return };
    assert_eq!(shown.is("state"), "ready");
    assert_eq!(shown.is("records"), "148");
}

#[test]
fn a_trace_that_cannot_be_shown_is_one_message() {
    let cut: String = STORY.split_inclusive('\n').take(60).collect();
    let told = "The trace is truncated: it has no end line. Line 60 is its last good one.";
    message("cut", &cut, told);
    let told = "The trace is truncated or damaged: line 60 is its last good one.";
    message("torn", &format!("{cut}{{\"n\":59,\"t\":"), told);
    let newer = STORY.replace("parlor-trace/1", "parlor-trace/2");
    message("newer", &newer, "This page reads parlor-trace/1; the trace is parlor-trace/2.");
    message("none", "no trace\n", "This is no trace: its first line is not a header.");
}

fn message(name: &str, trace: &str, told: &str) {
    let Some(shown) = Shown::open(name, trace, "") else { return };
    assert_eq!((shown.is("state"), shown.is("message")), ("broken".into(), told.into()));
}

/// A page after its scripts have run.
struct Shown(String);

impl Shown {
    /// `None` where there is no browser, which CI does not let pass.
    fn open(name: &str, trace: &str, address: &str) -> Option<Self> {
        let chromium = env::var("PARLOR_CHROMIUM").unwrap_or("/usr/bin/chromium".to_owned());
        if !Path::new(&chromium).exists() {
            let is_ci = env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "there is no {chromium}");
            // Not `eprintln!`, which the test harness hides where tests pass.
            writeln!(io::stderr(), "\nSKIPPED: the viewer, for there is no {chromium}\n").ok();
            return None;
        }
        let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("viewer-{name}"));
        fs::create_dir_all(&own).expect("the target directory can be written");
        let file = own.join("page.html");
        fs::write(&file, viewer::page(trace)).expect("its directory was made just now");
        let mut command = Command::new(chromium);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--window-size=1400,900", "--timeout=30000"]);
        command.arg(format!("--user-data-dir={}", own.join("profile").display()));
        command.args(["--dump-dom", &format!("file://{}{address}", file.display())]);
        let out = command.output().expect("a browser that exists runs");
        let dom = String::from_utf8(out.stdout).expect("a page is text");
        assert!(dom.contains("data-state="), "{}", String::from_utf8_lossy(&out.stderr));
        Some(Self(dom))
    }

    /// What the body's `data-` attribute says.
    fn is(&self, attribute: &str) -> String {
        let body = self.0.split_once("<body").expect("a page has a body").1;
        let tag = body.split_once('>').expect("tags end").0;
        let value = tag.split_once(&format!(" data-{attribute}=\"")).map(|(_, rest)| rest);
        let value = value.and_then(|rest| rest.split_once('"')).map_or("", |(value, _)| value);
        value.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&")
    }

    /// The words within a section of the card.
    fn text(&self, id: &str) -> String {
        let (_, rest) = self.0.split_once(&format!("<section id=\"{id}\">")).expect("it is shown");
        let (section, _) = rest.split_once("</section>").expect("elements end");
        let pieces = section.split('<').map(|piece| piece.rsplit_once('>').map_or(piece, |p| p.1));
        let words: Vec<_> = pieces.flat_map(str::split_whitespace).collect();
        words.join(" ")
    }
}
