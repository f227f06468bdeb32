//! What the small world's credentials may do: everything, but what was denied them.

use std::sync::Arc;

use async_trait::async_trait;

use super::FakeWorld;
use super::state::State;
use crate::ports::{Answer, CallError, Permissions, Question};

impl FakeWorld {
    /// From now on this call is not among what the credentials may do. Only questions are answered so.
    pub fn deny(&self, call: &'static str) {
        self.now().denied.insert(call);
    }

    pub fn permissions(&self) -> Arc<dyn Permissions> {
        Arc::new(FakePermissions(self.clone()))
    }
}

/// Asked by nobody who releases, so it is no place at which a daemon dies.
struct FakePermissions(FakeWorld);

#[async_trait]
impl Permissions for FakePermissions {
    async fn ask(&self, question: &Question) -> Result<Answer, CallError> {
        Ok(self.0.now().permission(question))
    }
}

impl State {
    fn permission(&self, question: &Question) -> Answer {
        // A launch tags what it launches.
        let tagging = matches!(question, Question::Launch { .. }).then_some("CreateTags");
        let calls = std::iter::once(question.call()).chain(tagging);
        if let Some(call) = calls.into_iter().find(|call| self.denied.contains(call)) {
            return Answer::Denied(format!("UnauthorizedOperation: not authorized to perform: ec2:{call}"));
        }
        let missing = match question {
            Question::Describe(_) => None,
            Question::Launch { template, image, subnet } => {
                let knows_image = self.images.iter().any(|it| it.id == *image);
                let place = (!self.subnets.contains_key(subnet)).then(|| subnet.to_string());
                let template = (!self.templates.contains(template)).then(|| template.to_string());
                place.or(template).or((!knows_image).then(|| image.to_string()))
            }
            Question::Start(id) | Question::Stop(id) | Question::Terminate(id) | Question::Tag(id) => {
                (!self.machines.contains_key(id)).then(|| id.to_string())
            }
            Question::Forward(forward) => {
                (forward.as_str() != super::fixture::FORWARD).then(|| forward.to_string())
            }
            Question::Targets(group) => (!self.groups.contains_key(group)).then(|| group.to_string()),
        };
        missing.map_or(Answer::Allowed, |missing| Answer::Unsaid(format!("{missing} does not exist")))
    }
}
