//! Appends: all or nothing, and only where the writer believes the stream to be.

use super::{Subject, event, filled, lease_of, message, one_record, only, part, seqs, stream};
use crate::append::{APPEND_MAX, Append, AppendError, Unwritable};
use crate::outbox::OUTBOX_MAX;
use crate::read::StreamEnd;
use crate::record::RECORD_BYTES_MAX;
use crate::samples;
use crate::stream::Stream;

pub async fn what_is_appended_reads_back(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let (release, service) = (samples::release_stream(), samples::service_stream());
    let mut services = part(&service, 0, []);
    services.records =
        samples::service_events().into_iter().map(|one| samples::new_record(one.into())).collect();
    let append = Append {
        streams: vec![part(&release, 0, samples::release_events()), services.clone()],
        outbox: Vec::new(),
    };
    let written = store.append(&lease, &append).await.expect("both streams are empty").records;
    let other = subject.store().await;
    let mut read = other.read(&release, 0).await.expect("the stream is whole");
    read.extend(other.read(&service, 0).await.expect("the stream is whole"));
    assert_eq!(read, written);
    let wanted = samples::release_events().into_iter().map(Into::into);
    let wanted: Vec<_> = wanted.chain(services.records.into_iter().map(|one| one.fact)).collect();
    assert_eq!(read.into_iter().map(|record| record.fact).collect::<Vec<_>>(), wanted);
}

pub async fn a_wrong_sequence_is_a_conflict_and_writes_nothing(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(1), 3).await;
    for wrong in [0, 2, 4] {
        let answer = store.append(&lease, &only(part(&stream(1), wrong, [event(9)]))).await;
        let Err(AppendError::Conflict { expected, found, .. }) = answer else {
            panic!("appended after {wrong}: {answer:?}");
        };
        assert_eq!((expected, found), (wrong, 3));
    }
    assert_eq!(seqs(&*store, &stream(1)).await, [1, 2, 3]);
}

pub async fn one_bad_stream_leaves_nothing_of_the_others(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(2), 1).await;
    let append = Append {
        streams: vec![part(&stream(1), 0, [event(1)]), part(&stream(2), 0, [event(2)])],
        outbox: vec![message("one")],
    };
    let answer = store.append(&lease, &append).await;
    assert!(matches!(answer, Err(AppendError::Conflict { stream, .. }) if stream == super::stream(2)));
    assert!(seqs(&*store, &stream(1)).await.is_empty());
    assert_eq!(seqs(&*store, &stream(2)).await, [1]);
    let claims = store.claim_outbox(&lease, OUTBOX_MAX, super::TTL).await.expect("the lease is held");
    assert_eq!(claims, []);
}

pub async fn a_stream_that_stands_twice_is_refused(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let twice = vec![part(&stream(1), 0, [event(1)]), part(&stream(1), 1, [event(2)])];
    let answer = store.append(&lease, &Append { streams: twice, outbox: Vec::new() }).await;
    assert!(matches!(answer, Err(AppendError::Unwritable(Unwritable::StreamTwice { .. }))));
    assert!(seqs(&*store, &stream(1)).await.is_empty());
}

pub async fn an_append_over_the_limit_is_refused(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let too_many = (0..).map(event).take(APPEND_MAX);
    let answer = store.append(&lease, &only(part(&stream(1), 0, too_many))).await;
    assert!(matches!(answer, Err(AppendError::Unwritable(Unwritable::TooMany { .. }))));
    assert!(seqs(&*store, &stream(1)).await.is_empty());
}

pub async fn a_part_without_records_only_guards(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(2), 1).await;
    let guarded = |expected_seq| Append {
        streams: vec![part(&stream(1), 0, [event(1)]), part(&stream(2), expected_seq, [])],
        outbox: Vec::new(),
    };
    let answer = store.append(&lease, &guarded(0)).await;
    assert!(matches!(answer, Err(AppendError::Conflict { found: 1, .. })));
    store.append(&lease, &guarded(1)).await.expect("the guarded stream is at 1");
    assert_eq!(seqs(&*store, &stream(2)).await, [1]);
}

