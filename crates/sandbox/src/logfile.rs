//! What an instance prints, kept in files that do not grow for ever.
//!
//! A full file becomes `NAME.log.old`, so an instance's output takes at most twice the limit. The instance
//! never waits for the disk: what a slow one does not take in time is dropped, and the file says how much; a
//! disk that cannot be written loses the output and says so once.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::mpsc;

/// The most that one file holds, in bytes.
const FILE_MAX: usize = 1024 * 1024;
/// The longest line that is kept whole, in bytes.
const LINE_MAX: usize = 8 * 1024;
/// Lines that may wait for the disk.
const QUEUE: usize = 256;

/// Collects both pipes of a program into one file until they close.
pub(crate) fn collect(path: PathBuf, pipes: (Option<ChildStdout>, Option<ChildStderr>)) {
    let (lines, queue) = mpsc::channel(QUEUE);
    if let Some(stdout) = pipes.0 {
        tokio::spawn(read(stdout, lines.clone()));
    }
    if let Some(stderr) = pipes.1 {
        tokio::spawn(read(stderr, lines));
    }
    tokio::spawn(async move {
        if let Err(error) = write(&path, queue).await {
            tracing::warn!(path = %path.display(), %error, "output of an instance is lost");
        }
    });
}

async fn read(pipe: impl AsyncRead + Unpin, lines: mpsc::Sender<Vec<u8>>) {
    let mut reader = BufReader::with_capacity(LINE_MAX, pipe);
    let mut dropped = 0;
    loop {
        let line = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(bytes) => {
                let end = bytes.iter().rposition(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
                bytes.get(..end).unwrap_or(bytes).to_vec()
            }
        };
        reader.consume(line.len());
        if dropped > 0 && lines.try_send(note_of(dropped)).is_ok() {
            dropped = 0;
        }
        let length = line.len();
        // Without a writer nobody reads a note either; the writer has told of its end.
        if lines.try_send(line).is_err() {
            dropped = dropped.saturating_add(length);
        }
    }
    if dropped > 0 {
        // The program has ended, so that nobody waits for it now.
        let _no_writer = lines.send(note_of(dropped)).await;
    }
}

fn note_of(dropped: usize) -> Vec<u8> {
    format!("\n[the sandbox dropped {dropped} bytes of output here: the disk was slow]\n").into_bytes()
}

async fn write(path: &Path, mut queue: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut file = append(path).await?;
    let mut size = usize::try_from(file.metadata().await?.len()).unwrap_or(FILE_MAX);
    while let Some(lines) = queue.recv().await {
        if size > FILE_MAX {
            file.flush().await?;
            tokio::fs::rename(path, path.with_extension("log.old")).await?;
            file = append(path).await?;
            size = 0;
        }
        file.write_all(&lines).await?;
        file.flush().await?;
        size = size.saturating_add(lines.len());
    }
    Ok(())
}

async fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_program_never_waits_for_the_disk_and_what_is_dropped_is_told() {
        let (mut program, pipe) = tokio::io::duplex(64);
        let (lines, mut queue) = mpsc::channel(1);
        let reading = tokio::spawn(read(pipe, lines));
        let printing = async {
            for n in 0..100 {
                program.write_all(format!("line {n}\n").as_bytes()).await.expect("it is read");
            }
            drop(program);
        };
        tokio::time::timeout(Duration::from_secs(1), printing).await.expect("nobody takes from the queue");
        let mut kept = Vec::new();
        while let Some(lines) = queue.recv().await {
            kept.extend(lines);
        }
        reading.await.expect("it does not panic");
        let kept = String::from_utf8(kept).expect("it is text");
        assert!(kept.starts_with("line 0\n"), "{kept}");
        assert!(kept.ends_with("bytes of output here: the disk was slow]\n"), "{kept}");
    }

    #[tokio::test]
    async fn a_full_file_makes_room_by_becoming_the_old_one() {
        let dir = tempfile::tempdir().expect("a place for files");
        let path = dir.path().join("i-1.log");
        let (lines, queue) = mpsc::channel(8);
        let line = vec![b'x'; FILE_MAX / 2];
        for _ in 0..5 {
            lines.send(line.clone()).await.expect("the queue has room");
        }
        drop(lines);
        write(&path, queue).await.expect("the disk takes it");
        let size = |p: &Path| std::fs::read(p).expect("the file is there").len();
        assert_eq!(size(&path.with_extension("log.old")), 3 * line.len());
        assert_eq!(size(&path), 2 * line.len());
    }
}
