//! The scripts that are run over both networks.

pub(crate) const SCRIPTS: &[(&str, &str)] = &[
    (
        "a refusal, and the next writable",
        "a fills      | refused
         b takes all  | there
         a hears room | room
         a writes 300 | taken | short
         b takes all  | there",
    ),
    (
        "a refusal, and the peer reads a part",
        "a fills      | refused
         b takes some | at once | later
         a writes 1   | taken
         a fills      | refused",
    ),
    (
        "a window that closes and opens again",
        "a fills      | refused
         b takes all  | there
         a hears room | room
         a fills      | refused
         b takes all  | there
         a hears room | room
         a closes
         b takes rest | all, end",
    ),
    (
        "the end comes behind the bytes",
        "a fills      | refused
         a shuts
         b takes rest | all, end",
    ),
    (
        "a writer is bound by its own end",
        "a shuts
         a writes 1   | failed
         b takes rest | all, end
         b writes 1   | taken
         a takes 1    | there",
    ),
    (
        "half-close by one, and data to it",
        "a writes 5   | taken
         a shuts
         b takes rest | all, end
         b fills      | refused
         a takes all  | there
         b hears room | room
         b writes 300 | taken | short
         b closes
         a takes rest | all, end",
    ),
    (
        "half-close by the other, whose bytes are under way",
        "b fills      | refused
         b shuts
         a writes 5   | taken
         a shuts
         b takes rest | all, end
         a takes rest | all, end",
    ),
    (
        "a close with bytes left to send",
        "a fills      | refused
         a closes
         b takes rest | all, end",
    ),
    (
        "a close with bytes left to send, and the peer goes on",
        "a fills      | refused
         b has 1      | there
         a closes
         b writes 1   | taken
         b takes rest | none, lost | some, lost | all, lost | all, end",
    ),
    (
        "a close with unread input",
        "a writes 5   | taken
         b has 5      | there
         b writes 10  | taken
         a has 10     | there
         a closes
         b hears loss | lost
         b writes 1   | failed",
    ),
    (
        "what a close with unread input leaves of what was sent",
        "a writes 5   | taken
         b has 5      | there
         b writes 10  | taken
         a has 10     | there
         a closes
         b takes rest | none, lost | all, lost",
    ),
    (
        "a reset with unread data",
        "a writes 10  | taken
         b has 10     | there
         a aborts
         b hears loss | lost
         b takes rest | all, lost | none, lost",
    ),
    (
        "an abort with bytes left to send",
        "a fills      | refused
         b has 1      | there
         a aborts
         b takes rest | none, lost | some, lost | all, lost",
    ),
    (
        "an abort of nothing, at once",
        "a aborts
         b takes rest | all, lost",
    ),
    (
        "a refused writer hears of a reset",
        "a fills      | refused
         b has 1      | there
         b aborts
         a hears loss | lost
         a writes 1   | failed",
    ),
    (
        "a write after the peer's close",
        "b closes
         a takes rest | all, end
         a writes 1   | taken
         a hears loss | lost
         a writes 1   | failed",
    ),
    (
        "a loss behind the end, which no read tells",
        "a shuts
         b takes rest | all, end
         b writes 10  | taken
         a has 10     | there
         a closes
         b hears loss | lost",
    ),
    (
        "an abort after the peer's end",
        "b writes 3   | taken
         b shuts
         a takes rest | all, end
         a aborts
         b hears loss | lost
         b takes rest | all, lost",
    ),
    (
        "one byte at a time",
        "a writes 300 | taken
         b sips 300   | there
         b writes 1   | taken
         a sips 1     | there
         a closes
         b sips 1     | all, end",
    ),
    (
        "both close",
        "a writes 9   | taken
         b writes 9   | taken
         a shuts
         b shuts
         a takes rest | all, end
         b takes rest | all, end
         a closes
         b closes",
    ),
];
