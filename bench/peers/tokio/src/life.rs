//! Rows about the beginning and end of processes, and memory.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

use crate::harness::*;

pub fn run<A: Address>(runtime: &Runtime, group: &str) -> bool {
    match group {
        "spawn_exit" => report(group, "ns/process", warm(runtime, |me: A, inbox| spawn_exit(me, inbox, usize::MAX))),
        "spawn_exit_yield64" => report(group, "ns/process", warm(runtime, |me: A, inbox| spawn_exit(me, inbox, 64))),
        "spawn_message_back" => report(group, "ns/process", warm(runtime, spawn_reply::<A>)),
        "skynet" => report(group, "ns/actor", warm(runtime, skynet::<A>)),
        "mem_idle_100k" => report(group, "bytes/process", once(runtime, |_: A, _| memory::<A>(scaled(100_000)))),
        "mem_idle_1m" => report(group, "bytes/process", once(runtime, |_: A, _| memory::<A>(scaled(1_000_000)))),
        _ => false,
    }
}

/// Processes that only count down; the last one reports. The spawner steps back after every `pause`.
async fn spawn_exit<A: Address>(main: A, mut inbox: Inbox, pause: usize) -> f64 {
    let n = scaled(1_000_000);
    let left = Arc::new(AtomicUsize::new(n));
    let start = Instant::now();
    for i in 1..=n {
        let (left, main) = (left.clone(), main.clone());
        A::start(async move {
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                main.send(Message::Number(0));
            }
        });
        if i % pause == 0 {
            tokio::task::yield_now().await;
        }
    }
    number(&mut inbox).await;
    per_item(start, n)
}

async fn spawn_reply<A: Address>(main: A, mut inbox: Inbox) -> f64 {
    let n = scaled(500_000);
    let start = Instant::now();
    for i in 0..n as i64 {
        let main = main.clone();
        A::start(async move { main.send(Message::Number(i)) });
        assert_eq!(number(&mut inbox).await, i);
    }
    per_item(start, n)
}

fn sky<A: Address>(parent: A, first: i64, size: i64) {
    A::spawn(move |me: A, mut inbox| async move {
        if size == 1 {
            return parent.send(Message::Number(first));
        }
        for i in 0..10 {
            sky(me.clone(), first + i * (size / 10), size / 10);
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += number(&mut inbox).await;
        }
        parent.send(Message::Number(sum));
    });
}

async fn skynet<A: Address>(main: A, mut inbox: Inbox) -> f64 {
    let mut leaves = 10;
    while leaves * 10 <= scaled(1_000_000) as i64 {
        leaves *= 10;
    }
    let start = Instant::now();
    sky(main, 0, leaves);
    assert_eq!(number(&mut inbox).await, leaves * (leaves - 1) / 2);
    per_item(start, (leaves as usize * 10 - 1) / 9)
}

/// So many that wait for a message.
pub async fn parked<A: Address>(n: usize) -> Vec<A> {
    let mut all = Vec::with_capacity(n);
    for i in 1..=n {
        all.push(A::spawn(|_, mut inbox| async move {
            inbox.recv().await;
        }));
        if i % 1000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    all
}

async fn memory<A: Address>(n: usize) -> f64 {
    let before = resident_bytes();
    let all = parked::<A>(n).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let value = (resident_bytes() - before) / n as f64;
    assert_eq!(all.len(), n);
    value
}
