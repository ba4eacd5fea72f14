//! A: HTTP and URLs.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parlor::{
    Admission, App, Bytes, Config, Cookie, Cors, HandshakeVerdict, Origins, Response, SameSite,
    Transports, admit, refuse,
};

use crate::common::http::{Http, request};
use crate::common::ws::{BINARY, Message, TEXT, UPGRADE, WebSocket};
use crate::net::{
    OPEN, OPEN_WEBSOCKET, get, head, head_of, serve, serve_config, told, upgrade_head,
    upgrade_refused,
};

#[test]
fn row_001_the_path_is_configured_with_a_slash_at_its_end_or_without() {
    for path in ["/chat", "/chat/"] {
        let config = Config { path: path.into(), ..Config::default() };
        let status =
            |path: &str, addr| get(addr, &format!("{path}?EIO=4&transport=polling")).status;
        let addr = serve_config(config.clone());
        assert_eq!(status("/chat/", addr), 200);
        assert_eq!(status("/%63h%61t/", addr), 200, "percent-encoded, as a proxy may send it");
        for other in ["/chat", "/Chat/", "/chat//", "/chat/x", "/socket.io/", "/chat%2f"] {
            let found = if other == "/chat%2f" { 200 } else { 404 };
            assert_eq!(status(other, addr), found, "{other}");
        }
        let addr = serve_config(Config { add_trailing_slash: false, ..config });
        assert_eq!([status("/chat", addr), status("/chat/", addr)], [200, 200]);
        assert_eq!([status("/cha", addr), status("/chatter", addr)], [404, 404]);
    }
}

