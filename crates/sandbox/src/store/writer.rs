//! The single writer: takes what waits, carries it out in order, writes it as one group, and only
//! then answers.
//!
//! Reads go through it too, so that nobody is told of something that could still be lost.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::file::{FileError, LogFile};
use super::table::Table;
use super::wire::{RequestFrame, ResponseFrame};

/// Requests in one group at the most.
const GROUP: usize = 1024;

/// A request and where its answer goes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) frame: RequestFrame,
    /// Has room for every request that its connection may have in flight.
    pub(super) answer: mpsc::Sender<ResponseFrame>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    table: Table,
    file: LogFile,
    asked: mpsc::Receiver<Asked>,
    latency: Duration,
    opened: Instant,
}

impl Writer {
    pub(super) fn new(table: Table, file: LogFile, asked: mpsc::Receiver<Asked>, latency: Duration) -> Self {
        Self { table, file, asked, latency, opened: Instant::now() }
    }

    /// Works until nobody can ask any more, or until the file fails: then memory is ahead of the
    /// file and nothing may be answered from it.
    pub(super) async fn run(mut self) -> Result<(), FileError> {
        let mut group = Vec::with_capacity(GROUP);
        let mut answers = Vec::with_capacity(GROUP);
        while self.asked.recv_many(&mut group, GROUP).await > 0 {
            let now_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            for Asked { frame, answer } in group.drain(..) {
                let (response, record) = self.table.ask(frame.request, now_ms);
                if let Some(record) = record {
                    self.file.push(&record);
                }
                answers.push((answer, ResponseFrame { id: frame.id, response }));
            }
            self.file.commit().await?;
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            for (to, response) in answers.drain(..) {
                // There is room; a refusal only means that the connection is gone.
                drop(to.try_send(response));
            }
        }
        Ok(())
    }
}
