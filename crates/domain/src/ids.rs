//! Names of things, each its own type, so that no function can be handed the wrong one.

use std::fmt;
use std::sync::Arc;

/// Declares newtypes that only carry a name. A name is copied wherever it is told, so a copy costs nothing.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(Arc::from(name.as_ref()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    )*};
}

names! {
    /// A service as its configuration names it: `boards`.
    ServiceName;
    /// Where a service runs: `stage`, `production`.
    Environment;
    /// An AWS region: `eu-west-1`.
    Region;
    /// Instances of a service that serve the same kind of traffic; most services have one.
    PoolName;
    /// What the AMI's `releaseVersion` tag says: `2026.11.21-3`.
    Version;
    /// The commit that a version was built from.
    Commit;
    /// An EC2 instance: `i-0123456789abcdef0`.
    InstanceId;
    /// An AMI: `ami-0123456789abcdef0`.
    ImageId;
    /// A subnet: `subnet-0123456789abcdef0`.
    SubnetId;
    /// A launch template: `lt-0123456789abcdef0`.
    TemplateId;
    /// A type of EC2 instance: `m7i.large`.
    InstanceType;
    /// A target group, by its ARN.
    GroupArn;
    /// A listener or a listener rule that carries the service's weighted forward, by its ARN.
    ForwardArn;
    /// The query-string value of a route slot: `s07`.
    Route;
    /// A board, as the application names it.
    BoardId;
    /// One move of one board; the same id in every control call of that move.
    MoveId;
    /// One effect; the same id whenever the same effect is tried again.
    EffectId;
    /// Who asked: a person, a CI job, the clock.
    Actor;
    /// The name of a preflight check: `slots`.
    CheckName;
}

impl ForwardArn {
    /// A rule of a listener; otherwise it is a listener, whose default action is meant.
    pub fn is_rule(&self) -> bool {
        self.as_str().contains(":listener-rule/")
    }

    /// The load balancer's own name, which is what a person calls it; what is no ARN is told whole.
    /// Source: Service Authorization Reference, Elastic Load Balancing V2: `listener/app/NAME/ID/LISTENER`.
    pub fn balancer(&self) -> &str {
        let resource =
            self.as_str().rsplit_once(":listener").and_then(|(_, resource)| resource.split_once("/app/"));
        resource.and_then(|(_, path)| path.split('/').next()).unwrap_or(self.as_str())
    }
}

/// One journey of one service: `boards-12`, so that it can be said aloud.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId {
    pub service: ServiceName,
    /// Counts from 1 for each service.
    pub number: u64,
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.service, self.number)
    }
}

impl ReleaseId {
    /// Reads `boards-12`; `None` when there is no number after the last dash.
    pub fn parse(text: &str) -> Option<Self> {
        let (service, number) = text.rsplit_once('-')?;
        let number = number.parse().ok()?;
        (!service.is_empty()).then(|| Self { service: ServiceName::new(service), number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_id_reads_back_what_it_says() {
        let id = ReleaseId { service: ServiceName::new("live-boards"), number: 12 };
        assert_eq!(ReleaseId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn a_load_balancer_is_told_by_its_name() {
        let of = |resource: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:{resource}");
        for resource in
            ["listener/app/boards/50dc6c495c0c9188/f2f7dc8efc522ab2", "listener-rule/app/boards/50/f2/9a"]
        {
            assert_eq!(ForwardArn::new(of(resource)).balancer(), "boards");
        }
        assert_eq!(ForwardArn::new("forward").balancer(), "forward");
    }

    #[test]
    fn a_release_id_without_number_or_service_is_none() {
        for text in ["boards", "boards-", "boards-x", "-3", ""] {
            assert_eq!(ReleaseId::parse(text), None, "{text}");
        }
    }
}
