//! `RunInstances`: what a call and its template ask for, idempotency, and the launch itself.
//!
//! Sources: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>,
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>. A token whose launch has an
//! instance that is terminated is refused for ever; tokens are never forgotten (AWS keeps them at least a day).

use std::time::Duration;

use super::at::At;
use super::capacity::Wanted;
use super::cloud::Cloud;
use super::image::Tags;
use super::instance::{Instance, InstanceState, Phase, Protection};
use super::lag::Sight;
use super::refusal::Ec2Refusal;
use super::tagging::check_tags;
use super::template::{TemplateData, TemplateName, VersionSpec};
use crate::names::{ClientToken, ImageId, InstanceId, ReservationId, SubnetId};

/// The longest token, in characters.
const TOKEN_MAX: usize = 64;
/// The largest user data, in bytes before base64.
const USER_DATA_MAX: usize = 16 * 1024;

/// What one call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaunchRequest {
    pub(crate) template: Option<TemplateChoice>,
    pub(crate) image: Option<ImageId>,
    pub(crate) instance_type: Option<String>,
    pub(crate) subnet: Option<SubnetId>,
    pub(crate) user_data: Option<Vec<u8>>,
    /// Tags for instances; they win over the template's.
    pub(crate) tags: Tags,
    pub(crate) protection: Protection,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) token: Option<ClientToken>,
}

/// A template and a version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateChoice {
    pub(crate) name: TemplateName,
    pub(crate) version: VersionSpec,
}

/// What a token stood for the first time.
#[derive(Debug)]
pub(crate) struct Remembered {
    request: LaunchRequest,
    reservation: ReservationId,
    instances: Vec<InstanceId>,
}

/// The answer to a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launched {
    pub(crate) reservation: ReservationId,
    pub(crate) instances: Vec<InstanceId>,
}

/// A request with its template applied, checked against what exists.
#[derive(Debug)]
pub(super) struct Resolved {
    image: ImageId,
    pub(super) instance_type: String,
    pub(super) subnet: SubnetId,
    user_data: Vec<u8>,
    tags: Tags,
    count: u32,
}

/// What a launch comes to.
#[derive(Debug)]
pub(super) enum Plan {
    /// Its token was used before: the same answer again.
    Again(Launched),
    New(Resolved),
}

impl Cloud {
    /// What a launch would do, without doing it.
    pub(super) fn plan(&self, request: &LaunchRequest) -> Result<Plan, Ec2Refusal> {
        match request.token.as_ref().and_then(|token| self.tokens.get(token)) {
            Some(known) => self.again(known, request).map(Plan::Again),
            None => self.resolve(request).map(Plan::New),
        }
    }

    /// Launches what was planned. The instances run after `boot`.
    pub(super) fn launch(
        &mut self,
        request: LaunchRequest,
        resolved: &Resolved,
        boot: Duration,
        now: At,
    ) -> Launched {
        let reservation = ReservationId::from(self.fresh_id("r"));
        let mut instances = Vec::new();
        for index in 0..resolved.count {
            let phase = Phase::Pending { running_at: now.plus(boot) };
            instances.extend(self.launch_one(resolved, &request, &reservation, index, now, phase));
        }
        if let Some(token) = request.token.clone() {
            let known =
                Remembered { request, reservation: reservation.clone(), instances: instances.clone() };
            self.tokens.insert(token, known);
        }
        Launched { reservation, instances }
    }

    /// One of the launches of the newest image that had a token, without it, as soon as so many instances of it are
    /// there.
    pub(super) fn forgotten(&self, there: usize) -> Option<LaunchRequest> {
        let newest = self.images.values().max_by_key(|image| image.created_at)?;
        if self.instances.values().filter(|it| it.image == newest.id).count() < there {
            return None;
        }
        let is_newest = |id: &InstanceId| self.instance(id).is_some_and(|it| it.image == newest.id);
        let known = self.tokens.values().find(|known| known.instances.iter().any(is_newest))?;
        Some(LaunchRequest { token: None, min: 1, max: 1, ..known.request.clone() })
    }

    /// Whether a launch would be done, without doing it.
    pub(crate) fn launch_dry(&self, request: &LaunchRequest) -> Ec2Refusal {
        self.resolve(request).err().unwrap_or(Ec2Refusal::DryRun)
    }