pub async fn a_long_stream_reads_in_one_piece(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let mut written = filled(&*store, &lease, &stream(1), 700).await.records;
    let more = only(part(&stream(1), 700, (701..=1_300).map(event)));
    written.extend(store.append(&lease, &more).await.expect("the stream is at 700").records);
    for (after_seq, skipped) in
        [(0, 0), (1, 1), (99, 99), (100, 100), (101, 101), (1_300, 1_300), (2_000, 1_300)]
    {
        let read = store.read(&stream(1), after_seq).await.expect("the stream is whole");
        let wanted: Vec<_> = written.iter().skip(skipped).cloned().collect();
        assert_eq!(read, wanted, "after {after_seq}");
    }
}

pub async fn long_records_come_in_short_pages(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let mut written = Vec::new();
    for seq in 0..7 {
        let mut long = part(&stream(1), seq, [event(seq)]);
        for record in &mut long.records {
            record.reason = Some("ä".repeat(RECORD_BYTES_MAX / 2 - 1_000));
        }
        let answer = store.append(&lease, &only(long)).await.expect("a record may be as long");
        written.extend(answer.records);
    }
    for (after_seq, wanted) in [(0, 5), (1, 4), (3, 4), (4, 3), (7, 0)] {
        let page = store.page(&stream(1), after_seq).await.expect("the stream is whole");
        assert_eq!((page.records.len(), page.end_seq), (wanted, 7), "after {after_seq}");
    }
    assert_eq!(store.read(&stream(1), 0).await.expect("the stream is whole"), written);
}

pub async fn streams_are_listed_by_prefix(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(10), 2).await;
    filled(&*store, &lease, &stream(9), 1).await;
    let other = Stream::parse("release/canvas-1").expect("it is a stream");
    filled(&*store, &lease, &other, 1).await;
    let ends = [(&stream(10), 2), (&stream(9), 1), (&other, 1)];
    let ends = ends.map(|(stream, seq)| StreamEnd { stream: stream.clone(), seq });
    let found = store.streams(Stream::RELEASES).await.expect("there are few");
    assert_eq!(found, ends);
    let found = store.streams("release/boards-").await.expect("there are few");
    assert_eq!(Some(found.as_slice()), ends.get(..2));
    // No letter of a prefix is a wildcard.
    assert_eq!(store.streams("release/%").await.expect("there are none"), []);
}

pub async fn of_two_writers_one_gets_each_place(subject: &dyn Subject) {
    let (one, two) = (subject.store().await, subject.store().await);
    let lease = lease_of(&*one, "a").await;
    for seq in 0..20 {
        let (first, second) =
            (only(part(&stream(1), seq, [event(1)])), only(part(&stream(1), seq, [event(2)])));
        let answers = tokio::join!(one.append(&lease, &first), two.append(&lease, &second));
        let (winner, loser) = match answers {
            (Ok(winner), Err(loser)) | (Err(loser), Ok(winner)) => (winner, loser),
            (first, second) => panic!("both wrote, or none did: {first:?} {second:?}"),
        };
        assert!(matches!(loser, AppendError::Conflict { .. }), "{loser:?}");
        assert_eq!(two.read(&stream(1), seq).await.expect("the stream is whole"), winner.records);
    }
}

pub async fn one_that_is_given_up_half_way_blocks_nobody_and_is_there_or_not(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let append = one_record(0);
    for turns in 0..40 {
        let give_up = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = store.append(&lease, &append) => break,
            () = give_up => {}
        }
    }
    // By now the first record may have been written, whole; the writer is free in any case.
    let mut next = 1;
    match store.append(&lease, &append).await {
        Ok(_) => {}
        Err(AppendError::Conflict { found, .. }) => next = found,
        Err(error) => panic!("the writer was left in a state: {error:?}"),
    }
    assert_eq!(next, 1);
    store.append(&lease, &one_record(1)).await.expect("the stream is at 1");
    assert_eq!(seqs(&*store, &samples::release_stream()).await, [1, 2]);
}
