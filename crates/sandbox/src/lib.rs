//! AWS in a box: a stand-in that keeps AWS's manners, for a whole release on one machine.
//!
//! It speaks EC2's and Elastic Load Balancing's query protocols, runs real processes as instances on loopback
//! addresses of their own, routes real websockets as an Application Load Balancer does, answers the monitoring
//! queries that a release asks, and keeps a ledger of everything. `world` holds all of AWS's rules as a value
//! without a clock or a socket; the other modules carry out what it decides.
//!
//! It shares no code with the daemon that drives it, and never will: a stand-in that shares code with what it
//! stands in for proves nothing.

mod admin;
pub mod app;
mod clock;
mod config;
mod connections;
mod credentials;
pub mod faults;
mod fetch;
mod fleet;
mod grounds;
mod health;
mod in_process;
mod init;
mod lb;
mod logfile;
mod machines;
mod names;
mod network;
mod ports;
mod process;
mod prometheus;
mod query;
mod ready;
mod run;
mod runner;
mod sabotage;
mod sandbox;
mod seed;
mod serve;
mod shared;
mod signature;
mod simulated;
pub mod store;
pub mod users;
mod world;

pub use admin::{ConnectionsView, InstanceView, Instances};
pub use config::{
    BALANCERS_MAX, ConfigMistakes, ConsistencyConfig, FleetConfig, HealthConfig, ImageConfig,
    InstancesConfig, LaunchedBy, ListenConfig, LoadBalancerConfig, PrometheusConfig, SandboxConfig,
    SimulatedConfig, StoreConfig,
};
pub use connections::TargetConnections;
pub use credentials::Credentials;
pub use in_process::InProcess;
pub use init::{InstanceInitArgs, instance_init};
pub use names::{ClientToken, GroupArn, ImageId, InstanceId, ReservationId, RuleArn, SubnetId, TemplateId};
pub use process::ProcessRunner;
pub use ready::{InstancePorts, Ready, Slot};
pub use run::{SandboxArgs, raise_descriptors, run};
pub use runner::{Runner, Running, StartFailed};
pub use sabotage::Sabotage;
pub use sandbox::{Sandbox, Start};
pub use simulated::BoardTally;
pub use world::{
    AtDelayEnd, EndRecord, Launch, LaunchRecord, Ledger, TargetKey, TokenBuckets, WhenUnhealthy,
};
