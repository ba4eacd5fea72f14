//! One echo workload in two simulators, in one process and in turns: how much virtual time they get
//! through in a second.
//!
//! So many clients connect, each sends 64 characters every so often for 90 s of virtual time, and
//! gets them back. A message takes 1 to 2 ms, and nothing breaks.
//!
//! In turmoil each client is a host, the server another; once more with all clients as tasks of
//! one host, which is less like a network and less work. They speak lines over TCP: a client writes
//! a line and waits for it; the server has a task for each connection that reads lines and writes
//! them back. There is no protocol, no check but that the line is the same, and a tick is 1 ms.
//!
//! In Parlor's simulator the server is the real one, by WebSocket with Engine.IO and Socket.IO, and
//! all that the simulator always does is on: model clients with a codec of their own, the shadow,
//! all oracles. Each world runs twice, as `check` has it, and after the 90 s it goes on until
//! everybody would be back from any fault; that time is not counted, what it costs is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use parlor::{App, Handle};
use parlor_sim::{Client, Faults, Sim, check};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use turmoil::net::{TcpListener, TcpStream};

const TIME: Duration = Duration::from_secs(90);
const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PORT: u16 = 1234;
const ROUNDS: usize = 3;

/// What has come back, in all clients of all worlds.
static ECHOES: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, Debug)]
struct Load {
    clients: usize,
    every: Duration,
}

impl Load {
    /// How often each client sends.
    fn times(self) -> u32 {
        (TIME.as_millis() / self.every.as_millis()) as u32
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug)]
struct Round {
    simulated: Duration,
    echoes: u64,
    /// Of the process, kernel included.
    cpu: Duration,
    wall: Duration,
}

fn main() {
    let loads = [(5, 1000), (20, 200)];
    let only: Option<usize> = env::args().nth(1).and_then(|text| text.parse().ok());
    for (clients, ms) in loads {
        if only.is_some_and(|only| only != clients) {
            continue;
        }
        let load = Load { clients, every: Duration::from_millis(ms) };
        println!("{clients} clients, each every {ms} ms, {} s of virtual time:", TIME.as_secs());
        let mut rounds = [const { Vec::new() }; 3];
        for seed in 0..ROUNDS {
            rounds[0].push(measured(2, || parlor(load, seed as u64)));
            rounds[1].push(measured(1, || turmoil(load, seed as u64, true)));
            rounds[2].push(measured(1, || turmoil(load, seed as u64, false)));
        }
        let names = ["parlor-sim", "turmoil", "turmoil, one host"];
        names.into_iter().zip(rounds).for_each(|(name, rounds)| tell(name, rounds));
    }
}

/// Runs so many worlds.
fn measured(worlds: u32, run: impl FnOnce()) -> Round {
    let (echoes, cpu, started) = (ECHOES.load(Ordering::Relaxed), cpu(), Instant::now());
    run();
    Round {
        simulated: TIME * worlds,
        echoes: ECHOES.load(Ordering::Relaxed) - echoes,
        cpu: self::cpu() - cpu,
        wall: started.elapsed(),
    }
}

/// The middle one by its CPU time.
fn tell(name: &str, mut rounds: Vec<Round>) {
    rounds.sort_by_key(|round| round.cpu);
    let Round { simulated, echoes, cpu, wall } = rounds[rounds.len() / 2];
    let per_second = |amount: f64, time: Duration| amount / time.as_secs_f64().max(0.001);
    println!(
        "  {name:17} {:7.0} s a second of wall time, {:7.0} of CPU; {:7.0} echoes a second of CPU \
         ({echoes} in {:.2} s)",
        per_second(simulated.as_secs_f64(), wall),
        per_second(simulated.as_secs_f64(), cpu),
        per_second(echoes as f64, cpu),
        cpu.as_secs_f64(),
    );
}

/// What the process has used. Linux counts in hundredths of a second.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("a name stands in parentheses");
    let times = fields.split(' ').skip(11).take(2);
    let ticks: u64 = times.map(|ticks| ticks.parse::<u64>().expect("it is a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn parlor(load: Load, seed: u64) {
    fn echo(_io: Handle<()>) -> App<()> {
        let mut app = App::new();
        app.of("/").on("echo", |cx, text: String| {
            cx.emit("echo", text);
        });
        app
    }
    check(seed..seed + 1, echo, |sim: &mut Sim<()>| {
        let client = Client::websocket().script(move |c, _random| {
            c.connect("/", ());
            c.on("echo", |_c, text: String| {
                assert_eq!(text, TEXT);
                ECHOES.fetch_add(1, Ordering::Relaxed);
            });
            c.every(load.every, |c| c.emit("echo", TEXT));
        });
        sim.clients(load.clients..=load.clients, client);
        sim.faults(Faults::none());
        sim.run_for(TIME);
    });
}

fn turmoil(load: Load, seed: u64, is_one_each: bool) {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(2 * TIME)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(2))
        .tcp_capacity(1024)
        .rng_seed(seed)
        .build();
    sim.host("server", serve);
    if is_one_each {
        (0..load.clients).for_each(|client| sim.client(format!("client-{client}"), visit(load)));
    } else {
        sim.client("clients", async move {
            let all = (0..load.clients).map(|_| tokio::task::spawn_local(visit(load)));
            for client in all.collect::<Vec<_>>() {
                client.await??;
            }
            Ok(())
        });
    }
    sim.run().expect("all clients come to their end");
}

async fn serve() -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio::task::spawn_local(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(mut line)) = lines.next_line().await {
                line.push('\n');
                if writer.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn visit(load: Load) -> turmoil::Result {
    let (reader, mut writer) = TcpStream::connect(("server", PORT)).await?.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut period = tokio::time::interval(load.every);
    let line = format!("{TEXT}\n");
    for _ in 0..load.times() {
        period.tick().await;
        writer.write_all(line.as_bytes()).await?;
        assert_eq!(lines.next_line().await?.as_deref(), Some(TEXT));
        ECHOES.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
