//! From what everybody said to checks: pure functions, one file for each kind of question.

pub(super) mod access;
mod room;
mod routing;
mod servers;
mod strangers;
#[cfg(test)]
mod tests;

use segue_config::Config;
use segue_domain::service::Service;
use segue_engine::ports::{CallError, Class, ImageQuery};

use super::finding::{Check, OF_AWS, OF_SERVERS};
use super::gather::Found;

/// Every check of a service, in the order of docs/check.md.
pub(super) fn all(service: &Service, images: &ImageQuery, config: &Config, found: &Found) -> Vec<Check> {
    let mut checks = access::credentials(service, &found.access);
    let prometheus = servers::prometheus(&config.prometheus.url, &found.nobody);
    let Some(aws) = &found.aws else {
        let skip = |name| Check::skip(name, "AWS was not asked, or did not say who asks");
        checks.extend(OF_AWS.map(skip));
        checks.push(prometheus);
        checks.extend(OF_SERVERS.map(|name| Check::skip(name, "AWS does not say which servers run")));
        return checks;
    };
    checks.extend(access::permissions(&aws.permissions));
    checks.extend([
        room::template(service, &aws.template),
        room::images(images, &aws.images, &aws.instances),
        room::addresses(service, &aws.addresses, aws.running().len()),
        routing::forward(service, &aws.weights),
        routing::slots(service, &aws.targets, aws.running().len()),
        routing::targets(service, &aws.targets, aws.running().len()),
        strangers::strangers(service, aws),
        routing::fleet(service, aws),
    ]);
    checks.push(prometheus);
    checks.extend(servers::samples(config, service, found));
    checks.extend(servers::control(config, service, aws, &found.apps));
    checks
}

/// A reading that did not come: nothing is known about what it would have shown.
fn unread(name: &'static str, error: &CallError) -> Check {
    let hint = match error.class {
        Class::Refused => "mend what it names, then check again",
        Class::Retry | Class::Unknown => {
            "check again; if it stays so, see what is between this machine and AWS"
        }
        Class::Bug => "this is a defect of segue, or something else than AWS answers",
    };
    Check::fail(name, error.what.clone(), hint)
}
