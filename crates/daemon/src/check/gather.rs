//! Asking everybody at once, each within its time. Nothing here judges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use segue_domain::app::{AppStatus, BoardCount};
use segue_domain::event::Vital;
use segue_domain::ids::{ForwardArn, GroupArn, InstanceId, SubnetId};
use segue_domain::instance::{Image, Instance, InstanceState};
use segue_domain::reading::{Reading, Why};
use segue_domain::service::Service;
use segue_domain::stranger::Stranger;
use segue_domain::target::{Targets, Weights, staying};
use segue_engine::ports::{
    Answer, BoardMetrics, Boards, CallError, Cloud, Described, ImageQuery, LoadBalancer, Permissions,
    Question, Target,
};

/// One answer. Looking for credentials where there are none takes the SDK some seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// One listing of all servers: thousands come in many pages, one after the other.
const LISTED_WITHIN: Duration = Duration::from_secs(30);
/// Scrapes are at least so close together where a sandbox is.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(2);
/// Calls of one kind that are under way at one time.
const AT_ONCE: usize = 8;
/// No server is called so: whoever is asked about it answers, and knows nobody.
const NOBODY: &str = "i-00000000000000000";

/// Who is asked, about what.
pub(super) struct Asked<'a> {
    pub(super) service: &'a Service,
    pub(super) images: &'a ImageQuery,
    pub(super) permissions: Arc<dyn Permissions>,
    pub(super) cloud: Arc<dyn Cloud>,
    pub(super) balancer: Arc<dyn LoadBalancer>,
    pub(super) metrics: Arc<dyn BoardMetrics>,
    pub(super) boards: Arc<dyn Boards>,
}

/// What an answer about a permission was.
pub(super) type Said = Result<Answer, CallError>;

/// Who is registered where; a group that could not be read has its error.
pub(super) type AllTargets = BTreeMap<GroupArn, Result<Targets, CallError>>;

/// The shares at each load balancer; a forward that could not be read has its error.
pub(super) type AllWeights = BTreeMap<ForwardArn, Result<Weights, CallError>>;

/// The first question to each of the two, which shows what AWS thinks of the credentials.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) ec2: Said,
    pub(super) elb: Said,
}

/// What everybody said.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) access: Access,
    /// Not asked where AWS does not take the credentials.
    pub(super) aws: Option<Aws>,
    /// What the metrics system says of nobody.
    pub(super) nobody: BoardCount,
    pub(super) boards: BTreeMap<InstanceId, BoardCount>,
    pub(super) vitals: BTreeMap<InstanceId, Reading<Vital>>,
    pub(super) apps: BTreeMap<InstanceId, Result<AppStatus, CallError>>,
}

/// What AWS said.
#[derive(Debug, Clone)]
pub(super) struct Aws {
    pub(super) permissions: Vec<(Question, Said)>,
    pub(super) template: Result<bool, CallError>,
    pub(super) images: Result<Vec<Image>, CallError>,
    pub(super) instances: Result<BTreeMap<InstanceId, Instance>, CallError>,
    pub(super) addresses: Result<BTreeMap<SubnetId, u64>, CallError>,
    pub(super) weights: AllWeights,
    pub(super) targets: AllTargets,
    /// Everybody registered in a colour or canary group and not on the way out, whoever launched them, as far as
    /// the groups could be read.
    pub(super) registered: BTreeSet<InstanceId>,
    /// As EC2 describes them, as far as it lists them.
    pub(super) described: Result<BTreeMap<InstanceId, Stranger>, CallError>,
}

impl Aws {
    /// Who runs, as far as EC2 could be read.
    pub(super) fn running(&self) -> BTreeMap<&InstanceId, &Instance> {
        let all = self.instances.iter().flatten();
        all.filter(|(_, instance)| instance.state == InstanceState::Running).collect()
    }
}

pub(super) async fn gather(asked: &Asked<'_>) -> Found {
    let (access, nobody) =
        tokio::join!(access(asked.service, asked.permissions.as_ref()), count_nobody(asked.metrics.as_ref()));
    let mut found = Found {
        access,
        aws: None,
        nobody,
        boards: BTreeMap::new(),
        vitals: BTreeMap::new(),
        apps: BTreeMap::new(),
    };
    if is_taken(&found.access.ec2) || is_taken(&found.access.elb) {
        let aws = aws(asked, keeps_dry_runs(&found.access.ec2)).await;
        let running: BTreeSet<InstanceId> = aws.running().into_keys().cloned().collect();
        let (counted, apps) =
            tokio::join!(counted(asked.metrics.as_ref(), &running), apps(asked.boards.as_ref(), &aws));
        (found.boards, found.vitals) = counted;
        found.apps = apps;
        found.aws = Some(aws);
    }
    found
}

