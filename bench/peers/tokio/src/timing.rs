//! Rows about timers, waking and idleness.
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::time::{sleep, sleep_until, Sleep};

use crate::harness::*;
use crate::life::parked;

pub fn run<A: Address>(runtime: &Runtime, group: &str) -> bool {
    match group {
        "timers" => {
            let (start, cancel) = warm(runtime, |_: A, _| timers());
            report("timer_start_1m", "ns/timer", start) && report("timer_cancel_1m", "ns/timer", cancel)
        }
        "timer_pair" => report("timer_start_cancel_pair", "ns/timer", warm(runtime, |_: A, _| timer_pair())),
        "sleeps" => {
            let mut late = once(runtime, sleeps::<A>);
            report("sleep100k_late_p50", "us", quantile(&mut late, 0.5))
                && report("sleep100k_late_p99", "us", quantile(&mut late, 0.99))
                && report("sleep100k_late_max", "us", quantile(&mut late, 1.0))
        }
        "idle_cpu" => report("idle_cpu_100k", "% CPU", once(runtime, |_: A, _| idle_cpu::<A>())),
        "timer_wake" => percentiles("timer_wake_1ms", "us late", once(runtime, |_: A, _| timer_wake())),
        "ext_wake_gap2ms" => percentiles(group, "us", once(runtime, |me: A, inbox| external_wake(me, inbox, 2000, scaled(500).max(100)))),
        "ext_wake_gap100us" => percentiles(group, "us", once(runtime, |me: A, inbox| external_wake(me, inbox, 100, scaled(5000).max(1000)))),
        _ => false,
    }
}

fn percentiles(row: &str, unit: &str, mut late: Vec<f64>) -> bool {
    report(&format!("{}_p50", row), unit, quantile(&mut late, 0.5)) && report(&format!("{}_p99", row), unit, quantile(&mut late, 0.99))
}

/// Gives the timer once it was polled: only then does it begin to count.
struct Started(Option<Pin<Box<Sleep>>>);

impl Future for Started {
    type Output = Pin<Box<Sleep>>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut timer = self.0.take().expect("polled once");
        let _ = timer.as_mut().poll(context);
        Poll::Ready(timer)
    }
}

fn start_timer(i: usize) -> Started { Started(Some(Box::pin(sleep(Duration::from_millis(60_000 + (i as u64 & 16383)))))) }

async fn timers() -> (f64, f64) {
    let n = scaled(1_000_000);
    let mut all = Vec::with_capacity(n);
    let start = Instant::now();
    for i in 0..n {
        all.push(start_timer(i).await);
    }
    let started = per_item(start, n);
    let start = Instant::now();
    all.clear();
    (started, per_item(start, n))
}

async fn timer_pair() -> f64 {
    let n = scaled(1_000_000);
    let start = Instant::now();
    for i in 0..n {
        drop(start_timer(i).await);
    }
    per_item(start, n)
}

async fn sleeps<A: Address>(main: A, mut inbox: Inbox) -> Vec<f64> {
    let n = scaled(100_000);
    let late: Arc<Vec<AtomicU64>> = Arc::new((0..n).map(|_| AtomicU64::new(0)).collect());
    let left = Arc::new(AtomicU64::new(n as u64));
    let base = Instant::now() + Duration::from_millis(500); // all are asleep before the first is due
    let mut random = Random::new(7);
    for i in 0..n {
        let due = base + Duration::from_millis(1 + (random.next() >> 20) % 1000);
        let (late, left, main) = (late.clone(), left.clone(), main.clone());
        A::start(async move {
            sleep_until(due.into()).await;
            late[i].store((Instant::now() - due).as_nanos() as u64, Ordering::Relaxed);
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                main.send(Message::Number(0));
            }
        });
    }
    number(&mut inbox).await;
    late.iter().map(|ns| ns.load(Ordering::Relaxed) as f64 / 1000.0).collect()
}

async fn idle_cpu<A: Address>() -> f64 {
    let all = parked::<A>(scaled(100_000)).await;
    sleep(Duration::from_millis(500)).await;
    let (used, start) = (cpu_ns(), Instant::now());
    sleep(Duration::from_millis(3000)).await;
    let value = (cpu_ns() - used) / start.elapsed().as_nanos() as f64 * 100.0;
    drop(all);
    value
}

async fn timer_wake() -> Vec<f64> {
    let mut late = Vec::new();
    for _ in 0..scaled(500).max(100) {
        let start = Instant::now();
        sleep(Duration::from_millis(1)).await;
        late.push(start.elapsed().as_nanos() as f64 / 1000.0 - 1000.0);
    }
    late
}

/// A plain thread sleeps, stamps the clock and sends.
async fn external_wake<A: Address>(me: A, mut inbox: Inbox, gap_us: u64, count: usize) -> Vec<f64> {
    let sender = std::thread::spawn(move || {
        for _ in 0..count {
            std::thread::sleep(Duration::from_micros(gap_us));
            me.send(Message::SentAt(now_ns()));
        }
    });
    let mut late = Vec::with_capacity(count);
    for _ in 0..count {
        match inbox.recv().await {
            Some(Message::SentAt(at)) => late.push((now_ns() - at) as f64 / 1000.0),
            _ => panic!("a time was expected"),
        }
    }
    sender.join().unwrap();
    late
}
