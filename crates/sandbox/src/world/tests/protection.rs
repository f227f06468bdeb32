//! Termination protection, and whom it saves besides.

use super::*;

impl Story {
    /// One that runs, in the zone of a place.
    fn running_in(&mut self, place: usize) -> InstanceId {
        let mut request = self.request(&format!("p{}", self.now.ms()), 1);
        request.subnet = self.seeded.subnets.get(place).cloned();
        let now = self.now;
        let id = self.world().launch(request, now).expect("there is room").instances.remove(0);
        self.after_ms(300);
        id
    }
}

#[test]
fn a_protected_instance_saves_its_own_zone_and_the_rest_is_terminated() {
    let mut story = Story::begin();
    let (protected, neighbour, other) = (story.running_in(0), story.running_in(0), story.running_in(1));
    story.world().cloud.protect(&protected, Protection::On);
    let (ids, now) = ([neighbour.clone(), other.clone(), protected.clone()], story.now);
    let refused = story.world().change(Verb::Terminate, &ids, now);
    assert_eq!(refused, Err(Ec2Refusal::Protected { instance: protected.clone() }));
    assert_eq!(refused.expect_err("refused").code(), "OperationNotPermitted");
    let states = [&protected, &neighbour, &other].map(|id| story.state(id));
    assert_eq!(states, ["running", "running", "shutting-down"]);
    story.world().cloud.protect(&protected, Protection::Off);
    story.change(Verb::Terminate, &protected).expect("it is not protected any more");
}

#[test]
fn protection_is_from_termination_alone() {
    let mut story = Story::begin();
    let mut request = story.request("t", 1);
    request.protection = Protection::On;
    let now = story.now;
    let id = story.world().launch(request, now).expect("there is room").instances.remove(0);
    story.after_ms(300);
    story.change(Verb::Stop, &id).expect("it may be stopped");
    assert_eq!(
        story.world().change_dry(Verb::Terminate, std::slice::from_ref(&id)).code(),
        "OperationNotPermitted"
    );
}
