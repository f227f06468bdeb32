//! `segue-sim`: proves the engine, or finds how it can be broken.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use segue_sim::bug::Bug;
use segue_sim::commands::figures::Figures;
use segue_sim::commands::kept::Kept;
use segue_sim::commands::seed::Trace;
use segue_sim::commands::{self, determinism, fuzz, planted, shrink, sweep};
use segue_sim::plan::Plan;
use segue_sim::scale::{self, Sizes};
use serde::Serialize;

/// Simulates releases in a world in which everything goes wrong.
#[derive(Debug, Parser)]
#[command(name = "segue-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Write the figures as JSON, too
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run many seeds, each with its own mixture of faults
    Fuzz {
        /// The first seed
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
    },
    /// Run one seed again
    Seed {
        seed: u64,
        #[command(flatten)]
        told: Told,
    },
    /// Run a plan from a file: what `shrink` printed, or one of the corpus
    Plan {
        file: PathBuf,
        #[command(flatten)]
        told: Told,
    },
    /// Let the daemon die at each place at which it can, in every script
    Sweep {
        /// Leave places out: one of so many is enough
        #[arg(long, default_value = "1", value_name = "N")]
        each: NonZeroUsize,
    },
    /// Let the daemon die twice, at pairs of places that are drawn
    Pairs {
        #[arg(long, default_value_t = 1_000)]
        sample: u64,
        /// Draws other pairs
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Make the plan of a failing seed as small as it gets, and print it
    Shrink { seed: u64 },
    /// Plant each known mistake, and see whether it is found
    Planted {
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Seeds for each mistake at the most
        #[arg(long, default_value_t = 2_000)]
        budget: u64,
        /// That mistake alone
        #[arg(long, hide_possible_values = true, value_parser = mistakes())]
        only: Option<String>,
    },
    /// Release a large fleet under AWS's published limits, and compare with the shortest time that they allow
    Scale {
        #[arg(long, default_value_t = 5_000)]
        instances: u32,
        #[arg(long, default_value_t = 1_000_000)]
        boards: u32,
        /// Load balancers before it, each with its part of the instances.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
        balancers: u32,
        /// Tell every append
        #[arg(long)]
        trace: bool,
    },
    /// Run each seed twice, and compare
    Determinism {
        #[arg(long, default_value_t = 1)]
        from: u64,
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
    },
}

/// What is told of one run.
#[derive(Debug, clap::Args)]
struct Told {
    /// Tell every call
    #[arg(long)]
    trace: bool,
    /// Write the journal: a file for each stream, a line for each record
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

/// A name that is none of them is refused, and they are told.
fn mistakes() -> PossibleValuesParser {
    PossibleValuesParser::new(Bug::ALL.iter().map(|bug| bug.name()))
}

fn main() -> Result<ExitCode> {
    let Cli { command, json } = Cli::parse();
    let json = json.as_deref();
    match command {
        Command::Fuzz { from, seeds } => figures(
            json,
            &fuzz::fuzz(from, seeds, |run, outcome| eprintln!("{run}: {}", outcome.violations.join("; "))),
        ),
        Command::Sweep { each } => figures(json, &sweep::sweep(each)),
        Command::Pairs { sample, seed } => figures(json, &sweep::pairs(sample, seed)),
        Command::Seed { seed, told } => {
            figures(json, &one(&format!("seed {seed}"), &Plan::drawn(seed), &told)?)
        }
        Command::Plan { file, told } => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
            let plan = serde_json::from_str(&text).with_context(|| format!("{name} is no plan"))?;
            figures(json, &one(&name, &plan, &told)?)
        }
        Command::Shrink { seed } => shrunk(json, seed),
        Command::Planted { from, budget, only } => {
            let table = planted::planted(from, budget, only.as_deref(), |found| eprintln!("{found}"));
            tell(json, &table, table.wrong().is_empty())
        }
        Command::Scale { instances, boards, balancers, trace } => {
            let trace = if trace { Trace::Yes } else { Trace::No };
            let report = scale::scale(Sizes { balancers, ..Sizes::new(instances, boards) }, trace)?;
            tell(json, &report, report.is_well())
        }
        Command::Determinism { from, seeds } => {
            let twice = determinism::determinism(from, seeds);
            tell(json, &twice, twice.differing.is_empty())
        }
    }
}

fn one(name: &str, plan: &Plan, told: &Told) -> Result<Figures> {
    let kept = Arc::new(Kept::default());
    let trace = if told.trace { Trace::Yes } else { Trace::No };
    let figures = commands::one(name, plan, &trace.watchers().and(Arc::<Kept>::clone(&kept)));
    if let Some(folder) = &told.journal {
        kept.write(folder)?;
    }
    Ok(figures)
}

/// The plan alone goes to where a file is made of it.
fn shrunk(json: Option<&Path>, seed: u64) -> Result<ExitCode> {
    let shrunk = shrink::shrink(&Plan::drawn(seed));
    write_json(json, &shrunk)?;
    eprintln!("{shrunk}");
    if shrunk.violations.is_empty() {
        eprintln!("seed {seed} breaks no law");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", serde_json::to_string_pretty(&shrunk.plan)?);
    Ok(ExitCode::FAILURE)
}

fn figures(json: Option<&Path>, figures: &Figures) -> Result<ExitCode> {
    tell(json, figures, figures.violated == 0)
}

/// What came of a command: printed, written as JSON if that is wanted, and the exit code.
fn tell(json: Option<&Path>, came: &(impl Display + Serialize), is_well: bool) -> Result<ExitCode> {
    println!("{came}");
    write_json(json, came)?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_json(file: Option<&Path>, came: &impl Serialize) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let text = serde_json::to_string_pretty(came)?;
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
