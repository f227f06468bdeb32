//! Starting, stopping and terminating by id.
//!
//! All three are idempotent by nature: one that is already where it should be is success. An id that EC2 does
//! not find is never taken for one that is gone: EC2 says the same of an instance that it has just launched
//! and not yet made known everywhere. One that is really gone leaves the next listing, and nobody asks again.
//! Source: EC2 API error codes, InvalidInstanceID.NotFound; EC2 API, eventual consistency.

use std::collections::BTreeSet;

use segue_domain::ids::InstanceId;
use segue_engine::ports::{CallError, Class};

use crate::ec2::Ec2;
use crate::errors::Failure;

/// Ids in one call. EC2 takes 1,000 and advises fewer: one bad id fails the whole call.
pub(crate) const IDS_AT_ONCE: usize = 100;

/// What EC2 says when one of the instances is protected: `disableApiTermination`, `disableApiStop`.
const PROTECTED: &str = "OperationNotPermitted";

pub(crate) async fn start(ec2: &Ec2, instances: &[InstanceId]) -> Result<(), CallError> {
    let mut batches = Batches::of(instances);
    while let Some(ids) = batches.take() {
        let starting = ec2.client.start_instances().set_instance_ids(Some(ids));
        let result = ec2.calls.change("StartInstances", starting.send()).await;
        batches.end(result.map(drop))?;
    }
    batches.close()
}

/// An instance that is protected against it keeps no other from being stopped.
pub(crate) async fn stop(ec2: &Ec2, instances: &[InstanceId]) -> Result<(), CallError> {
    let mut batches = Batches::of(instances);
    while let Some(ids) = batches.take() {
        let stopping = ec2.client.stop_instances().set_instance_ids(Some(ids));
        let result = ec2.calls.change("StopInstances", stopping.send()).await;
        batches.end_each(result.map(drop), PROTECTED)?;
    }
    batches.close()
}

/// A protected instance keeps those of its own zone alive and lets the others go, so a refusal for several may
/// have happened in part, and says nothing of any one. Source: EC2 API, TerminateInstances.
pub(crate) async fn terminate(ec2: &Ec2, instances: &[InstanceId]) -> Result<(), CallError> {
    let mut batches = Batches::of(instances);
    while let Some(ids) = batches.take() {
        let terminating = ec2.client.terminate_instances().set_instance_ids(Some(ids));
        let result = ec2.calls.change("TerminateInstances", terminating.send()).await;
        batches.end_each(result.map(drop), PROTECTED)?;
    }
    batches.close()
}

/// Ids cut into batches, which remembers whether one of them went through.
#[derive(Debug)]
pub(crate) struct Batches {
    left: Vec<Vec<String>>,
    under_way: Vec<String>,
    some_done: Done,
    /// The refusal of one that keeps nobody else.
    refused: Option<Failure>,
}

#[derive(Debug, Clone, Copy)]
enum Done {
    None,
    Some,
}

impl Batches {
    /// Each id once, in order: AWS refuses doubles.
    pub(crate) fn of(instances: &[InstanceId]) -> Self {
        let ids: BTreeSet<String> = instances.iter().map(ToString::to_string).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        // Taken from the end.
        let left = ids.chunks(IDS_AT_ONCE).rev().map(<[String]>::to_vec).collect();
        Self { left, under_way: Vec::new(), some_done: Done::None, refused: None }
    }

    pub(crate) fn take(&mut self) -> Option<Vec<String>> {
        self.under_way = self.left.pop()?;
        Some(self.under_way.clone())
    }

    /// The same where a refusal with this code is about one of them alone: halves of the batch are tried, and halves of
    /// those, until it stands alone. It is told when all others had their turn.
    fn end_each(&mut self, result: Result<(), Failure>, of_one: &str) -> Result<(), CallError> {
        match result {
            Err(failure) if failure.is(of_one) => {
                let ids = std::mem::take(&mut self.under_way);
                match ids.split_at(ids.len() / 2) {
                    ([], _) => self.refused = self.refused.take().or(Some(failure)),
                    (first, second) => self.left.extend([second.to_vec(), first.to_vec()]),
                }
                Ok(())
            }
            other => self.end(other),
        }
    }

    /// When none is left.
    pub(crate) fn close(mut self) -> Result<(), CallError> {
        let refused = self.refused.take();
        self.end(refused.map_or(Ok(()), Err))
    }

