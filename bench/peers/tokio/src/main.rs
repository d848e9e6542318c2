//! Tokio's two sides of the comparison. Usage: tokio_peer processes|tasks GROUP WORKERS; exit status 3: no such group here.
//!
//! `processes`: a runtime with pids, a sharded table of processes, links, monitors and names, an unbounded channel as mailbox.
//! `tasks`: bare tasks that hold each other's channels, with none of these.
mod harness;
mod life;
mod messages;
mod process;
mod relations;
mod task;
mod timing;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (flavour, group) = (arguments[1].as_str(), arguments[2].as_str());
    let workers: usize = arguments[3].parse().expect("a number of workers");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    let known = match flavour {
        "processes" => {
            messages::run::<process::Pid>(&runtime, group)
                || life::run::<process::Pid>(&runtime, group)
                || timing::run::<process::Pid>(&runtime, group)
                || relations::run(&runtime, group)
        }
        "tasks" => {
            messages::run::<task::Mailbox>(&runtime, group)
                || life::run::<task::Mailbox>(&runtime, group)
                || timing::run::<task::Mailbox>(&runtime, group)
        }
        _ => panic!("processes or tasks"),
    };
    std::process::exit(if known { 0 } else { 3 }); // parked tasks are not waited for
}