#[test]
fn row_002_a_query_is_decoded_and_its_last_duplicate_counts() {
    let addr = serve(Config::default(), |_io| {
        let mut app = App::new();
        app.on_handshake(|_root, head| {
            let seen = ["name", "n", "empty", "none"].map(|key| head.query(key));
            refuse(format!("{seen:?}").replace('"', "'"))
        });
        app
    });
    let query = "%45IO=3&EIO=4&transport=websocket&transport=%70olling&sid=x&sid=\
                 &name=a+b%21&n=1&n=2&empty=";
    let answer = get(addr, &format!("/socket.io/?{query}"));
    let seen = "[Some('a b!'), Some('2'), Some(''), None]";
    assert_eq!(answer.text(), format!(r#"{{"code":4,"message":"{seen}"}}"#));
}

/// RFC 6455, 4.1: the method is GET.
#[test]
fn row_005_a_session_is_not_upgraded_by_another_method() {
    let addr = serve_config(Config::default());
    let sid = sid_of(get(addr, OPEN).text());
    for method in ["POST", "PUT", "HEAD"] {
        let mut http = Http::connect(addr);
        http.send(method, &format!("{OPEN_WEBSOCKET}&sid={sid}"), &UPGRADE, b"");
        assert_eq!(head_of(&mut http)[0], "HTTP/1.1 400 Bad Request", "{method}");
    }
    WebSocket::open(addr, &format!("{OPEN_WEBSOCKET}&sid={sid}"));
}

/// One request that is wrong in every way, mended one thing at a time.
#[test]
fn row_006_the_order_of_verification() {
    let addr = serve(Config::default(), |_io| {
        let mut app = App::new();
        app.on_handshake(|_root, head| match head.query("pass") {
            Some(_) => admit(),
            None => refuse("no entry"),
        });
        app
    });
    let ask = |method: &str, query: &str, fields: &[&str]| {
        let mut http = Http::connect(addr);
        http.send(method, &format!("/socket.io/?{query}"), fields, b"");
        let answer = http.answer();
        (answer.status, answer.text().to_owned())
    };
    let json = |status, code: u8, message: &str| {
        (status, format!(r#"{{"code":{code},"message":"{message}"}}"#))
    };
    let bad_origin = ["Origin: http://a\x01"];
    assert_eq!(ask("PUT", "EIO=3&transport=x&sid=x", &bad_origin), (400, String::new()));
    assert_eq!(ask("PUT", "EIO=3&transport=x&sid=x", &[]), json(400, 0, "Transport unknown"));
    let unknown = json(400, 1, "Session ID unknown");
    assert_eq!(ask("PUT", "EIO=3&transport=websocket&sid=x", &[]), unknown);
    let method = json(400, 2, "Bad handshake method");
    assert_eq!(ask("PUT", "EIO=3&transport=websocket", &[]), method);
    assert_eq!(ask("GET", "EIO=3&transport=websocket", &[]), json(400, 3, "Bad request"));
    assert_eq!(ask("GET", "EIO=3&transport=polling", &[]), json(403, 4, "no entry"));
    let version = json(400, 5, "Unsupported protocol version");
    assert_eq!(ask("GET", "EIO=3&transport=polling&pass", &[]), version);
    assert_eq!(ask("GET", "EIO=4&transport=polling&pass", &[]).0, 200);
}

#[test]
fn row_007_the_application_decides_on_handshakes_now_or_later_or_never() {
    let config = Config { decision_timeout: Some(Duration::from_millis(20)), ..Config::default() };
    let addr = serve(config, |io| {
        let mut app = App::new();
        app.on_handshake(move |_root, asked| {
            let (token, later) = asked.later();
            let verdict: HandshakeVerdict = match asked.query("pass").as_deref() {
                None => return refuse("no \"entry\"").into(),
                Some("now") => return admit().into(),
                Some("never") => return later,
                Some("later") => admit().into(),
                Some(_) => refuse("thought about it").into(),
            };
            let io = io.clone();
            thread::spawn(move || io.decide_handshake(token, verdict));
            later
        });
        app
    });
    let ask = |pass: &str| {
        let answer = get(addr, &format!("{OPEN}{pass}"));
        (answer.status, answer.text().to_owned())
    };
    let refused = |message: &str| (403, format!(r#"{{"code":4,"message":"{message}"}}"#));
    assert_eq!(ask(""), refused(r#"no \"entry\""#));
    assert_eq!(ask("&pass=badly"), refused("thought about it"));
    assert_eq!(ask("&pass=never"), refused("Forbidden"));
    assert_eq!([ask("&pass=now").0, ask("&pass=later").0], [200, 200]);
    let upgrade = |pass: &str| upgrade_refused(addr, &format!("{OPEN_WEBSOCKET}{pass}"));
    assert_eq!(upgrade(""), (400, "no \"entry\"".into()), "plain text, and 400");
    assert_eq!(upgrade("&pass=badly"), (400, "thought about it".into()));
    assert_eq!(upgrade("&pass=never"), (400, "Forbidden".into()));
    WebSocket::open(addr, &format!("{OPEN_WEBSOCKET}&pass=later"));
    // A request of a session is not asked about.
    let mut http = Http::connect(addr);
    let sid = sid_of(http.get(&format!("{OPEN}&pass=now")).text());
    assert_eq!(http.post(&format!("{OPEN}&sid={sid}"), "40").text(), "ok");
}

/// What the reference does with middlewares of the engine: a decision, and headers that go with
/// every answer, the 101 too.
#[test]
fn row_009_headers_of_the_application_reach_the_101() {
    let addr = serve(Config::default(), |_io| {
        let mut app = App::new();
        app.on_handshake(|_root, _head| admission());
        app
    });
    let head = upgrade_head(addr, OPEN_WEBSOCKET, &["Sec-WebSocket-Protocol: chat, other"]);
    let wanted = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: chat",
        "x-first: once",
        "x-each: always",
    ];
    assert_eq!(head, wanted);
}

fn admission() -> Admission {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Admission {
        initial_headers: vec![pair("x-first", "once"), pair("x-bad", "split\r\nx-evil: 1")],
        headers: vec![pair("x-each", "always"), pair("x bad", "name")],
    }
}

/// Four answers under a setting: the lines about CORS of a poll, of an error, of a POST that is
/// too large and of a 101, which are to be the same; and then the whole head of a preflight.
#[track_caller]
fn expect_cors(cors: Cors, origin: Option<&str>, lines: &[&str], preflight: &[&str]) {
    let config = Config { cors: Some(cors), max_payload: 10, ..Config::default() };
    let addr = serve_config(config);
    let origin = origin.map(|origin| format!("Origin: {origin}"));
    let origin: Vec<&str> = origin.as_deref().into_iter().collect();
    let about_cors = |head: Vec<String>| -> Vec<String> {
        let is = |line: &String| line.starts_with("Access-Control-") || line.starts_with("Vary: ");
        head.into_iter().filter(is).collect()
    };
    let poll = head(addr, "GET", OPEN, &origin);
    assert_eq!((&*poll[0], about_cors(poll.clone())), ("HTTP/1.1 200 OK", owned(lines)));
    let error = head(addr, "GET", "/socket.io/", &origin);
    assert_eq!((&*error[0], about_cors(error.clone())), ("HTTP/1.1 400 Bad Request", owned(lines)));
    let switch = upgrade_head(addr, OPEN_WEBSOCKET, &origin);
    let status = "HTTP/1.1 101 Switching Protocols";
    assert_eq!((&*switch[0], about_cors(switch.clone())), (status, owned(lines)));
    let mut http = Http::connect(addr);
    let of_session = format!("{OPEN}&sid={}", sid_of(http.get(OPEN).text()));
    for (method, body, status) in [
        ("POST", &b"4 more than ten"[..], "HTTP/1.1 413 Content Too Large"),
        ("PUT", b"", "HTTP/1.1 500 Internal Server Error"),
        ("POST", b"3", "HTTP/1.1 200 OK"),
    ] {
        let mut http = Http::connect(addr);
        http.send(method, &of_session, &origin, body);
        let head = head_of(&mut http);
        assert_eq!((&*head[0], about_cors(head.clone())), (status, owned(lines)), "{method}");
    }
    let asks = [&origin[..], &["Access-Control-Request-Headers: x-a, x-b"]].concat();
    let mut wanted = vec!["HTTP/1.1 204 No Content"];
    wanted.extend(preflight);
    wanted.push("Content-Length: 0");
    // It runs before all else: whatever the query says.
    for target in [OPEN, "/socket.io/", "/socket.io/?sid=x"] {
        assert_eq!(head(addr, "OPTIONS", target, &asks), wanted, "{target}");
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| line.to_string()).collect()
}

const METHODS: &str = "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE";
const ASKED: &str = "Access-Control-Allow-Headers: x-a, x-b";

#[test]
fn row_010_cors_of_any_origin() {
    let any = "Access-Control-Allow-Origin: *";
    let vary = "Vary: Access-Control-Request-Headers";
    expect_cors(Cors::default(), Some("http://a"), &[any], &[any, vary, METHODS, ASKED]);
    expect_cors(Cors::default(), None, &[any], &[any, vary, METHODS, ASKED]);
}

#[test]
fn row_010_cors_of_one_origin_with_everything() {
    let cors = Cors {
        origins: Origins::One("https://one".into()),
        credentials: true,
        methods: "GET,POST".into(),
        allowed_headers: Some("x-mine".into()),
        exposed_headers: Some("x-out".into()),
        max_age: Some(Duration::from_secs(600)),
    };
    let origin = "Access-Control-Allow-Origin: https://one";
    let credentials = "Access-Control-Allow-Credentials: true";
    let exposed = "Access-Control-Expose-Headers: x-out";
    let lines = [origin, "Vary: Origin", credentials, exposed];
    let preflight = [
        origin,
        "Vary: Origin",
        credentials,
        "Access-Control-Allow-Methods: GET,POST",
        "Access-Control-Allow-Headers: x-mine",
        "Access-Control-Max-Age: 600",
        exposed,
    ];
    for said in [Some("https://one"), Some("https://other"), None] {
        expect_cors(cors.clone(), said, &lines, &preflight);
    }
}

#[test]
fn row_010_cors_of_a_list_with_stars() {
    let list = ["https://a.example", "https://*.b.example"].map(str::to_owned).to_vec();
    let cors = Cors { origins: Origins::List(list), credentials: true, ..Cors::default() };
    let (vary, credentials) = ("Vary: Origin", "Access-Control-Allow-Credentials: true");
    let both = "Vary: Origin, Access-Control-Request-Headers";
    for good in ["https://a.example", "https://x.b.example"] {
        let origin = &*format!("Access-Control-Allow-Origin: {good}");
        let preflight = [origin, both, credentials, METHODS, ASKED];
        expect_cors(cors.clone(), Some(good), &[origin, vary, credentials], &preflight);
    }
    for bad in [Some("https://evil.example"), Some("https://b.example"), Some("null"), None] {
        let preflight = [both, credentials, METHODS, ASKED];
        expect_cors(cors.clone(), bad, &[vary, credentials], &preflight);
    }
}

#[test]
fn row_010_cors_reflects_any_origin() {
    let cors = Cors { origins: Origins::Reflect, ..Cors::default() };
    let (vary, both) = ("Vary: Origin", "Vary: Origin, Access-Control-Request-Headers");
    let origin = "Access-Control-Allow-Origin: http://x";
    let preflight = [origin, both, METHODS, ASKED];
    expect_cors(cors.clone(), Some("http://x"), &[origin, vary], &preflight);
    expect_cors(cors, None, &[vary], &[both, METHODS, ASKED]);
}

#[test]
fn row_010_without_cors_there_are_no_such_headers() {
    let addr = serve_config(Config::default());
    let head = head(addr, "GET", OPEN, &["Origin: http://a"]);
    assert!(!head.iter().any(|line| line.contains("Access-Control") || line.contains("Vary")));
    let answer = Http::connect(addr).call("OPTIONS", OPEN);
    assert_eq!(answer.text(), r#"{"code":2,"message":"Bad handshake method"}"#);
}

#[test]
fn row_011_the_cookie_comes_with_the_polling_handshake_only() {
    let whole = Cookie {
        name: "session".into(),
        path: None,
        domain: Some("a.example".into()),
        max_age: Some(Duration::from_secs(60)),
        http_only: false,
        secure: true,
        same_site: Some(SameSite::None),
    };
    let whole_text = "; Max-Age=60; Domain=a.example; Secure; SameSite=None";
    let plain_text = "; Path=/; HttpOnly; SameSite=Lax";
    for (cookie, name, text) in
        [(Cookie::default(), "io", plain_text), (whole, "session", whole_text)]
    {
        let addr = serve_config(Config { cookie: Some(cookie), ..Config::default() });
        let mut http = Http::connect(addr);
        let answer = http.get(OPEN);
        let sid = sid_of(answer.text());
        assert_eq!(answer.header("set-cookie"), Some(&*format!("{name}={sid}{text}")));
        let of_session = format!("{OPEN}&sid={sid}");
        assert_eq!(http.post(&of_session, "40").header("set-cookie"), None);
        assert_eq!(http.get(&of_session).header("set-cookie"), None);
        // `open` allows no field but those of a bare 101.
        WebSocket::open(addr, OPEN_WEBSOCKET);
        WebSocket::open(addr, &format!("{OPEN_WEBSOCKET}&sid={sid}"));
    }
    let mut http = Http::connect(serve_config(Config::default()));
    assert_eq!(http.get(OPEN).header("set-cookie"), None, "none is set unless asked for");
}

#[test]
fn row_011_headers_of_an_admission_come_first_once_and_then_always() {
    let addr = serve(Config { cookie: Some(Cookie::default()), ..Config::default() }, |_io| {
        let mut app = App::new();
        app.on_handshake(|_root, _head| admission());
        app.of("/");
        app
    });
    let mut http = Http::connect(addr);
    http.send("GET", OPEN, &[], b"");
    let first = head_of(&mut http);
    let sid = sid_of(&String::from_utf8_lossy(&http.wire().take_through(b"}", "open packet")));
    let names = |head: &[String]| -> Vec<String> {
        let name = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
        head[1..].iter().map(name).collect()
    };
    let wanted =
        ["Content-Type", "cache-control", "Set-Cookie", "x-first", "x-each", "Content-Length"];
    assert_eq!(names(&first), wanted);
    let of_session = format!("{OPEN}&sid={sid}");
    for (method, body) in [("POST", &b"40"[..]), ("GET", b"")] {
        http.send(method, &of_session, &[], body);
        let answer = http.answer();
        let hooks = [answer.header("x-first"), answer.header("x-each")];
        assert_eq!((answer.status, hooks), (200, [None, Some("always")]), "{method}");
    }
    http.send("PUT", &of_session, &[], b"");
    assert_eq!(http.answer().header("x-each"), None, "not on errors");
    let head = upgrade_head(addr, &format!("{OPEN_WEBSOCKET}&sid={sid}"), &[]);
    assert_eq!(head.last().map(String::as_str), Some("x-each: always"));
    assert!(!head.iter().any(|line| line.starts_with("x-first")));
}

#[test]
fn row_012_each_refusal_is_told_with_code_message_and_context() {
    let (tell, from) = mpsc::channel();
    let config = Config { decision_timeout: Some(Duration::from_millis(20)), ..Config::default() };
    let addr = serve(config, move |_io| {
        let mut app = App::new();
        app.on_handshake(|_root, asked| match asked.query("no").as_deref() {
            Some("answer") => asked.later().1,
            Some(why) => refuse(why).into(),
            None => admit().into(),
        });
        app.on_handshake_error(move |_root, failure| {
            let text = [&*failure.message, &*failure.context, failure.head.method()].join(" | ");
            tell.send(format!("{} {text}", failure.code)).expect("the test listens");
        });
        app
    });
    let sid = sid_of(get(addr, OPEN).text());
    for (method, query, said) in [
        ("GET", "EIO=4&transport=abc".into(), "0 Transport unknown | abc | GET"),
        ("GET", "EIO=4&transport=polling&sid=x".into(), "1 Session ID unknown | x | GET"),
        ("PUT", "EIO=4&transport=polling".into(), "2 Bad handshake method | PUT | PUT"),
        (
            "GET",
            format!("EIO=4&transport=websocket&sid={sid}"),
            "3 Bad request | TRANSPORT_MISMATCH | GET",
        ),
        (
            "GET",
            format!("EIO=3&transport=polling&sid={sid}"),
            "3 Bad request | PROTOCOL_MISMATCH | GET",
        ),
        (
            "GET",
            "EIO=4&transport=websocket".into(),
            "3 Bad request | TRANSPORT_HANDSHAKE_ERROR | GET",
        ),
        (
            "GET",
            "EIO=4&transport=polling&no=full".into(),
            "4 full | refused by the application | GET",
        ),
        (
            "GET",
            "EIO=4&transport=polling&no=answer".into(),
            "4 Forbidden | the decision took too long | GET",
        ),
        ("GET", "EIO=3&transport=polling".into(), "5 Unsupported protocol version | 3 | GET"),
    ] {
        let answer = Http::connect(addr).call(method, &format!("/socket.io/?{query}"));
        assert!(answer.status == 400 || answer.status == 403, "{answer:?}");
        assert_eq!(told(&from), said);
    }
    upgrade_refused(addr, "/socket.io/?EIO=4&transport=websocket&sid=y");
    assert_eq!(told(&from), "1 Session ID unknown | y | GET");
}

#[test]
fn row_013_answers_are_not_kept_and_old_browsers_are_told_so() {
    let mut http = Http::connect(serve_config(Config::default()));
    let sid = sid_of(http.get(OPEN).text());
    let of_session = format!("{OPEN}&sid={sid}");
    let fields = |content_type: &str, more: &[&str]| {
        let mut lines = vec!["HTTP/1.1 200 OK".to_owned(), content_type.to_owned()];
        lines.extend(owned(more));
        lines.push("cache-control: no-store".into());
        lines
    };
    let (text, html) = ("Content-Type: text/plain; charset=UTF-8", "Content-Type: text/html");
    for (agent, more) in [
        ("User-Agent: Mozilla/5.0 (compatible;MSIE 10.0)", &["X-XSS-Protection: 0"][..]),
        ("User-Agent: Mozilla/5.0 Trident/7.0", &["X-XSS-Protection: 0"]),
        ("User-Agent: Mozilla/5.0 Firefox/130.0", &[]),
    ] {
        http.wire().send(&request("POST", &of_session, &[agent], b"3"));
        let post = head_of(&mut http);
        assert_eq!(http.wire().take(2, "body"), b"ok");
        assert_eq!(post, [fields(html, more), vec!["Content-Length: 2".into()]].concat());
        http.send("GET", OPEN, &[agent], b"");
        let poll = head_of(&mut http);
        http.wire().take_through(b"}", "open packet");
        assert_eq!(poll[..poll.len() - 1], fields(text, more));
        assert!(poll.last().is_some_and(|line| line.starts_with("Content-Length: 1")));
    }
}

#[test]
fn row_015_an_upgrade_that_nobody_takes_is_ended_and_the_application_has_its_requests() {
    let quick = Some(Duration::from_millis(10));
    let config = Config { destroy_upgrade_timeout: quick, ..Config::default() };
    let addr = serve(config, |_io| {
        let mut app = App::new();
        app.on_request(|_root, request| match request.path() {
            "/page" => Some(Response {
                status: 201,
                headers: vec![("x-mine".into(), "1".into())],
                body: Bytes::copy_from_slice(&[b"got ", &request.body()[..]].concat()),
            }),
            _ => None,
        });
        app
    });
    let mut http = Http::connect(addr);
    let answer = http.post("/page", "this");
    assert_eq!((answer.status, answer.text()), (201, "got this"));
    assert_eq!(answer.header("x-mine"), Some("1"));
    assert_eq!(http.get("/other").status, 404);
    assert_eq!(http.get(OPEN).status, 200, "on the same connection");
    let mut other =
        Http::connect(serve_config(Config { destroy_upgrade_timeout: quick, ..Config::default() }));
    other.send("GET", "/elsewhere", &UPGRADE, b"");
    other.expect_end();
}

#[test]
fn row_030_transports_are_those_that_are_configured() {
    let only = |polling, websocket| {
        let transports = Transports { polling, websocket };
        serve_config(Config { transports, ..Config::default() })
    };
    let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
    let addr = only(false, true);
    assert_eq!(get(addr, OPEN).text(), unknown);
    WebSocket::open(addr, OPEN_WEBSOCKET);
    let addr = only(true, false);
    assert_eq!(get(addr, OPEN).status, 200);
    // Without the transport nobody handles upgrades: an ordinary answer, the connection stays.
    let mut http = Http::connect(addr);
    http.send("GET", OPEN_WEBSOCKET, &UPGRADE, b"");
    assert_eq!(http.answer().text(), unknown);
    assert_eq!(http.get(OPEN).status, 200);
}

fn sid_of(open: &str) -> String {
    open.split('"').nth(3).expect("the first value is the id").to_owned()
}

// Over TCP and its segments, what the other sections see in memory.

#[test]
fn row_042_and_050_what_websockets_are_closed_for() {
    let addr = serve_config(Config { max_payload: 100, ..Config::default() });
    let open = || {
        let mut socket = WebSocket::open(addr, OPEN_WEBSOCKET);
        let Message::Text(open) = socket.next() else { panic!("the open packet is text") };
        assert!(open.starts_with("0{"), "{open}");
        socket
    };
    for (first, payload, code) in [
        (BINARY, &[0; 101][..], 1009),
        (TEXT, b"4\xff", 1007),
        (TEXT | 0x40, b"4", 1002),
        (0x83, b"", 1002),
    ] {
        let mut socket = open();
        socket.frame(first, payload);
        socket.expect_close(Some(code));
    }
    let mut socket = open();
    socket.wire().send(b"\x81\x014");
    socket.expect_close(Some(1002));
    let mut socket = open();
    socket.binary(b"no packet of Socket.IO awaits it");
    socket.expect_close(None);
    let mut socket = open();
    socket.text("40/none");
    socket.expect_text(r#"44/none,{"message":"Invalid namespace"}"#);
    socket.text("1");
    socket.expect_close(None);
}

/// The client half-closes: the answer to what it had sent still comes, and then the end.
#[test]
fn row_040_a_client_that_half_closes_behind_a_request_gets_its_answer() {
    let mut http = Http::connect(serve_config(Config::default()));
    http.send("GET", OPEN, &[], b"");
    http.wire().finish();
    assert_eq!(http.answer().status, 200);
    http.expect_end();
}