    fn again(&self, known: &Remembered, request: &LaunchRequest) -> Result<Launched, Ec2Refusal> {
        if known.request != *request {
            return Err(Ec2Refusal::IdempotentParameterMismatch);
        }
        let lives = |id: &InstanceId| {
            self.instance(id).is_some_and(|i| {
                !matches!(i.state(), InstanceState::ShuttingDown | InstanceState::Terminated)
            })
        };
        if !known.instances.iter().all(lives) {
            return Err(Ec2Refusal::IdempotentInstanceTerminated);
        }
        let (reservation, instances) = (known.reservation.clone(), known.instances.clone());
        Ok(Launched { reservation, instances })
    }

    fn resolve(&self, request: &LaunchRequest) -> Result<Resolved, Ec2Refusal> {
        check_request(request)?;
        let data = match &request.template {
            Some(choice) => self.template(&choice.name)?.version(choice.version)?.1.clone(),
            None => TemplateData::default(),
        };
        let image = request.image.clone().or(data.image);
        let image = image.ok_or_else(|| Ec2Refusal::MissingParameter("ImageId".to_owned()))?;
        if !image.as_str().starts_with("ami-") {
            return Err(Ec2Refusal::ImageMalformed(image.to_string()));
        }
        if !self.images.contains_key(&image) {
            return Err(Ec2Refusal::ImageNotFound(image));
        }
        let mut tags = data.instance_tags;
        tags.extend(request.tags.clone());
        check_tags(&tags)?;
        let user_data = request.user_data.clone().or(data.user_data).unwrap_or_default();
        if user_data.len() > USER_DATA_MAX {
            let text = "User data is limited to 16384 bytes";
            return Err(Ec2Refusal::InvalidParameterValue(text.to_owned()));
        }
        let subnet = self.choose_subnet(request.subnet.clone().or(data.subnet))?;
        let instance_type = request.instance_type.clone().or(data.instance_type);
        let instance_type = instance_type.unwrap_or_else(|| "m1.small".to_owned());
        let (min, max) = (request.min, request.max);
        let wanted = Wanted { min, max, subnet: &subnet, instance_type: &instance_type };
        let count = self.room_to_launch(wanted)?;
        Ok(Resolved { image, instance_type, subnet, user_data, tags, count })
    }

    /// The subnet asked for, or the default one with the most free addresses.
    fn choose_subnet(&self, asked: Option<SubnetId>) -> Result<SubnetId, Ec2Refusal> {
        match asked {
            Some(id) if self.subnets.contains_key(&id) => Ok(id),
            Some(id) => Err(Ec2Refusal::SubnetNotFound(id)),
            None => {
                let roomiest = self.subnets.values().max_by_key(|subnet| subnet.free_addresses());
                let id = roomiest.map(|subnet| subnet.id.clone());
                id.ok_or_else(|| Ec2Refusal::MissingParameter("SubnetId".to_owned()))
            }
        }
    }

    fn launch_one(
        &mut self,
        resolved: &Resolved,
        request: &LaunchRequest,
        reservation: &ReservationId,
        launch_index: u32,
        now: At,
        phase: Phase,
    ) -> Option<InstanceId> {
        let id = InstanceId::from(self.fresh_id("i"));
        let subnet = self.subnets.get_mut(&resolved.subnet)?;
        let address = subnet.take()?;
        let zone = subnet.zone.clone();
        let seq = self.next_seq;
        self.next_seq = self.next_seq.saturating_add(1);
        let instance = Instance {
            id: id.clone(),
            seq,
            reservation: reservation.clone(),
            launch_index,
            image: resolved.image.clone(),
            instance_type: resolved.instance_type.clone(),
            subnet: resolved.subnet.clone(),
            zone,
            address,
            tags: resolved.tags.clone(),
            user_data: resolved.user_data.clone(),
            client_token: request.token.clone(),
            launched_at: now,
            phase,
            sight: Sight::after(self.lags.launch, now),
            protection: request.protection,
            reason: None,
            run: 0,
        };
        self.by_id.insert(id.clone(), seq);
        self.instances.insert(seq, instance);
        Some(id)
    }
}

fn check_request(request: &LaunchRequest) -> Result<(), Ec2Refusal> {
    let bad = |text: String| Err(Ec2Refusal::InvalidParameterValue(text));
    if request.min == 0 {
        return bad("Minimum instance count must be greater than zero".to_owned());
    }
    if request.max < request.min {
        return bad(format!(
            "Maximum instance count ({}) must not be less than minimum instance count ({})",
            request.max, request.min
        ));
    }
    match &request.token {
        Some(token) if token.as_str().len() > TOKEN_MAX || !token.as_str().is_ascii() => bad(format!(
            "Value ({token}) for parameter clientToken is invalid. Token exceeds 64 ASCII characters."
        )),
        Some(_) | None => Ok(()),
    }
}
