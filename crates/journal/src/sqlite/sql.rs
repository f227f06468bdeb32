//! Every statement that the SQLite store runs.
//!
//! Times are milliseconds by the database's clock; sequences, epochs and counts are at least zero.

/// `SGUE`: says that a file is a journal of Segue (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = 0x5347_5545;

pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

pub(super) const GET_APPLICATION_ID: &str = "PRAGMA application_id";
pub(super) const SET_APPLICATION_ID: &str = "PRAGMA application_id = 1397183813";
pub(super) const COUNT_TABLES: &str = "SELECT count(*) FROM sqlite_schema";
pub(super) const LAYOUT: &str = "SELECT value FROM meta WHERE name = 'layout'";
pub(super) const SET_LAYOUT: &str = "INSERT INTO meta (name, value) VALUES ('layout', ?1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Of SQLite's own generator, which the operating system seeds.
pub(super) const MAKE_ID: &str = "INSERT INTO meta (name, value)
    VALUES ('journal_id', random() & 9223372036854775807) ON CONFLICT (name) DO NOTHING";
pub(super) const GET_ID: &str = "SELECT value FROM meta WHERE name = 'journal_id'";

pub(super) const NOW: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";

pub(super) const LEASE: &str = "SELECT owner, epoch, until_ms FROM lease WHERE scope = ?1";
pub(super) const PUT_LEASE: &str = "INSERT INTO lease (scope, owner, epoch, until_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (scope) DO UPDATE SET
        owner = excluded.owner, epoch = excluded.epoch, until_ms = excluded.until_ms";

pub(super) const HEAD: &str = "SELECT seq, hash FROM stream WHERE name = ?1";
pub(super) const PUT_HEAD: &str = "INSERT INTO stream (name, seq, hash) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash";
pub(super) const PUT_RECORD: &str = "INSERT INTO record (stream, seq, hash, text) VALUES (?1, ?2, ?3, ?4)";
/// Those of a page: no more once those before have ?4 bytes.
pub(super) const RECORDS: &str = "WITH
    sized AS (SELECT seq, length(CAST(text AS BLOB)) AS bytes FROM record
        WHERE stream = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3),
    page AS (SELECT seq, sum(bytes) OVER (ORDER BY seq) - bytes AS before FROM sized)
    SELECT record.seq, hash, text FROM page JOIN record ON record.stream = ?1 AND record.seq = page.seq
    WHERE before < ?4 ORDER BY record.seq";
pub(super) const STREAMS: &str = "SELECT name, seq FROM stream
    WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT ?2";
/// What the texts at the ends of streams begin with: `{"schema":3,`.
pub(super) const NEWEST: &str = "SELECT name, (SELECT CAST(substr(text, 11, 9) AS INTEGER) FROM record
        WHERE record.stream = stream.name AND record.seq = CASE is_first WHEN 1 THEN 1 ELSE stream.seq END) AS schema
    FROM stream CROSS JOIN (SELECT 1 AS is_first UNION ALL SELECT 0) ORDER BY schema DESC, name LIMIT 1";

pub(super) const PUT_OUTBOX: &str = "INSERT INTO outbox (channel, key, body, due_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key) DO NOTHING";
pub(super) const CLAIM: &str = "UPDATE outbox SET due_ms = ?2, tries = tries + 1
    WHERE id IN (SELECT id FROM outbox WHERE ended = '' AND due_ms <= ?1 ORDER BY id LIMIT ?3)
    RETURNING id, channel, key, body, tries";
pub(super) const SETTLE_END: &str = "UPDATE outbox SET ended = ?2 WHERE id = ?1 AND ended = ''";
pub(super) const SETTLE_AGAIN: &str = "UPDATE outbox SET due_ms = ?2 WHERE id = ?1 AND ended = ''";

/// What makes each layout out of the one before; the place in the list, from 1, is the layout's number.
pub(super) const MIGRATIONS: [&str; 1] = ["CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE lease (
        scope TEXT PRIMARY KEY,
        owner TEXT,
        epoch INTEGER NOT NULL CHECK (epoch > 0),
        until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE stream (
        name TEXT PRIMARY KEY,
        seq INTEGER NOT NULL CHECK (seq > 0),
        hash TEXT NOT NULL CHECK (length(hash) = 64)
    ) STRICT;
    CREATE TABLE record (
        stream TEXT NOT NULL REFERENCES stream (name),
        seq INTEGER NOT NULL CHECK (seq > 0),
        hash TEXT NOT NULL CHECK (length(hash) = 64),
        text TEXT NOT NULL,
        PRIMARY KEY (stream, seq)
    ) STRICT;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        key TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL,
        due_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        ended TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX outbox_due ON outbox (id, due_ms) WHERE ended = '';"];
