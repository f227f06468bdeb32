//! Every statement that the PostgreSQL store runs.
//!
//! Times are milliseconds by the database's clock; sequences, epochs and counts are at least zero. Names
//! compare byte by byte (`COLLATE "C"`), whatever the database's language is.

/// `SGUE`: says that a schema is a journal of Segue.
pub(super) const APPLICATION: i64 = 0x5347_5545;

/// Named whole, so that a database with other defaults gives the same transaction. A server that only follows
/// another one refuses it here.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";
/// Does nothing.
pub(super) const ANYBODY_THERE: &str = "SELECT";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// Without it a commit is acknowledged before it is on disk, and lost with the server's power
/// (<https://www.postgresql.org/docs/current/wal-async-commit.html>). Who waits for a second server keeps that.
pub(super) const WAIT_FOR_DISK: &str = "SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";

pub(super) const ABOUT_SERVER: &str = "SELECT current_setting('server_version_num')::bigint AS version,
    current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
    pg_is_in_recovery() AS follows, current_user::text AS user,
    has_database_privilege(current_database(), 'CREATE') AS may_create";
/// Tables, views and the like in our schema, and whether one of them can say whose they are.
pub(super) const COUNT_TABLES: &str = "SELECT count(*) FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'segue' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
pub(super) const HAS_SCHEMA: &str = "SELECT to_regnamespace('segue') IS NOT NULL";
pub(super) const IS_OURS: &str = "SELECT count(*) FROM pg_catalog.pg_attribute
    WHERE attrelid = to_regclass('segue.meta') AND attname IN ('name', 'value') AND NOT attisdropped";
pub(super) const META: &str = "SELECT value FROM segue.meta WHERE name = $1";
pub(super) const SET_META: &str = "INSERT INTO segue.meta (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
pub(super) const CREATE_SCHEMA: &str = "CREATE SCHEMA IF NOT EXISTS segue";
/// Two daemons may make one journal at the same time. The lock ends with the transaction that makes it; the
/// lease is never such a lock.
pub(super) const LOCK_MAKING: &str = "SELECT pg_advisory_xact_lock(1397183813)";

/// Of the server's own strong generator.
pub(super) const MAKE_ID: &str = "INSERT INTO segue.meta (name, value)
    SELECT 'journal_id', ('x' || replace(gen_random_uuid()::text, '-', ''))::bit(64)::bigint & 9223372036854775807
    ON CONFLICT (name) DO NOTHING";

/// The lease without waiting for anybody.
pub(super) const LEASE: &str = "SELECT owner, epoch, until_ms,
        floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
    FROM (SELECT 1) AS one LEFT JOIN segue.lease ON scope = $1";
/// So that there is a row to lock: of two who ask first, one waits for the other. Epoch 0 was never held.
pub(super) const MAKE_LEASE: &str = "INSERT INTO segue.lease (scope, owner, epoch, until_ms)
    VALUES ($1, NULL, 0, 0) ON CONFLICT (scope) DO NOTHING";
/// Locked until the transaction ends. The clock is read after the lock was got, which may have taken a while:
/// a query with a lock in it is carried out on its own, before what is around it.
pub(super) const LOCK_LEASE: &str = "WITH held AS MATERIALIZED (
        SELECT owner, epoch, until_ms FROM segue.lease WHERE scope = $1 FOR UPDATE)
    SELECT owner, epoch, until_ms,
        floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
    FROM (SELECT count(*) FROM held) AS one LEFT JOIN held ON true";
pub(super) const PUT_LEASE: &str =
    "UPDATE segue.lease SET owner = $2, epoch = $3, until_ms = $4 WHERE scope = $1";

pub(super) const HEAD: &str = "SELECT seq, hash FROM segue.stream WHERE name = $1";
pub(super) const PUT_HEAD: &str = "INSERT INTO segue.stream (name, seq, hash) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash";
pub(super) const PUT_RECORDS: &str = "INSERT INTO segue.record (stream, seq, hash, text)
    SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[])";