    /// How the last batch ended. Once one went through, a refusal of another is no longer "left nothing behind";
    /// what may be repeated still may, because every one of these calls is idempotent.
    pub(crate) fn end(&mut self, result: Result<(), Failure>) -> Result<(), CallError> {
        let Err(failure) = result else {
            self.some_done = Done::Some;
            return Ok(());
        };
        let class = match (self.some_done, failure.class) {
            (Done::Some, Class::Refused) => Class::Unknown,
            (Done::None | Done::Some, class) => class,
        };
        Err(Failure { class, ..failure }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::{Stub, answer, refusal};

    fn ids(count: usize) -> Vec<InstanceId> {
        (0..count).map(|n| InstanceId::new(format!("i-{n:04}"))).collect()
    }

    #[tokio::test]
    async fn ids_go_in_batches_of_a_hundred() {
        let stub = Stub::start(std::iter::repeat_n((200, answer("TerminateInstances", "")), 3)).await;
        stub.cloud().await.terminate(&ids(201)).await.expect("terminated");
        let asked = stub.asked();
        assert_eq!(asked.iter().map(|a| a.list("InstanceId").len()).collect::<Vec<_>>(), [100, 100, 1]);
        assert_eq!(asked[2].field("InstanceId.1"), Some("i-0200"));
    }

    #[tokio::test]
    async fn starting_and_stopping_name_each_instance_once() {
        let stub =
            Stub::start([(200, answer("StartInstances", "")), (200, answer("StopInstances", ""))]).await;
        let cloud = stub.cloud().await;
        let twice = [InstanceId::new("i-a"), InstanceId::new("i-b"), InstanceId::new("i-a")];
        cloud.start(&twice).await.expect("started");
        cloud.stop(&twice).await.expect("stopped");
        let asked = stub.asked();
        assert_eq!(asked[0].field("Action"), Some("StartInstances"));
        assert_eq!(asked[1].field("Action"), Some("StopInstances"));
        for request in &asked {
            assert_eq!(request.list("InstanceId"), ["i-a", "i-b"]);
        }
    }

    #[tokio::test]
    async fn nothing_to_do_needs_no_call() {
        let stub = Stub::start([]).await;
        stub.cloud().await.terminate(&[]).await.expect("nothing asked");
        assert_eq!(stub.asked().len(), 0);
    }

    #[tokio::test]
    async fn an_id_that_is_not_found_is_not_taken_for_one_that_is_gone() {
        let stub = Stub::start([(400, refusal("InvalidInstanceID.NotFound"))]).await;
        let failed = stub.cloud().await.terminate(&ids(1)).await.expect_err("not found");
        assert_eq!(failed.class, Class::Retry);
    }

    #[tokio::test]
    async fn a_refusal_after_a_batch_that_went_through_leaves_something_behind() {
        let stub = Stub::start([
            (200, answer("StopInstances", "")),
            (403, refusal("UnauthorizedOperation")),
            (403, refusal("UnauthorizedOperation")),
        ])
        .await;
        let cloud = stub.cloud().await;
        assert_eq!(cloud.stop(&ids(150)).await.expect_err("half").class, Class::Unknown);
        assert_eq!(cloud.stop(&ids(50)).await.expect_err("none").class, Class::Refused);
    }

    #[tokio::test]
    async fn a_protected_instance_keeps_no_other_alive() {
        let (protected, done) =
            ((400, refusal("OperationNotPermitted")), (200, answer("TerminateInstances", "")));
        // The second of five is: all, the first two, the first, the second, the others.
        let answers = [&protected, &protected, &done, &protected, &done].map(Clone::clone);
        let stub = Stub::start(answers).await;
        let failed = stub.cloud().await.terminate(&ids(5)).await.expect_err("one is protected");
        assert_eq!(failed.class, Class::Unknown, "the others are gone");
        assert!(failed.what.contains("protected"), "{failed}");
        let asked = stub.asked();
        let named: Vec<_> = asked.iter().map(|asked| asked.list("InstanceId")).collect();
        assert_eq!(
            named[1..],
            [vec!["i-0000", "i-0001"], vec!["i-0000"], vec!["i-0001"], vec!["i-0002", "i-0003", "i-0004"]]
        );
    }

    #[tokio::test]
    async fn where_all_are_protected_nothing_was_done() {
        let stub = Stub::start(std::iter::repeat_n((400, refusal("OperationNotPermitted")), 4)).await;
        let cloud = stub.cloud().await;
        assert_eq!(cloud.stop(&ids(2)).await.expect_err("two").class, Class::Refused);
        assert_eq!(cloud.stop(&ids(1)).await.expect_err("one").class, Class::Refused);
    }
}
