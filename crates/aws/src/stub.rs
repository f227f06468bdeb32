//! A stand-in for AWS in this crate's tests: it answers with recorded documents, in order, and remembers what
//! it was asked. It knows nothing of EC2 or ELBv2 but the frames of their answers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use segue_domain::ids::Region;
use segue_engine::ports::{Cloud, LoadBalancer, Permissions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::calls::CallCounts;
use crate::client::{LIMITS, Limits, asker, assemble, configured, loader};

/// A successful EC2 answer.
pub(crate) fn answer(call: &str, body: &str) -> String {
    format!(
        "<{call}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>r</requestId>{body}</{call}Response>"
    )
}

/// The tags of an EC2 resource.
pub(crate) fn tag_set(tags: &[(&str, &str)]) -> String {
    let item = |(key, value): &(&str, &str)| format!("<item><key>{key}</key><value>{value}</value></item>");
    let items: Vec<String> = tags.iter().map(item).collect();
    format!("<tagSet>{}</tagSet>", items.concat())
}

/// An EC2 error.
pub(crate) fn refusal(code: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>recorded</Message></Error></Errors>\
         <RequestID>r</RequestID></Response>"
    )
}

/// A successful ELBv2 answer.
pub(crate) fn elb_answer(call: &str, body: &str) -> String {
    format!(
        "<{call}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
         <{call}Result>{body}</{call}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{call}Response>"
    )
}

/// An ELBv2 error.
pub(crate) fn elb_refusal(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>recorded</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    )
}

/// The form of one request.
#[derive(Debug, Clone)]
pub(crate) struct Asked(BTreeMap<String, String>);

impl Asked {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `PREFIX.1`, `PREFIX.2` and so on.
    pub(crate) fn list(&self, prefix: &str) -> Vec<&str> {
        (1..).map_while(|n| self.field(&format!("{prefix}.{n}"))).collect()
    }

    /// `PREFIX.N.KEY` with `PREFIX.N.VALUE`, sorted, up to the first that is incomplete.
    pub(crate) fn pairs(&self, prefix: &str, key: &str, value: &str) -> Vec<(&str, &str)> {
        let pair = |n| {
            let key = self.field(&format!("{prefix}.{n}.{key}"))?;
            Some((key, self.field(&format!("{prefix}.{n}.{value}"))?))
        };
        let mut pairs: Vec<_> = (1..).map_while(pair).collect();
        pairs.sort_unstable();
        pairs
    }

    pub(crate) fn filters(&self) -> Vec<(&str, &str)> {
        self.pairs("Filter", "Name", "Value.1")
    }
}

#[derive(Debug, Default)]
struct Script {
    takes: Duration,
    answers: VecDeque<(u16, String)>,
    asked: Vec<Asked>,
}

#[derive(Debug)]
pub(crate) struct Stub {
    endpoint: String,
    limits: Limits,
    script: Arc<Mutex<Script>>,
    pub(crate) counts: Arc<CallCounts>,
}

impl Stub {
    /// Answers the requests in this order, and with 418 when there are more.
    pub(crate) async fn start(answers: impl IntoIterator<Item = (u16, String)>) -> Self {
        Self::taking(Duration::ZERO, LIMITS, answers).await
    }

    /// The same for an AWS that takes so long for each answer.
    pub(crate) async fn taking(
        takes: Duration,
        limits: Limits,
        answers: impl IntoIterator<Item = (u16, String)>,
    ) -> Self {
        let script = Script { takes, answers: answers.into_iter().collect(), asked: Vec::new() };
        let script = Arc::new(Mutex::new(script));
        let app = Router::new().fallback(play).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { endpoint, limits, script, counts: CallCounts::new() }
    }

