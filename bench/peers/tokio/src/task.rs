//! A bare task and its channel.
use std::future::Future;
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};

use crate::harness::{Address, Inbox, Message};

pub type Mailbox = UnboundedSender<Message>;

impl Address for Mailbox {
    fn spawn<Body, Run>(body: Body) -> Self
    where
        Body: FnOnce(Self, Inbox) -> Run + Send + 'static,
        Run: Future<Output = ()> + Send + 'static,
    {
        let (mailbox, inbox) = unbounded_channel();
        tokio::spawn(body(mailbox.clone(), inbox));
        mailbox
    }
    fn start<Run: Future<Output = ()> + Send + 'static>(run: Run) {
        tokio::spawn(run);
    }
    fn send(&self, message: Message) {
        let _ = UnboundedSender::send(self, message);
    }
}
