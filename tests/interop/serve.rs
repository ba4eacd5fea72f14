//! The server that the interoperability suite starts, to be used by hand: prints where it listens,
//! and goes on until it is ended.

mod server;

fn main() {
    println!("http://{}", server::start());
    loop {
        std::thread::park();
    }
}