    /// Takes connections and never answers; the client's limits are short.
    pub(crate) async fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let short = Duration::from_millis(100);
        let limits = Limits {
            connect: Duration::from_secs(3),
            attempt: short,
            page: short,
            spare: Duration::from_secs(10),
            ..LIMITS
        };
        let stub = Self { limits, ..Self::at(&listener) };
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                open.push(connection);
            }
        });
        stub
    }

    /// Reads the beginning of each request and ends the connection.
    pub(crate) async fn cutting() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let stub = Self::at(&listener);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut beginning = [0; 16];
                connection.read_exact(&mut beginning).await.expect("the beginning of a request");
                connection.shutdown().await.expect("an end");
            }
        });
        stub
    }

    /// An address where nobody listens.
    pub(crate) async fn absent() -> Self {
        Self::at(&TcpListener::bind("127.0.0.1:0").await.expect("a port"))
    }

    /// None at all: the clients speak to somebody else.
    pub(crate) fn elsewhere(endpoint: &str) -> Self {
        let endpoint = endpoint.to_owned();
        Self { endpoint, limits: LIMITS, script: Arc::default(), counts: CallCounts::new() }
    }

    fn at(listener: &TcpListener) -> Self {
        Self::elsewhere(&format!("http://{}", listener.local_addr().expect("an address")))
    }

    pub(crate) async fn cloud(&self) -> Arc<dyn Cloud> {
        self.connect(Credentials::new("AKIDTEST", "secret", None, None, "test")).await.0
    }

    pub(crate) async fn balancer(&self) -> Arc<dyn LoadBalancer> {
        self.connect(Credentials::new("AKIDTEST", "secret", None, None, "test")).await.1
    }

    pub(crate) async fn permissions(&self) -> Arc<dyn Permissions> {
        self.asker(Credentials::new("AKIDTEST", "secret", None, None, "test")).await
    }

    pub(crate) async fn permissions_without_credentials(
        &self,
        error: CredentialsError,
    ) -> Arc<dyn Permissions> {
        self.asker(NoCredentials(Mutex::new(Some(error)))).await
    }

    async fn asker(&self, credentials: impl ProvideCredentials + 'static) -> Arc<dyn Permissions> {
        let loader = loader(&Region::new("eu-west-1"), Some(&self.endpoint), self.limits);
        let (config, _keeper) = configured(loader.credentials_provider(credentials), self.limits).await;
        asker(&config, self.limits, &self.counts)
    }

    pub(crate) async fn cloud_without_credentials(&self, error: CredentialsError) -> Arc<dyn Cloud> {
        self.connect(NoCredentials(Mutex::new(Some(error)))).await.0
    }

    /// A client without our adapter, for what no port asks.
    pub(crate) async fn elbv2(&self) -> aws_sdk_elasticloadbalancingv2::Client {
        let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
        let loader = loader(&Region::new("eu-west-1"), Some(&self.endpoint), self.limits);
        aws_sdk_elasticloadbalancingv2::Client::new(&loader.credentials_provider(credentials).load().await)
    }

    async fn connect(
        &self,
        credentials: impl ProvideCredentials + 'static,
    ) -> (Arc<dyn Cloud>, Arc<dyn LoadBalancer>) {
        let loader = loader(&Region::new("eu-west-1"), Some(&self.endpoint), self.limits);
        let (config, _keeper) = configured(loader.credentials_provider(credentials), self.limits).await;
        assemble(&config, self.limits, "journal-1", &self.counts)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().expect("no test panicked with it").asked.clone()
    }
}

async fn play(State(script): State<Arc<Mutex<Script>>>, body: String) -> impl IntoResponse {
    let form = url::form_urlencoded::parse(body.as_bytes()).into_owned();
    let (takes, (status, body)) = {
        let mut script = script.lock().expect("no test panicked with it");
        script.asked.push(Asked(form.collect()));
        (script.takes, script.answers.pop_front().unwrap_or((418, String::new())))
    };
    tokio::time::sleep(takes).await;
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], body)
}

#[derive(Debug)]
struct NoCredentials(Mutex<Option<CredentialsError>>);

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = self.0.lock().expect("no test panicked with it").take();
        future::ProvideCredentials::ready(Err(error.expect("credentials are asked for once")))
    }
}
