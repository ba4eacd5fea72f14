//! The attribute `parlor_sim::test`: sugar for a call of `parlor_sim::check`. The function's tokens
//! are passed through as they are, so that errors and editors keep their places.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// The networks that have names, for `profile`; `parlor_sim::Faults::named` knows the same.
const PROFILES: [&str; 6] = ["none", "lan", "office_proxy", "mobile", "train_tunnel", "hostile"];
const KEYS: &str = "there are `app`, `seeds` and `profile`";

/// Makes a scenario a test: worlds of a program, one for each seed.
///
/// | key | what it is | default |
/// |---|---|---|
/// | `app` | the program: a function of its handle | must be said |
/// | `seeds` | a range | `0..100` |
/// | `profile` | a network, by the name that `Faults::named` knows | `lan` |
///
/// ```
/// use parlor::{App, Handle};
/// use parlor_sim::{Client, Sim, ms, secs};
///
/// fn echo(_io: Handle) -> App {
///     let mut app = App::new();
///     app.of("/").on("say", |cx, text: String| cx.emit("said", text));
///     app
/// }
///
/// #[parlor_sim::test(app = echo, seeds = 0..20, profile = "mobile")]
/// fn what_is_said_comes_back(sim: &mut Sim<()>) {
///     sim.clients(1..=2, Client::any().script(|c, _r| {
///         c.connect("/", ());
///         c.every(ms(900), |c| c.emit("say", "hello"));
///     }));
///     sim.after_heal("all are back", secs(60), |w| w.healthy().all(|c| c.connected()));
/// }
/// ```
///
/// A key that does not exist is an error at its place:
///
/// ```compile_fail
/// #[parlor_sim::test(app = echo, seed = 0..20)]
/// fn what_is_said_comes_back(sim: &mut parlor_sim::Sim<()>) {}
/// ```
#[proc_macro_attribute]
pub fn test(keys: TokenStream, item: TokenStream) -> TokenStream {
    expand(keys, item).unwrap_or_else(|Fault { at, what }| error(at, &what))
}

/// What is wrong, and where.
struct Fault {
    at: Span,
    what: String,
}

fn fault<T>(at: Span, what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, what: what.into() })
}

/// The values of the keys.
#[derive(Default)]
struct Keys {
    app: Option<TokenStream>,
    seeds: Option<TokenStream>,
    profile: Option<TokenStream>,
}

fn expand(keys: TokenStream, item: TokenStream) -> Result<TokenStream, Fault> {
    let keys = parse(keys)?;
    let Some(app) = keys.app else {
        return fault(Span::call_site(), "which program? Say `app = ..`, a function of its handle");
    };
    let seeds = keys.seeds.unwrap_or_else(|| code("0..100"));
    let profile = keys.profile.unwrap_or_else(|| code("\"lan\""));
    let (attributes, function) = split(item);
    let name = name(&function)?;
    let faults = join([code("::parlor_sim::Faults::named"), parens(profile)]);
    let scenario = join([
        code("sim.faults"),
        parens(join([faults, code(".expect(\"the attribute knows the names\")")])),
        code(";"),
        TokenTree::Ident(name.clone()).into(),
        code("(sim)"),
    ]);
    let arguments = join([seeds, code(","), app, code(", |sim|"), braces(scenario)]);
    // The function itself stands, as it is, in a test of its name.
    let body =
        join([function.into_iter().collect(), code("::parlor_sim::check"), parens(arguments)]);
    Ok(join([
        code("#[::core::prelude::v1::test]"),
        attributes,
        code("fn"),
        TokenTree::Ident(name).into(),
        code("()"),
        braces(body),
    ]))
}

/// `key = value, ..`
fn parse(tokens: TokenStream) -> Result<Keys, Fault> {
    let mut keys = Keys::default();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(key) = &token else {
            return fault(token.span(), format!("here stands a key: {KEYS}"));
        };
        let name = key.to_string();
        match tokens.next() {
            Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {}
            _ => return fault(key.span(), format!("`{name}` has a value: `{name} = ..`")),
        }
        let is_more =
            |token: &TokenTree| !matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
        let value: Vec<TokenTree> = std::iter::from_fn(|| tokens.next_if(is_more)).collect();
        tokens.next();
        if value.is_empty() {
            return fault(key.span(), format!("`{name}` has a value: `{name} = ..`"));
        }
        let slot = match &*name {
            "app" => &mut keys.app,
            "seeds" => &mut keys.seeds,
            "profile" => {
                let text = value[0].to_string();
                if !PROFILES.iter().any(|known| text == format!("\"{known}\"")) {
                    return fault(value[0].span(), format!("there are {PROFILES:?}"));
                }
                &mut keys.profile
            }
            _ => return fault(key.span(), format!("there is no key `{name}`: {KEYS}")),
        };
        if slot.replace(value.into_iter().collect()).is_some() {
            return fault(key.span(), format!("`{name}` is said twice"));
        }
    }
    Ok(keys)
}

/// The attributes in front of a function, and the rest.
fn split(item: TokenStream) -> (TokenStream, Vec<TokenTree>) {
    let mut tokens = item.into_iter().peekable();
    let mut attributes = TokenStream::new();
    while let Some(hash) =
        tokens.next_if(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == '#'))
    {
        attributes.extend([hash].into_iter().chain(tokens.next()));
    }
    (attributes, tokens.collect())
}

fn name(function: &[TokenTree]) -> Result<Ident, Fault> {
    let is_fn =
        |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn");
    let at = function.iter().position(is_fn);
    match at.and_then(|at| function.get(at + 1)) {
        Some(TokenTree::Ident(name)) => Ok(name.clone()),
        _ => fault(Span::call_site(), "a scenario is a function: `fn name(sim: &mut Sim<State>)`"),
    }
}

fn code(text: &str) -> TokenStream {
    text.parse().expect("it is a literal of this file, and Rust")
}

fn join(parts: impl IntoIterator<Item = TokenStream>) -> TokenStream {
    parts.into_iter().flatten().collect()
}

fn parens(inside: TokenStream) -> TokenStream {
    TokenTree::Group(Group::new(Delimiter::Parenthesis, inside)).into()
}

fn braces(inside: TokenStream) -> TokenStream {
    TokenTree::Group(Group::new(Delimiter::Brace, inside)).into()
}

/// A call of `compile_error!` that points to a place.
fn error(at: Span, what: &str) -> TokenStream {
    let mut text = Literal::string(what);
    text.set_span(at);
    let mut bang = Punct::new('!', Spacing::Alone);
    bang.set_span(at);
    let text = Group::new(Delimiter::Brace, TokenTree::Literal(text).into());
    let name = TokenTree::Ident(Ident::new("compile_error", at));
    [name, TokenTree::Punct(bang), TokenTree::Group(text)].into_iter().collect()
}
