//! A sandbox whose instances are servers of this very process, and a client that speaks AWS by hand.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use segue_sandbox::{Launch, Ready, Runner, Running, Sandbox, SandboxConfig, Start, StartFailed};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::echo::Echo;
use crate::signer::Signer;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs instances as tasks. A test can end one from outside.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: Mutex<HashMap<String, Task>>,
}

/// One instance's program.
#[derive(Debug, Clone)]
struct Task {
    serving: AbortHandle,
    over: CancellationToken,
}

impl Tasks {
    /// Whether an instance's program was started.
    pub(crate) fn runs(&self, instance: &str) -> bool {
        self.running.lock().expect("no test panics here").contains_key(instance)
    }

    /// Nobody listens on the instance's address any more, but it runs.
    pub(crate) fn deafen(&self, instance: &str) {
        self.running.lock().expect("no test panics here")[instance].serving.abort();
    }

    /// Ends an instance's program, as a crash would.
    pub(crate) fn crash(&self, instance: &str) {
        self.running.lock().expect("no test panics here")[instance].clone().kill();
    }
}

#[async_trait]
impl Runner for Tasks {
    async fn start(&self, launch: Launch) -> Result<Box<dyn Running>, StartFailed> {
        if launch.command == ["missing"] {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(StartFailed { program: "missing".to_owned(), source });
        }
        let name = launch.instance.to_string();
        let over = CancellationToken::new();
        let failed = over.clone();
        let serving = tokio::spawn(async move {
            let served = Echo::new(launch.instance.as_str()).serve(launch.address).await;
            failed.cancel();
            served
        });
        let task = Task { serving: serving.abort_handle(), over };
        self.running.lock().expect("no test panics here").insert(name, task.clone());
        Ok(Box::new(task))
    }
}

#[async_trait]
impl Running for Task {
    fn pid(&self) -> Option<u32> {
        None
    }

    async fn ended(&mut self) -> String {
        self.over.cancelled().await;
        "over".to_owned()
    }

    fn ask_to_end(&mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        self.serving.abort();
        self.over.cancel();
    }
}

/// A sandbox under test.
pub(crate) struct Rig {
    pub(crate) ready: Ready,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) http: reqwest::Client,
    sandbox: Sandbox,
}

/// What the AWS endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) xml: String,
}

/// Fast times and a fleet of so many.
pub(crate) fn config(fleet: u16) -> SandboxConfig {
    let mut text = "[instances]\nboot_ms = 20\nstop_ms = 20\n[health]\ninterval_ms = 20\n\
                    [prometheus]\ninterval_ms = 20\n[load_balancer]\nidle_timeout_s = 30\n"
        .to_owned();
    if fleet > 0 {
        text.push_str(&format!("[fleet]\nversion = \"1\"\ncount = {fleet}\n"));
    }
    toml::from_str(&text).expect("a legal configuration")
}

