//! The sandbox as a program of its own, with an application that only echoes: for tests of real processes,
//! and for trying other people's AWS clients without building the whole product.

#[path = "../tests/it/echo.rs"]
mod echo;

use std::net::Ipv4Addr;

use clap::Parser;
use segue_sandbox::store::{self, StoreArgs};
use segue_sandbox::{InstanceInitArgs, SandboxArgs, instance_init};

/// The same commands as the product's, as far as a sandbox needs them.
#[derive(Debug, Parser)]
enum Command {
    /// Runs a sandbox.
    Sandbox(SandboxArgs),
    /// Becomes an instance's program.
    InstanceInit(InstanceInitArgs),
    /// Runs the boards' database.
    DemoStore(StoreArgs),
    /// Echoes.
    DemoApp(EchoArgs),
    /// Ignores polite requests to end.
    Stubborn,
}

/// What the sandbox tells an instance.
#[derive(Debug, clap::Args)]
struct EchoArgs {
    #[arg(long, env = "INSTANCE_ID")]
    instance: String,
    #[arg(long, env = "PRIVATE_IP")]
    address: Ipv4Addr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Sandbox(args) => segue_sandbox::run(args, |_| Ok(())).await,
        Command::InstanceInit(args) => instance_init(&args),
        Command::DemoStore(args) => Ok(store::run(args).await?),
        Command::DemoApp(args) => {
            println!("{} at {}", args.instance, args.address);
            Ok(echo::Echo::new(&args.instance).serve(args.address).await?)
        }
        Command::Stubborn => {
            let mut polite = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            loop {
                polite.recv().await;
                println!("no");
            }
        }
    }
}
