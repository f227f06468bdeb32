//! Launch templates: what a launch takes when the call does not say otherwise.
//!
//! One template may have several numbered versions; `$Latest` and `$Default` name two of them.

use super::at::At;
use super::image::Tags;
use super::refusal::Ec2Refusal;
use crate::names::{ImageId, SubnetId, TemplateId};

/// One launch template.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) id: TemplateId,
    pub(crate) name: String,
    pub(crate) created_at: At,
    pub(crate) default_version: u64,
    /// Version `n` is at place `n - 1`; never empty.
    pub(crate) versions: Vec<TemplateData>,
}

/// What one version says. What it leaves out must come from the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TemplateData {
    pub(crate) image: Option<ImageId>,
    pub(crate) instance_type: Option<String>,
    pub(crate) subnet: Option<SubnetId>,
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) instance_tags: Tags,
}

/// How a call names a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateName {
    Id(TemplateId),
    Name(String),
}

/// Which version is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionSpec {
    Number(u64),
    Latest,
    Default,
}

impl VersionSpec {
    /// Reads `3`, `$Latest`, `$Default`.
    pub(crate) fn parse(text: &str) -> Result<Self, Ec2Refusal> {
        match text {
            "$Latest" => Ok(Self::Latest),
            "$Default" => Ok(Self::Default),
            number => match number.parse() {
                Ok(n) => Ok(Self::Number(n)),
                Err(_) => Err(Ec2Refusal::TemplateVersionMalformed(number.to_owned())),
            },
        }
    }
}

impl Template {
    pub(crate) fn latest_version(&self) -> u64 {
        u64::try_from(self.versions.len()).unwrap_or(u64::MAX)
    }

    /// The number and content of a version.
    pub(crate) fn version(&self, spec: VersionSpec) -> Result<(u64, &TemplateData), Ec2Refusal> {
        let number = match spec {
            VersionSpec::Number(n) => n,
            VersionSpec::Latest => self.latest_version(),
            VersionSpec::Default => self.default_version,
        };
        let place = number.checked_sub(1).and_then(|n| usize::try_from(n).ok());
        match place.and_then(|place| self.versions.get(place)) {
            Some(data) => Ok((number, data)),
            None => Err(Ec2Refusal::TemplateVersionNotFound { template: self.id.clone(), version: number }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        let second = TemplateData { instance_type: Some("c7g.large".into()), ..TemplateData::default() };
        Template {
            id: "lt-1".into(),
            name: "boards".into(),
            created_at: At::from_ms(0),
            default_version: 1,
            versions: vec![TemplateData::default(), second],
        }
    }

    #[test]
    fn latest_and_default_name_different_versions() {
        let template = template();
        assert_eq!(template.version(VersionSpec::Latest).expect("exists").0, 2);
        assert_eq!(template.version(VersionSpec::Default).expect("exists").0, 1);
    }

    #[test]
    fn versions_that_never_were_are_refused() {
        for number in [0, 3, u64::MAX] {
            assert!(template().version(VersionSpec::Number(number)).is_err(), "{number}");
        }
    }
}