/// One statement sees one moment: the head is as old as the records. No more of them once those before have $4 bytes.
pub(super) const PAGE: &str = "SELECT stream.seq AS head_seq, stream.hash AS head_hash,
        record.seq, record.hash, record.text
    FROM segue.stream LEFT JOIN LATERAL (
        SELECT record.seq, record.hash, record.text FROM (
            SELECT seq, sum(bytes) OVER (ORDER BY seq) - bytes AS before FROM (
                SELECT seq, octet_length(text) AS bytes FROM segue.record
                WHERE record.stream = stream.name AND record.seq >= $2 ORDER BY seq LIMIT $3) AS sized) AS page
        JOIN segue.record ON record.stream = stream.name AND record.seq = page.seq
        WHERE before < $4) AS record ON true
    WHERE stream.name = $1 ORDER BY record.seq";
pub(super) const STREAMS: &str = "SELECT name, seq FROM segue.stream
    WHERE starts_with(name, $1) ORDER BY name LIMIT $2";
/// What the texts at the ends of streams begin with. As many look-ups as there are ends, and never the whole table.
pub(super) const NEWEST: &str = r#"SELECT name, (
        SELECT substring(left(record.text, 32) from '^\{"schema":([0-9]{1,9})')::bigint FROM segue.record
        WHERE record.stream = stream.name AND record.seq = place.seq) AS schema
    FROM segue.stream CROSS JOIN LATERAL (VALUES (1::bigint), (stream.seq)) AS place (seq)
    ORDER BY schema DESC NULLS LAST, name LIMIT 1"#;

/// In the order of the list, which is the order of their numbers.
pub(super) const PUT_OUTBOX: &str = "INSERT INTO segue.outbox (channel, key, body, due_ms)
    SELECT channel, key, body, due_ms
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY
        AS item (channel, key, body, due_ms, place)
    ORDER BY place ON CONFLICT (key) DO NOTHING";
pub(super) const CLAIM: &str = "UPDATE segue.outbox SET due_ms = $2, tries = tries + 1
    WHERE id IN (SELECT id FROM segue.outbox WHERE ended = '' AND due_ms <= $1 ORDER BY id LIMIT $3)
    RETURNING id, channel, key, body, tries";
pub(super) const SETTLE_END: &str = "UPDATE segue.outbox SET ended = $2 WHERE id = $1 AND ended = ''";
pub(super) const SETTLE_AGAIN: &str = "UPDATE segue.outbox SET due_ms = $2 WHERE id = $1 AND ended = ''";

/// What makes each layout out of the one before; the place in the list, from 1, is the layout's number.
pub(super) const MIGRATIONS: [&str; 1] = [r#"CREATE TABLE segue.meta (
        name text COLLATE "C" PRIMARY KEY,
        value bigint NOT NULL
    );
    CREATE TABLE segue.lease (
        scope text COLLATE "C" PRIMARY KEY,
        owner text COLLATE "C",
        epoch bigint NOT NULL CHECK (epoch >= 0),
        until_ms bigint NOT NULL
    );
    CREATE TABLE segue.stream (
        name text COLLATE "C" PRIMARY KEY,
        seq bigint NOT NULL CHECK (seq > 0),
        hash text NOT NULL CHECK (length(hash) = 64)
    );
    CREATE TABLE segue.record (
        stream text COLLATE "C" NOT NULL REFERENCES segue.stream (name),
        seq bigint NOT NULL CHECK (seq > 0),
        hash text NOT NULL CHECK (length(hash) = 64),
        text text NOT NULL,
        PRIMARY KEY (stream, seq)
    );
    CREATE TABLE segue.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        channel text NOT NULL,
        key text COLLATE "C" NOT NULL UNIQUE,
        body text NOT NULL,
        due_ms bigint NOT NULL,
        tries integer NOT NULL DEFAULT 0,
        ended text NOT NULL DEFAULT ''
    );
    CREATE INDEX outbox_due ON segue.outbox (id, due_ms) WHERE ended = '';"#];
