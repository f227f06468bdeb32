//! `segue journal`: reading a journal, with or without a daemon beside it.
//!
//! It opens the file or the database for reading only and checks every record on the way: whoever reads a journal
//! after an accident wants to know that it is what was written.

use anyhow::{Context, Result};
use segue_journal::{Address, OpenError, Reader, Record, Stream, StreamEnd, view};
use serde::Serialize;

use crate::args::{Common, Output};
use crate::exit::Exit;
use crate::output::{self, say};
use crate::text;

/// What is in a journal, when nothing was asked for.
#[derive(Serialize)]
struct Contents {
    streams: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    records: u64,
}

pub(super) async fn show(common: &Common, address: &Address, what: Option<&str>) -> Result<Exit> {
    let journal = match address.open_to_read().await {
        Ok(journal) => journal,
        Err(error) => return Ok(refused(error)),
    };
    let ends = journal.streams("").await.context("the journal cannot be read")?;
    let Some(what) = what else { return contents(common, ends) };
    // A release by its name, or a service.
    let Some(end) = ends.into_iter().find(|end| name(&end.stream) == what) else {
        let sentence = format!("{address} knows no release and no service {what}");
        let hint = format!("`segue journal show --journal {address}` lists what it knows");
        say(&text::refusal("release-unknown", &sentence, &hint));
        return Ok(Exit::Refused);
    };
    stream(common, &*journal, &end.stream).await
}

/// Without what says whether it is a release's or a service's.
fn name(stream: &Stream) -> &str {
    stream.as_str().split_once('/').map_or("", |(_, name)| name)
}

fn contents(common: &Common, ends: Vec<StreamEnd>) -> Result<Exit> {
    let entry = |end: StreamEnd| Entry { name: name(&end.stream).to_owned(), records: end.seq };
    let contents = Contents { streams: ends.into_iter().map(entry).collect() };
    output::data(common.output, &contents, |contents| {
        let line = |entry: &Entry| format!("{:<24} {:>6} records\n", entry.name, entry.records);
        contents.streams.iter().map(line).collect()
    })?;
    Ok(Exit::Done)
}

async fn stream(common: &Common, journal: &dyn Reader, stream: &Stream) -> Result<Exit> {
    let mut after_seq = 0;
    loop {
        let page = journal.page(stream, after_seq).await.context("the journal cannot be read")?;
        let Some(last) = page.records.last() else { return Ok(Exit::Done) };
        let lines: Vec<String> = match common.output {
            Output::Text => page.records.iter().map(view::line).collect(),
            Output::Json => page.records.iter().map(Record::line).collect(),
        };
        output::lines(&lines.join("\n"))?;
        after_seq = last.seq;
    }
}

/// Nothing was touched.
fn refused(error: OpenError) -> Exit {
    let hint = match &error {
        OpenError::Newer { .. } => "read it with the version of segue that wrote it",
        OpenError::Older { .. } => "`segue serve` brings it up to this version",
        OpenError::NotAJournal { .. } => "`daemon.journal` of the configuration names the daemon's journal",
        OpenError::Missing { .. } => {
            "--journal names the file or the database; `daemon.journal` of the configuration says where it is"
        }
        OpenError::Unfit { .. } => "the daemon's own database is written to; `daemon.journal` names it",
        OpenError::Unreachable { .. } => {
            "see that PostgreSQL runs there; the password comes from PGPASSWORD or ~/.pgpass, as with psql"
        }
        OpenError::Unavailable { .. } => "the file and its folder must be readable for you",
    };
    say(&format!("error: {:#}", anyhow::Error::new(error)));
    say(&format!("hint: {hint}"));
    Exit::Refused
}