impl Rig {
    pub(crate) async fn start(config: SandboxConfig) -> Self {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            let _already = rustls::crypto::ring::default_provider().install_default();
        });
        let tasks = Arc::new(Tasks::default());
        let runner: Arc<dyn Runner> = tasks.clone();
        let start = Start {
            listen: "127.0.0.1:0".parse().expect("an address"),
            config,
            handover_key: "key".to_owned(),
            data_dir: "/nowhere".into(),
            runner,
            store: None,
            now: jiff::Timestamp::now(),
        };
        let sandbox = Sandbox::start(start).await.expect("the sandbox starts");
        let ready = sandbox.ready().clone();
        Self { ready, tasks, http: reqwest::Client::new(), sandbox }
    }

    pub(crate) async fn end(self) {
        self.sandbox.shutdown().await;
    }

    pub(crate) async fn ec2(&self, form: &[(&str, &str)]) -> Answer {
        self.call("ec2", "2016-11-15", form).await
    }

    pub(crate) async fn elb(&self, form: &[(&str, &str)]) -> Answer {
        self.call("elasticloadbalancing", "2015-12-01", form).await
    }

    async fn call(&self, service: &str, version: &str, form: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("Version", version).extend_pairs(form);
        self.post(&Signer::of(&self.ready), service, &body.finish()).await
    }

    /// A form, signed as somebody.
    pub(crate) async fn post(&self, signer: &Signer, service: &str, form: &str) -> Answer {
        self.try_post(signer, service, form).await.expect("it answers")
    }

    /// The same, when there may be no answer.
    pub(crate) async fn try_post(
        &self,
        signer: &Signer,
        service: &str,
        form: &str,
    ) -> Result<Answer, reqwest::Error> {
        let sent = signer.post(&self.http, &self.ready.aws, service, form.to_owned()).send().await?;
        let status = sent.status().as_u16();
        Ok(Answer { status, xml: sent.text().await? })
    }

    /// Launches instances of an image of a version; their ids.
    pub(crate) async fn launch(&self, version: &str, count: &str) -> Vec<String> {
        let (image, subnet) = (self.ready.images[version].to_string(), self.ready.subnets[0].to_string());
        let template = self.ready.launch_template.to_string();
        let answer = self
            .ec2(&[
                ("Action", "RunInstances"),
                ("LaunchTemplate.LaunchTemplateId", &template),
                ("ImageId", &image),
                ("SubnetId", &subnet),
                ("MinCount", count),
                ("MaxCount", count),
            ])
            .await;
        assert_eq!(answer.status, 200, "{}", answer.xml);
        answer.all("instanceId")
    }

    pub(crate) async fn state_of(&self, id: &str) -> String {
        let answer = self.ec2(&[("Action", "DescribeInstances"), ("InstanceId.1", id)]).await;
        answer.one("name")
    }

    pub(crate) async fn until_state(&self, id: &str, state: &str) {
        until(state, || async { self.state_of(id).await == state }).await;
    }

    pub(crate) fn group(&self, name: &str) -> String {
        self.ready.target_groups[name].to_string()
    }

    pub(crate) async fn register(&self, group: &str, id: &str) -> Answer {
        let form = [("Action", "RegisterTargets"), ("TargetGroupArn", group), ("Targets.member.1.Id", id)];
        self.elb(&form).await
    }

    pub(crate) async fn health_of(&self, group: &str, id: &str) -> Answer {
        let form =
            [("Action", "DescribeTargetHealth"), ("TargetGroupArn", group), ("Targets.member.1.Id", id)];
        self.elb(&form).await
    }

    pub(crate) async fn until_health(&self, group: &str, id: &str, state: &str) {
        until(state, || async { self.health_of(group, id).await.one("State") == state }).await;
    }

    pub(crate) async fn weigh(&self, weights: &[(&str, u32)]) -> Answer {
        let mut form = vec![
            ("Action".to_owned(), "ModifyListener".to_owned()),
            ("ListenerArn".to_owned(), self.ready.listener_arn.clone()),
            ("DefaultActions.member.1.Type".to_owned(), "forward".to_owned()),
        ];
        for (n, (name, weight)) in (1..).zip(weights) {
            let start = format!("DefaultActions.member.1.ForwardConfig.TargetGroups.member.{n}");
            form.push((format!("{start}.TargetGroupArn"), self.group(name)));
            form.push((format!("{start}.Weight"), weight.to_string()));
        }
        let form: Vec<_> = form.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.elb(&form).await
    }

    pub(crate) async fn admin(&self, path: &str) -> serde_json::Value {
        let url = format!("{}/admin/{path}", self.ready.admin);
        self.http.get(url).send().await.expect("it answers").json().await.expect("it is JSON")
    }
}

impl Rig {
    /// Sets a fault; the status, and what is wrong with it.
    pub(crate) async fn fault(&self, fault: &serde_json::Value) -> (u16, String) {
        let call = self.http.post(format!("{}/admin/faults", self.ready.admin)).body(fault.to_string());
        let sent = call.send().await.expect("it answers");
        let status = sent.status().as_u16();
        let text = sent.text().await.expect("an answer is text");
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        (status, problem["detail"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn heal(&self) {
        let call = self.http.delete(format!("{}/admin/faults", self.ready.admin));
        assert_eq!(call.send().await.expect("it answers").status(), 204);
    }

    pub(crate) async fn struck(&self, name: &str) -> u64 {
        self.admin("ledger").await["faults"][name].as_u64().unwrap_or(0)
    }
}

impl Answer {
    /// The texts of every element of a name, in order.
    pub(crate) fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let parts = self.xml.split(&open).skip(1);
        parts.filter_map(|part| part.split_once(&close)).map(|(text, _)| text.to_owned()).collect()
    }

    /// The text of the first element of a name, or nothing.
    pub(crate) fn one(&self, element: &str) -> String {
        self.all(element).into_iter().next().unwrap_or_default()
    }

    /// The status and the code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.one("Code"))
    }
}

/// Looks again and again until something is so; panics when it never is.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    let seen = tokio::time::timeout(PATIENCE, async {
        while !is_so().await {
            looks.tick().await;
        }
    });
    assert!(seen.await.is_ok(), "never came: {what}");
}
