//! A process runtime on Tokio: pids, a sharded table, links, monitors, names. It is complete enough for each row to do the whole work,
//! teardown included, and no more.
use dashmap::mapref::entry::Entry;
use dashmap::DashMap;
use once_cell::sync::Lazy;
use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};
use tokio::task::JoinHandle;

use crate::harness::{Address, Inbox, Message};

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pid(u64);

struct Process {
    mailbox: UnboundedSender<Message>,
    task: JoinHandle<()>,
    traps_exits: bool,
    links: HashSet<Pid>,
    watchers: Vec<Pid>,
}

static PROCESSES: Lazy<DashMap<Pid, Process>> = Lazy::new(DashMap::new);
static NAMES: Lazy<DashMap<String, Pid>> = Lazy::new(DashMap::new);
static NEXT_PID: AtomicU64 = AtomicU64::new(1);

/// Dropped when the process ends, in whatever way: by its end, by a panic, or because its task is aborted.
struct Life {
    pid: Pid,
    normal: bool,
}

impl Drop for Life {
    fn drop(&mut self) {
        let process = match PROCESSES.remove(&self.pid) {
            Some((_, process)) => process,
            None => return,
        };
        for linked in process.links {
            let mut kill = false;
            if let Some(mut other) = PROCESSES.get_mut(&linked) {
                other.links.remove(&self.pid);
                if other.traps_exits {
                    let _ = other.mailbox.send(Message::Exit);
                } else {
                    kill = !self.normal;
                }
            }
            if kill {
                linked.kill();
            }
        }
        for watcher in process.watchers {
            watcher.send(Message::Down);
        }
    }
}

fn start<Body, Run>(links: HashSet<Pid>, body: Body) -> Pid
where
    Body: FnOnce(Pid, Inbox) -> Run + Send + 'static,
    Run: Future<Output = ()> + Send + 'static,
{
    let pid = Pid(NEXT_PID.fetch_add(1, Ordering::Relaxed));
    let (mailbox, inbox) = unbounded_channel();
    let life = Life { pid, normal: false };
    // The shard stays locked until the process is in the table, so that its end cannot come before.
    let place = PROCESSES.entry(pid);
    let task = tokio::spawn(async move {
        let mut life = life; // all of it: a capture of its field alone would leave it behind to be dropped
        body(pid, inbox).await;
        life.normal = true;
    });
    if let Entry::Vacant(place) = place {
        place.insert(Process { mailbox, task, traps_exits: false, links, watchers: Vec::new() });
    }
    pid
}

impl Address for Pid {
    fn spawn<Body, Run>(body: Body) -> Self
    where
        Body: FnOnce(Self, Inbox) -> Run + Send + 'static,
        Run: Future<Output = ()> + Send + 'static,
    {
        start(HashSet::new(), body)
    }
    fn send(&self, message: Message) {
        if let Some(process) = PROCESSES.get(self) {
            let _ = process.mailbox.send(message);
        }
    }
}

impl Pid {
    pub fn spawn_link<Body, Run>(self, body: Body) -> Pid
    where
        Body: FnOnce(Pid, Inbox) -> Run + Send + 'static,
        Run: Future<Output = ()> + Send + 'static,
    {
        let child = start(HashSet::from([self]), body);
        let parent_lives = PROCESSES.get_mut(&self).map(|mut parent| parent.links.insert(child)).is_some();
        if !parent_lives {
            child.kill();
        } else if !PROCESSES.contains_key(&child) {
            // It ended before it was among the links: what it could not tell is told here.
            if let Some(mut parent) = PROCESSES.get_mut(&self) {
                if parent.links.remove(&child) && parent.traps_exits {
                    let _ = parent.mailbox.send(Message::Exit);
                }
            }
        }
        child
    }
    pub fn trap_exits(self) {
        if let Some(mut process) = PROCESSES.get_mut(&self) {
            process.traps_exits = true;
        }
    }
    pub fn monitor(self, target: Pid) {
        match PROCESSES.get_mut(&target) {
            Some(mut process) => process.watchers.push(self),
            None => self.send(Message::Down),
        }
    }
    pub fn kill(self) {
        if let Some(process) = PROCESSES.get(&self) {
            process.task.abort();
        }
    }
    pub fn register(self, name: &str) { NAMES.insert(name.to_string(), self); }
}

pub fn unregister(name: &str) { NAMES.remove(name); }
pub fn whereis(name: &str) -> Option<Pid> { NAMES.get(name).map(|pid| *pid) }
pub fn count() -> usize { PROCESSES.len() }