/// Asks each of the two who it thinks asks. Both questions change nothing.
pub(super) async fn access(service: &Service, permissions: &dyn Permissions) -> Access {
    let describe = Question::Describe(Described::Instances);
    let forward = Question::Forward(service.routing.first.forward.clone());
    let (ec2, elb) = tokio::join!(ask(permissions, &describe), ask(permissions, &forward));
    Access { ec2, elb }
}

type Counted = (BTreeMap<InstanceId, BoardCount>, BTreeMap<InstanceId, Reading<Vital>>);

/// A server that has just begun is in Prometheus a scrape later: what is not counted yet is looked at once more.
async fn counted(metrics: &dyn BoardMetrics, running: &BTreeSet<InstanceId>) -> Counted {
    let (boards, vitals) = tokio::join!(metrics.boards(running), metrics.vitals(running));
    let whys = boards.values().map(Reading::why).chain(vitals.values().map(Reading::why));
    if !whys.flatten().any(|why| matches!(why, Why::Missing | Why::Stale { .. })) {
        return (boards, vitals);
    }
    tokio::time::sleep(SECOND_LOOK_AFTER).await;
    tokio::join!(metrics.boards(running), metrics.vitals(running))
}

/// AWS knows who asked.
fn is_taken(said: &Said) -> bool {
    match said {
        Ok(Answer::Allowed | Answer::Denied(_) | Answer::Unsaid(_)) => true,
        Ok(Answer::NotTaken(_) | Answer::ElsewhereOnly(_) | Answer::NoCredentials(_) | Answer::Real(_))
        | Err(_) => false,
    }
}

/// Whether what would change something may be asked about at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DryRuns {
    /// The first question was answered as a dry run is.
    Kept,
    /// It was not: who does what it is only asked about would stop a server that people are on.
    Doubtful,
}

fn keeps_dry_runs(ec2: &Said) -> DryRuns {
    match ec2 {
        Ok(Answer::Allowed | Answer::Denied(_)) => DryRuns::Kept,
        Ok(
            Answer::Unsaid(_)
            | Answer::NotTaken(_)
            | Answer::ElsewhereOnly(_)
            | Answer::NoCredentials(_)
            | Answer::Real(_),
        )
        | Err(_) => DryRuns::Doubtful,
    }
}

async fn ask(permissions: &dyn Permissions, question: &Question) -> Said {
    in_time(question.call(), permissions.ask(question)).await
}

async fn in_time<T>(what: &str, answer: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    within(ANSWER_WITHIN, what, answer).await
}

async fn within<T>(
    limit: Duration,
    what: &str,
    answer: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let late =
        |_elapsed| Err(CallError::unknown(format!("{what} gave no answer within {} s", limit.as_secs())));
    tokio::time::timeout(limit, answer).await.unwrap_or_else(late)
}

async fn count_nobody(metrics: &dyn BoardMetrics) -> BoardCount {
    let nobody = InstanceId::new(NOBODY);
    let counts = metrics.boards(&BTreeSet::from([nobody.clone()])).await;
    let missing = Reading::Unknown(Why::NotAsked);
    counts.get(&nobody).cloned().unwrap_or(missing)
}

async fn aws(asked: &Asked<'_>, dry_runs: DryRuns) -> Aws {
    let (service, cloud) = (asked.service, asked.cloud.as_ref());
    let (template, images, instances, addresses, weights, targets) = tokio::join!(
        in_time("DescribeLaunchTemplates", cloud.template_exists(&service.launch.template)),
        in_time("DescribeImages", cloud.images(asked.images)),
        within(LISTED_WITHIN, "DescribeInstances", cloud.instances(&service.name)),
        in_time("DescribeSubnets", cloud.free_addresses(&service.launch.subnets)),
        weights(asked),
        targets(asked),
    );
    let registered = registered(service, &targets);
    let described = within(LISTED_WITHIN, "DescribeInstances", cloud.strangers(&registered)).await;
    let (reads, changes): (Vec<_>, Vec<_>) =
        questions(service, images.as_deref().unwrap_or_default(), &instances, &described)
            .into_iter()
            .partition(Question::only_reads);
    // Made before they are polled, because a closure inside the stream would have to be as general as it.
    let asking: Vec<_> = reads
        .into_iter()
        .map(|question| async move {
            let said = ask(asked.permissions.as_ref(), &question).await;
            (question, said)
        })
        .collect();
    let mut permissions: Vec<_> = futures_util::stream::iter(asking).buffered(AT_ONCE).collect().await;
    let was_real = permissions.iter().any(|(_, said)| is_real(said));
    let dry_runs = if was_real { DryRuns::Doubtful } else { dry_runs };
    permissions.extend(may_change(asked, changes, dry_runs).await);
    Aws { permissions, template, images, instances, addresses, weights, targets, registered, described }
}

