//! Rows that only the process runtime has: calls, links, monitors, names.
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

use crate::harness::*;
use crate::life::parked;
use crate::process::{count, unregister, whereis, Pid};

pub fn run(runtime: &Runtime, group: &str) -> bool {
    match group {
        "call_reply_queue0" => report(group, "ns/call", warm(runtime, |me, inbox| calls(me, inbox, 0, scaled(500_000)))),
        "call_reply_queue1000_ref" => report(group, "ns/call", warm(runtime, |me, inbox| calls(me, inbox, 1000, scaled(200_000)))),
        "call_reply_queue100000_ref" => report(group, "ns/call", warm(runtime, |me, inbox| calls(me, inbox, 100_000, scaled(5_000)))),
        "link_kill" => {
            let (setup, kill) = warm(runtime, |_: Pid, inbox| link_kill(inbox));
            report("spawn_link_100k", "ns/process", setup) && report("link_kill_100k", "ns/process", kill)
        }
        "monitors" => {
            let (setup, down) = warm(runtime, monitors);
            report("monitor_setup_100k", "ns/monitor", setup) && report("monitor_exit_down_100k", "ns/DOWN", down)
        }
        "crash_exit_respawn" => report(group, "ns/crash", warm(runtime, crash_respawn)),
        "registry" => {
            let [register, lookup, forget, send] = warm(runtime, registry);
            report("register", "ns/op", register)
                && report("whereis", "ns/op", lookup)
                && report("unregister", "ns/op", forget)
                && report("send_by_name", "ns/msg", send)
        }
        _ => false,
    }
}

/// A mailbox that can be searched: what does not match waits in `saved`.
struct Selective {
    inbox: Inbox,
    saved: VecDeque<Message>,
}

impl Selective {
    async fn receive(&mut self, matches: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.saved.iter().position(&matches) {
            return self.saved.remove(at).unwrap();
        }
        loop {
            let message = self.inbox.recv().await.unwrap();
            if matches(&message) {
                return message;
            }
            self.saved.push_back(message);
        }
    }
}

async fn calls(me: Pid, inbox: Inbox, unrelated: usize, n: usize) -> f64 {
    let server = Pid::spawn(|_, mut inbox: Inbox| async move {
        while let Some(Message::Call(call)) = inbox.recv().await {
            call.from.send(Message::Reply { reference: call.reference });
        }
    });
    for i in 0..unrelated {
        me.send(Message::Number(i as i64));
    }
    let mut mailbox = Selective { inbox, saved: VecDeque::new() };
    let start = Instant::now();
    for wanted in 0..n as u64 {
        server.send(Message::Call(Box::new(Call { from: me, reference: wanted })));
        mailbox.receive(|message| matches!(message, Message::Reply { reference } if *reference == wanted)).await;
    }
    let value = per_item(start, n);
    server.send(Message::Stop);
    value
}

async fn link_kill(mut inbox: Inbox) -> (f64, f64) {
    let n = scaled(100_000);
    let before = count();
    let start = Instant::now();
    let (ready, waited) = tokio::sync::oneshot::channel();
    let parent = Pid::spawn(move |me, mut inbox| async move {
        for _ in 0..n {
            me.spawn_link(|_, mut inbox| async move {
                inbox.recv().await;
            });
        }
        let _ = ready.send(());
        inbox.recv().await;
    });
    waited.await.unwrap();
    let setup = per_item(start, n);
    let start = Instant::now();
    parent.kill();
    while count() > before {
        let _ = tokio::time::timeout(Duration::from_millis(1), inbox.recv()).await;
    }
    (setup, per_item(start, n))
}

async fn monitors(me: Pid, mut inbox: Inbox) -> (f64, f64) {
    let n = scaled(100_000);
    let all = parked::<Pid>(n).await;
    let start = Instant::now();
    for pid in &all {
        me.monitor(*pid);
    }
    let setup = per_item(start, n);
    let start = Instant::now();
    for pid in &all {
        pid.send(Message::Stop);
    }
    for _ in 0..n {
        assert!(matches!(inbox.recv().await, Some(Message::Down)));
    }
    (setup, per_item(start, n))
}

/// A linked process fails at its first job; its parent meets the exit and starts the next.
async fn crash_respawn(me: Pid, mut inbox: Inbox) -> f64 {
    let n = scaled(100_000);
    std::panic::set_hook(Box::new(|_| {})); // nobody is told
    me.trap_exits();
    let start = Instant::now();
    for _ in 0..n {
        let child = me.spawn_link(|_, mut inbox| async move {
            inbox.recv().await;
            panic!("crash")
        });
        child.send(Message::Stop);
        assert!(matches!(inbox.recv().await, Some(Message::Exit)));
    }
    let value = per_item(start, n);
    let _ = std::panic::take_hook();
    value
}

async fn registry(me: Pid, mut inbox: Inbox) -> [f64; 4] {
    let (n, rounds, lookups, messages) = (1000, scaled(50), scaled(500), scaled(2_000_000));
    let all = parked::<Pid>(n).await;
    let names: Vec<String> = (0..n).map(|i| format!("name_{}", i)).collect();
    let (mut register, mut forget) = (0.0, 0.0);
    for _ in 0..rounds {
        let start = Instant::now();
        for (pid, name) in all.iter().zip(&names) {
            pid.register(name);
        }
        register += per_item(start, n * rounds);
        let start = Instant::now();
        for name in &names {
            unregister(name);
        }
        forget += per_item(start, n * rounds);
    }
    for (pid, name) in all.iter().zip(&names) {
        pid.register(name);
    }
    let start = Instant::now();
    for _ in 0..lookups {
        for name in &names {
            assert!(whereis(name).is_some());
        }
    }
    let lookup = per_item(start, n * lookups);
    for (pid, name) in all.iter().zip(&names) {
        unregister(name);
        pid.send(Message::Stop);
    }
    let sink = Pid::spawn(move |_, mut inbox| async move {
        for _ in 0..messages {
            number(&mut inbox).await;
        }
        me.send(Message::Number(0));
    });
    sink.register("peer_sink");
    let start = Instant::now();
    for i in 0..messages {
        whereis("peer_sink").unwrap().send(Message::Number(i as i64));
    }
    number(&mut inbox).await;
    let send = per_item(start, messages);
    unregister("peer_sink");
    [register, lookup, forget, send]
}
