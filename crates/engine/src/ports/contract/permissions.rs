//! What every [`Permissions`] must do.

use std::sync::Arc;

use segue_domain::ids::{ForwardArn, GroupArn, ImageId, InstanceId, ServiceName, SubnetId, TemplateId};

use crate::ports::{Answer, Cloud, Described, Permissions, Question};

/// Credentials that may do everything but `denied`, and a place to ask about.
#[derive(Debug, Clone)]
pub struct PermissionsFixture {
    pub service: ServiceName,
    /// What the credentials may not do, by the call's name.
    pub denied: &'static str,
    pub instance: InstanceId,
    pub template: TemplateId,
    pub image: ImageId,
    pub subnet: SubnetId,
    pub forward: ForwardArn,
    pub group: GroupArn,
}

/// Runs the whole suite. `cloud` looks at the same world: nothing may have changed in it.
pub async fn permissions(
    permissions: Arc<dyn Permissions>,
    cloud: Arc<dyn Cloud>,
    fixture: PermissionsFixture,
) {
    let before = cloud.instances(&fixture.service).await.expect("instances are listed");
    let id = || fixture.instance.clone();
    let launch = |subnet: &str| Question::Launch {
        template: fixture.template.clone(),
        image: fixture.image.clone(),
        subnet: SubnetId::new(subnet),
        instance_type: None,
    };
    let questions = [
        Question::Describe(Described::Images),
        Question::Describe(Described::Instances),
        Question::Describe(Described::Templates),
        Question::Describe(Described::Subnets),
        launch(fixture.subnet.as_str()),
        Question::Start(id()),
        Question::Stop(id()),
        Question::Terminate(id()),
        Question::Tag(id()),
        Question::Forward(fixture.forward.clone()),
        Question::Targets(fixture.group.clone()),
    ];
    for question in &questions {
        let answer = permissions.ask(question).await.expect("AWS answers");
        if is_denied(question, fixture.denied) {
            let Answer::Denied(why) = answer else { panic!("{question:?} is denied: {answer:?}") };
            assert!(why.contains(fixture.denied), "the reason names the action: {why}");
        } else {
            assert_eq!(answer, Answer::Allowed, "{question:?}");
        }
    }
    let nowhere = launch("subnet-0ffffffffffffffff");
    let answer = permissions.ask(&nowhere).await.expect("AWS answers");
    match is_denied(&nowhere, fixture.denied) {
        true => assert!(matches!(answer, Answer::Denied(_)), "what may not be done comes first: {answer:?}"),
        false => assert!(matches!(answer, Answer::Unsaid(_)), "a subnet that is not there: {answer:?}"),
    }
    assert_eq!(cloud.instances(&fixture.service).await.as_ref(), Ok(&before), "a question changed something");
}

/// A launch tags what it launches, and takes the permission for that too.
fn is_denied(question: &Question, denied: &str) -> bool {
    let tags = matches!(question, Question::Launch { .. });
    question.call() == denied || (tags && denied == "CreateTags")
}