/// Who is registered in a colour or canary group, and not on the way out.
fn registered(service: &Service, targets: &AllTargets) -> BTreeSet<InstanceId> {
    let read = service.routing.forwarded().filter_map(|group| targets.get(group)?.as_ref().ok());
    read.flat_map(staying).cloned().collect()
}

/// One at a time: after one that was answered for real no other is asked.
async fn may_change(
    asked: &Asked<'_>,
    questions: Vec<Question>,
    mut dry_runs: DryRuns,
) -> Vec<(Question, Said)> {
    let mut permissions = Vec::new();
    for question in questions {
        let said = match dry_runs {
            DryRuns::Kept => ask(asked.permissions.as_ref(), &question).await,
            DryRuns::Doubtful => Err(CallError::refused(format!(
                "{} was not asked about: EC2 did not answer an earlier question as a dry run is answered",
                question.call()
            ))),
        };
        if is_real(&said) {
            dry_runs = DryRuns::Doubtful;
        }
        permissions.push((question, said));
    }
    permissions
}

/// An answer that no dry run has: the call may have been made.
fn is_real(said: &Said) -> bool {
    matches!(said, Ok(Answer::Real(_)))
}

/// The first type in every subnet, and every other type in one of them: what is forbidden is a subnet or a type.
fn launches(service: &Service, image: &Image) -> impl Iterator<Item = Question> {
    let launch = &service.launch;
    let first = launch.types.first();
    let zones = launch.subnets.iter().map(move |subnet| (subnet, first));
    let types = launch.types.iter().skip(1).map(Some);
    let types =
        launch.subnets.first().into_iter().flat_map(move |it| types.clone().map(move |kind| (it, kind)));
    zones.chain(types).map(|(subnet, kind)| Question::Launch {
        template: launch.template.clone(),
        image: image.id.clone(),
        subnet: subnet.clone(),
        instance_type: kind.cloned(),
    })
}

/// What a release does, asked about the things that it would do it to, as far as there are any.
fn questions(
    service: &Service,
    images: &[Image],
    instances: &Result<BTreeMap<InstanceId, Instance>, CallError>,
    registered: &Result<BTreeMap<InstanceId, Stranger>, CallError>,
) -> Vec<Question> {
    let described = [Described::Images, Described::Instances, Described::Templates, Described::Subnets];
    let mut questions: Vec<Question> = described.map(Question::Describe).into();
    if let Some(image) = images.first() {
        questions.extend(launches(service, image));
    }
    let running = instances.iter().flatten().find(|(_, instance)| instance.state == InstanceState::Running);
    if let Some((id, _)) = running {
        questions.extend([
            Question::Start(id.clone()),
            Question::Stop(id.clone()),
            Question::Terminate(id.clone()),
            Question::Tag(id.clone()),
        ]);
    } else {
        // Adopting comes next, and takes no more than this. What is another's is not even asked about.
        let mut nobodys = registered.iter().flatten();
        let nobodys = nobodys.find(|(_, it)| it.service().is_none() && it.scaling_group().is_none());
        questions.extend(nobodys.map(|(id, _)| Question::Tag(id.clone())));
    }
    for balancer in service.routing.balancers() {
        let [first, _] = &balancer.colours;
        questions.push(Question::Forward(balancer.forward.clone()));
        questions.push(Question::Targets(first.clone()));
    }
    questions
}

async fn weights(asked: &Asked<'_>) -> AllWeights {
    let forwards: Vec<ForwardArn> =
        asked.service.routing.balancers().map(|balancer| balancer.forward.clone()).collect();
    let asking: Vec<_> = forwards
        .into_iter()
        .map(|forward| async move {
            let weights = in_time("the forward", asked.balancer.weights(&forward)).await;
            (forward, weights)
        })
        .collect();
    futures_util::stream::iter(asking).buffer_unordered(AT_ONCE).collect().await
}

async fn targets(asked: &Asked<'_>) -> AllTargets {
    let routing = &asked.service.routing;
    let groups = routing.forwarded().chain(routing.slot_groups());
    let asking: Vec<_> = groups
        .map(|group| async move {
            (group.clone(), in_time("DescribeTargetHealth", asked.balancer.targets(group)).await)
        })
        .collect();
    futures_util::stream::iter(asking).buffer_unordered(AT_ONCE).collect().await
}

async fn apps(boards: &dyn Boards, aws: &Aws) -> BTreeMap<InstanceId, Result<AppStatus, CallError>> {
    let asking: Vec<_> = aws
        .running()
        .into_iter()
        .map(|(id, instance)| async move {
            let Some(address) = instance.address.clone() else {
                return (id.clone(), Err(CallError::unknown("EC2 tells no address of it")));
            };
            // A reading needs no generation.
            let target = Target { instance: id.clone(), address, generation: 0 };
            (id.clone(), in_time("status", boards.status(&target)).await)
        })
        .collect();
    futures_util::stream::iter(asking).buffer_unordered(AT_ONCE).collect().await
}
