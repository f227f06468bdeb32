//! The boards' database of the sandbox: one process, one writer, one append-only file.
//!
//! It stands for the database that the application already has: ownership rows changed by
//! compare-and-set, a log for each board whose every write is conditional on the board's epoch,
//! heartbeat rows for liveness. It deliberately knows nothing of moves, websockets or the control
//! contract, and it does not compact: a demo's file is thrown away.

pub mod client;
mod connection;
mod file;
mod table;
pub mod wire;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::sabotage::Sabotage;

pub use table::Limits;
pub(crate) use table::{ABANDONED_MS, LIVENESS_MS};

/// Requests that may wait for the writer; more make the connections wait.
const QUEUE: usize = 4096;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;

/// How the store process is started.
#[derive(Debug, Clone, clap::Args)]
pub struct StoreArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The append-only file; it is created when it is missing.
    #[arg(long)]
    pub file: PathBuf,
    /// How long each group of writes takes on top of the machine's own time.
    #[arg(long, default_value_t = 1)]
    pub latency_ms: u64,
    /// A server that has sent no heartbeat for this long is dead.
    #[arg(long, default_value_t = LIVENESS_MS)]
    pub liveness_ms: u64,
    /// The boards of a server that has sent no heartbeat for this long are given to nobody.
    #[arg(long, default_value_t = ABANDONED_MS)]
    pub abandoned_ms: u64,
    /// Force each group onto the disk, not only into the kernel's cache.
    #[arg(long)]
    pub fsync: bool,
    /// A fault that is planted on purpose.
    #[arg(long, hide = true)]
    pub sabotage: Option<Sabotage>,
}

/// Why the store did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StoreStopped {
    /// Somebody else has the address.
    #[error("the store cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// The file is not ours, is newer than this program, or is damaged before its last line.
    #[error("the store cannot use its file")]
    File(#[from] file::FileError),
}

/// A store that is bound and has read its file, but does not serve yet.
#[derive(Debug)]
pub struct Store {
    listener: TcpListener,
    writer: writer::Writer,
    requests: mpsc::Sender<writer::Asked>,
}

/// Runs a store until it fails. Prints its address as one line on stdout when it is ready.
pub async fn run(args: StoreArgs) -> Result<(), StoreStopped> {
    let store = Store::open(&args).await?;
    println!("{}", store.address());
    store.serve().await
}

impl Store {
    /// Reads the file and binds the address. Nobody is answered before [`Store::serve`].
    pub async fn open(args: &StoreArgs) -> Result<Self, StoreStopped> {
        let limits =
            Limits { liveness_ms: args.liveness_ms, abandoned_ms: args.abandoned_ms, ..Limits::default() };
        let began_at = jiff::Timestamp::now();
        let (file, table) = file::open(&args.file, limits, args.fsync)?;
        let table = table.began_at(began_at).with(args.sabotage);
        let listen = |source| StoreStopped::Listen { address: args.listen, source };
        let listener = TcpListener::bind(args.listen).await.map_err(listen)?;
        let (requests, asked) = mpsc::channel(QUEUE);
        let latency = Duration::from_millis(args.latency_ms);
        let writer = writer::Writer::new(table, file, asked, latency);
        Ok(Self { listener, writer, requests })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound listener has an address")
    }

    /// Serves until the file cannot be written any more. Dropping the future closes every
    /// connection; what was answered is in the file.
    pub async fn serve(self) -> Result<(), StoreStopped> {
        let Self { listener, writer, requests } = self;
        let mut connections = JoinSet::new();
        let mut writing = std::pin::pin!(writer.run());
        loop {
            tokio::select! {
                stopped = &mut writing => return stopped.map_err(StoreStopped::File),
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((socket, peer)) => {
                        connections.spawn(connection::serve(socket, peer, requests.clone()));
                    }
                    Err(error) => tracing::warn!(%error, "a connection to the store failed"),
                },
            }
        }
    }
}
