//! What the types of a configuration do not say: bounds, names, and what goes with what.

use super::{BALANCERS_MAX, INSTANCES_MAX_SIMULATED, SandboxConfig};
use crate::faults::Fault;
use crate::simulated::BOARDS_MAX;

/// Slots and colour groups share the hundred target groups that a load balancer may have.
const SLOTS_MAX: u16 = 95;

/// Three subnets of 251 addresses each.
const INSTANCES_MAX: u64 = 750;
/// Clients of a simulated board.
const CLIENTS_MAX: u32 = 10_000;

/// Ten minutes: nobody has seen AWS be later than that.
const LAG_MS_MAX: u64 = 600_000;

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox's configuration has {} mistakes: {}", .0.len(), .0.join("; "))]
pub struct ConfigMistakes(pub Vec<String>);

impl SandboxConfig {
    /// Checks what the types do not say.
    pub fn check(&self) -> Result<(), ConfigMistakes> {
        let mut mistakes = Vec::new();
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.service.is_empty() || self.service.len() > 20 || !self.service.chars().all(name) {
            mistakes.push("service must be 1 to 20 lower-case letters, digits or -".to_owned());
        }
        let instances_max =
            if self.simulated.is_some() { INSTANCES_MAX_SIMULATED.into() } else { INSTANCES_MAX };
        let lb = &self.load_balancer;
        for (key, value, from, to) in [
            ("load_balancers", u64::from(self.load_balancers), 1, u64::from(BALANCERS_MAX)),
            ("slots", u64::from(self.slots), 0, u64::from(SLOTS_MAX)),
            ("load_balancer.idle_timeout_s", lb.idle_timeout_s, 1, 4_000),
            ("load_balancer.deregistration_delay_s", lb.deregistration_delay_s, 0, 3_600),
            ("health.interval_ms", self.health.interval_ms, 1, 300_000),
            ("health.timeout_ms", self.health.timeout_ms, 1, 120_000),
            ("health.healthy_threshold", u64::from(self.health.healthy_threshold), 1, 10),
            ("health.unhealthy_threshold", u64::from(self.health.unhealthy_threshold), 1, 10),
            ("prometheus.interval_ms", self.prometheus.interval_ms, 1, 300_000),
            ("instances.max", u64::from(self.instances.max), 1, instances_max),
            ("load_balancer.targets_max", lb.targets_max.into(), 1, INSTANCES_MAX_SIMULATED.into()),
            ("consistency.launch_ms", self.consistency.launch_ms, 0, LAG_MS_MAX),
            ("consistency.tags_ms", self.consistency.tags_ms, 0, LAG_MS_MAX),
            ("consistency.targets_ms", self.consistency.targets_ms, 0, LAG_MS_MAX),
        ] {
            if !(from..=to).contains(&value) {
                mistakes.push(format!("{key} must be from {from} to {to}, not {value}"));
            }
        }
        mistakes.extend(self.credentials.mistakes().into_iter().map(str::to_owned));
        self.check_images(&mut mistakes);
        self.check_simulated(&mut mistakes);
        let wrong = |(place, fault): (usize, &Fault)| {
            fault.check().err().map(|why| format!("fault {}: {why}", place.saturating_add(1)))
        };
        mistakes.extend(self.faults.iter().enumerate().filter_map(wrong));
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigMistakes(mistakes)) }
    }

    fn check_simulated(&self, mistakes: &mut Vec<String>) {
        let Some(simulated) = &self.simulated else { return };
        for (key, value, to) in [
            ("virtual.boards", simulated.boards, BOARDS_MAX),
            ("virtual.clients_per_board", simulated.clients_per_board, CLIENTS_MAX),
        ] {
            if value > to {
                mistakes.push(format!("{key} must be at most {to}, not {value}"));
            }
        }
        if simulated.boards > 0 && self.fleet.as_ref().is_none_or(|fleet| fleet.count == 0) {
            mistakes.push("virtual.boards need a fleet that has them".to_owned());
        }
        if self.sabotage.is_some() {
            mistakes.push(
                "sabotage is planted in the demo application, which virtual instances do not run".to_owned(),
            );
        }
    }

    fn check_images(&self, mistakes: &mut Vec<String>) {
        for image in &self.images {
            if image.command.is_empty() {
                mistakes.push(format!("the image of version {} has no command", image.version));
            }
            if self.images.iter().filter(|other| other.version == image.version).count() > 1 {
                mistakes.push(format!("there are several images of version {}", image.version));
            }
        }
        if let Some(fleet) = &self.fleet {
            if !self.images.iter().any(|image| image.version == fleet.version) {
                mistakes.push(format!("the fleet's version {} has no image", fleet.version));
            }
            // Simulated servers that lead their clients by themselves need none at all.
            let needs_slots = self.simulated.is_none() || self.slots > 0;
            let slots = self.slots_in_all();
            if needs_slots && fleet.count > slots {
                mistakes.push(format!("a fleet of {} needs as many slots, not {slots}", fleet.count));
            }
            if fleet.weight > 999 {
                mistakes.push(format!("fleet.weight must be from 0 to 999, not {}", fleet.weight));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config: SandboxConfig = toml::from_str("").expect("nothing is needed");
        assert_eq!(config, SandboxConfig::default());
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_file_may_say_anything_that_the_default_says() {
        let written = toml::to_string(&SandboxConfig::default()).expect("every value has a form in TOML");
        assert_eq!(
            toml::from_str::<SandboxConfig>(&written).expect("it reads back"),
            SandboxConfig::default()
        );
    }

    #[test]
    fn an_unknown_key_is_a_mistake() {
        assert!(toml::from_str::<SandboxConfig>("[health]\nintervall_ms = 3\n").is_err());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "slots = 96\nservice = \"Board\"\n[credentials]\naccess_key_id = \"a/b\"\n\
                    secret_access_key = \"\"\n[fleet]\nversion = \"9\"\ncount = 97\nweight = 1000\n[[fault]]\nfault = \"throttle\"\ncalls = 0\n";
        let config: SandboxConfig = toml::from_str(text).expect("the types are right");
        let mistakes = config.check().expect_err("eight values are wrong").0;
        assert_eq!(mistakes.len(), 8, "{mistakes:?}");
    }
}
