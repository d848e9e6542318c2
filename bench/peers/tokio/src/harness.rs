//! Clock, scale, quantiles, and the one line format, `row <TAB> value <TAB> unit`.
use once_cell::sync::Lazy;
use std::future::Future;
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::process::Pid;

/// All that is sent in any row, 16 bytes: a channel allocates room for 32 at a time.
pub enum Message {
    Number(i64),
    Ping(usize),
    Pong,
    Stop,
    SentAt(u64),
    Call(Box<Call>),
    Reply { reference: u64 },
    Exit,
    Down,
}
pub struct Call {
    pub from: Pid,
    pub reference: u64,
}
pub type Inbox = UnboundedReceiver<Message>;

/// What the two flavours have in common: something that runs a body with a mailbox and can be sent to.
pub trait Address: Clone + Send + Sync + 'static {
    fn spawn<Body, Run>(body: Body) -> Self
    where
        Body: FnOnce(Self, Inbox) -> Run + Send + 'static,
        Run: Future<Output = ()> + Send + 'static;
    /// Runs what receives nothing; a flavour that can does without a mailbox.
    fn start<Run: Future<Output = ()> + Send + 'static>(run: Run) {
        Self::spawn(|_, _| run);
    }
    fn send(&self, message: Message);
}

pub async fn number(inbox: &mut Inbox) -> i64 {
    match inbox.recv().await {
        Some(Message::Number(n)) => n,
        _ => panic!("a number was expected"),
    }
}

/// The published size, times WEFT_BENCH_SCALE.
pub fn scaled(published: usize) -> usize {
    let scale = std::env::var("WEFT_BENCH_SCALE").ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(1.0);
    ((published as f64 * scale).round() as usize).max(1)
}

/// Runs the body with a mailbox, on a worker, and waits for its result.
pub fn once<A: Address, Body, Run, T>(runtime: &Runtime, body: Body) -> T
where
    Body: FnOnce(A, Inbox) -> Run + Send + 'static,
    Run: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (result, waited) = tokio::sync::oneshot::channel();
    let _entered = runtime.enter();
    A::spawn(move |me, inbox| async move {
        let _ = result.send(body(me, inbox).await);
    });
    runtime.block_on(waited).unwrap()
}

/// The second of two measurements: the first has filled the allocator.
pub fn warm<A: Address, Body, Run, T>(runtime: &Runtime, body: Body) -> T
where
    Body: Fn(A, Inbox) -> Run + Send + Sync + Copy + 'static,
    Run: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    once(runtime, body);
    once(runtime, body)
}

pub fn report(row: &str, unit: &str, value: f64) -> bool {
    println!("{}\t{:.6}\t{}", row, value, unit);
    true
}

static CLOCK: Lazy<Instant> = Lazy::new(Instant::now);
pub fn now_ns() -> u64 { CLOCK.elapsed().as_nanos() as u64 }

pub fn per_item(start: Instant, items: usize) -> f64 { start.elapsed().as_nanos() as f64 / items as f64 }
pub fn millions(start: Instant, items: usize) -> f64 { items as f64 * 1000.0 / start.elapsed().as_nanos() as f64 }

pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[((q * values.len() as f64) as usize).min(values.len() - 1)]
}

pub fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

/// Time that the program's threads spent on a processor.
pub fn cpu_ns() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("schedstat")).ok())
        .map(|text| text.split(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// xorshift64
pub struct Random(pub u64);
impl Random {
    pub fn new(seed: u64) -> Self { Random(seed.wrapping_mul(0x9E3779B97F4A7C15) | 1) }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
