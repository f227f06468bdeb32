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

    /// From now on this call is made when a dry run of it is asked for, as by an endpoint that knows none.
    pub fn ignore_dry_run(&self, call: &'static str) {
        self.now().undried.insert(call);
    }

    /// What was asked, in order.
    pub fn questions(&self) -> Vec<&'static str> {
        self.now().questions.clone()
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
        let mut state = self.0.now();
        let call = question.call();
        state.questions.push(call);
        if state.undried.contains(call) {
            return Ok(Answer::Real(format!("{call} was asked as a dry run and answered for real")));
        }
        Ok(state.permission(question))
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
            Question::Launch { template, image, subnet, instance_type: _ } => {
                let knows_image = self.images.iter().any(|it| it.id == *image);
                let place = (!self.subnets.contains_key(subnet)).then(|| subnet.to_string());
                let template = (!self.templates.contains(template)).then(|| template.to_string());
                place.or(template).or((!knows_image).then(|| image.to_string()))
            }
            Question::Start(id) | Question::Stop(id) | Question::Terminate(id) | Question::Tag(id) => {
                (!self.machines.contains_key(id)).then(|| id.to_string())
            }
            Question::Forward(forward) => {
                let is_there = self.balancers.iter().any(|balancer| balancer.forward == *forward);
                (!is_there).then(|| forward.to_string())
            }
            Question::Targets(group) => (!self.groups.contains_key(group)).then(|| group.to_string()),
        };
        missing.map_or(Answer::Allowed, |missing| Answer::Unsaid(format!("{missing} does not exist")))
    }
}
