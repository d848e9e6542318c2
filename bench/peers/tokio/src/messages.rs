//! Rows about messages.
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;

use crate::harness::*;

pub fn run<A: Address>(runtime: &Runtime, group: &str) -> bool {
    match group {
        "ping_pong" => report(group, "ns/roundtrip", warm(runtime, |me: A, inbox| async move {
            let n = scaled(1_000_000);
            let start = Instant::now();
            pairs(me, inbox, 1, n).await;
            per_item(start, n)
        })),
        "ping_pong_100_pairs" => report(group, "ns/roundtrip", warm(runtime, |me: A, inbox| async move {
            let n = scaled(20_000);
            let start = Instant::now();
            pairs(me, inbox, 100, n).await;
            per_item(start, 100 * n)
        })),
        "thread_ring_503" => report(group, "ns/hop", warm(runtime, thread_ring::<A>)),
        "fan_in_8to1" => report(group, "Mmsg/s", warm(runtime, |me: A, inbox| fan_in(me, inbox, 8, scaled(500_000)))),
        "stream_1to1" => report(group, "Mmsg/s", warm(runtime, |me: A, inbox| fan_in(me, inbox, 1, scaled(4_000_000)))),
        "big_64" => report(group, "Mmsg/s", warm(runtime, big::<A>)),
        "fork_join_60" => report(group, "Mmsg/s", warm(runtime, fork_join::<A>)),
        _ => false,
    }
}

async fn pairs<A: Address>(main: A, mut inbox: Inbox, count: usize, n: usize) {
    for _ in 0..count {
        let main = main.clone();
        A::spawn(move |ping: A, mut inbox| async move {
            let pong = A::spawn(move |_, mut inbox: Inbox| async move {
                while let Some(Message::Number(k)) = inbox.recv().await {
                    ping.send(Message::Number(k));
                }
            });
            for k in 0..n {
                pong.send(Message::Number(k as i64));
                number(&mut inbox).await;
            }
            pong.send(Message::Stop);
            main.send(Message::Number(0));
        });
    }
    for _ in 0..count {
        number(&mut inbox).await;
    }
}

async fn thread_ring<A: Address>(main: A, mut inbox: Inbox) -> f64 {
    let (hops, members) = (scaled(3_000_000) as i64, 503);
    let member = |next: Option<A>, main: A| {
        A::spawn(move |_, mut inbox| async move {
            loop {
                let k = number(&mut inbox).await;
                match &next {
                    Some(next) if k != 0 => next.send(Message::Number(k - 1)),
                    _ => main.send(Message::Number(0.max(k - 1))),
                }
                if k < 0 {
                    return;
                }
            }
        })
    };
    // The main process is the 503rd member.
    let first = (1..members).fold(None, |next, _| Some(member(next, main.clone()))).unwrap();
    let start = Instant::now();
    first.send(Message::Number(hops));
    loop {
        let k = number(&mut inbox).await;
        if k == 0 {
            break;
        }
        first.send(Message::Number(k - 1));
    }
    let value = per_item(start, hops as usize);
    first.send(Message::Number(-1));
    value
}

async fn fan_in<A: Address>(main: A, mut inbox: Inbox, senders: usize, n: usize) -> f64 {
    let sink = A::spawn(move |_, mut inbox| async move {
        for _ in 0..senders * n {
            number(&mut inbox).await;
        }
        main.send(Message::Number(0));
    });
    let start = Instant::now();
    for _ in 0..senders {
        let sink = sink.clone();
        A::spawn(move |_, _| async move {
            for i in 0..n {
                sink.send(Message::Number(i as i64));
            }
        });
    }
    number(&mut inbox).await;
    millions(start, senders * n)
}

/// Each pings a random other and serves pings while it waits.
async fn big<A: Address>(main: A, mut inbox: Inbox) -> f64 {
    let (actors, n) = (64usize, scaled(20_000));
    let (tell, _) = tokio::sync::broadcast::channel::<Arc<Vec<A>>>(1);
    let all: Vec<A> = (0..actors)
        .map(|id| {
            let (main, mut told) = (main.clone(), tell.subscribe());
            A::spawn(move |_, mut inbox| async move {
                let all = told.recv().await.unwrap();
                let mut random = Random::new(id as u64 + 1);
                for _ in 0..n {
                    all[(id + 1 + ((random.next() >> 32) % 63) as usize) & 63].send(Message::Ping(id));
                    while let Some(Message::Ping(from)) = inbox.recv().await {
                        all[from].send(Message::Pong);
                    }
                }
                main.send(Message::Number(0));
                while let Some(Message::Ping(from)) = inbox.recv().await {
                    all[from].send(Message::Pong);
                }
            })
        })
        .collect();
    let all = Arc::new(all);
    let start = Instant::now();
    let _ = tell.send(all.clone());
    for _ in 0..actors {
        number(&mut inbox).await;
    }
    let value = millions(start, actors * n * 2);
    for actor in all.iter() {
        actor.send(Message::Stop);
    }
    value
}

async fn fork_join<A: Address>(main: A, mut inbox: Inbox) -> f64 {
    let (actors, n) = (60, scaled(100_000));
    let all: Vec<A> = (0..actors)
        .map(|_| {
            let main = main.clone();
            A::spawn(move |_, mut inbox| async move {
                for _ in 0..n {
                    number(&mut inbox).await;
                }
                main.send(Message::Number(0));
            })
        })
        .collect();
    let start = Instant::now();
    for i in 0..n {
        for actor in &all {
            actor.send(Message::Number(i as i64));
        }
    }
    for _ in 0..actors {
        number(&mut inbox).await;
    }
    millions(start, actors * n)
}
