//! `segue-sim`: proves the engine, or finds how it can be broken.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use segue_sim::bug::Bug;
use segue_sim::commands::figures::Figures;
use segue_sim::commands::seed::Trace;
use segue_sim::commands::{determinism, fuzz, planted, seed, shrink, sweep};
use segue_sim::plan::Plan;
use segue_sim::scale::{self, Sizes};
use serde::Serialize;
use tokio::time::Instant;

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
        /// Tell every call
        #[arg(long)]
        trace: bool,
    },
    /// Run a plan from a file: what `shrink` printed, or one of the corpus
    Plan {
        file: PathBuf,
        /// Tell every call
        #[arg(long)]
        trace: bool,
    },
    /// Let the daemon die at each place at which it can, in every script
    Sweep,
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

/// A name that is none of them is refused, and they are told.
fn mistakes() -> PossibleValuesParser {
    PossibleValuesParser::new(Bug::ALL.iter().map(|bug| bug.name()))
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let figures = match cli.command {
        Command::Fuzz { from, seeds } => fuzz::fuzz(from, seeds, |run, outcome| {
            eprintln!("{run}: {}", outcome.violations.join("; "));
        }),
        Command::Sweep => sweep::sweep(),
        Command::Pairs { sample, seed } => sweep::pairs(sample, seed),
        Command::Seed { seed, trace } => one(&format!("seed {seed}"), &Plan::drawn(seed), trace),
        Command::Plan { file, trace } => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
            one(&name, &serde_json::from_str(&text).with_context(|| format!("{name} is no plan"))?, trace)
        }
        Command::Shrink { seed } => return shrunk(seed),
        Command::Planted { from, budget, only } => {
            let table = planted::planted(from, budget, only.as_deref(), |found| eprintln!("{found}"));
            println!("{table}");
            write_json(cli.json.as_deref(), &table)?;
            return Ok(code(table.missed().is_empty()));
        }
        Command::Scale { instances, boards, balancers, trace } => {
            let trace = if trace { Trace::Yes } else { Trace::No };
            let report = scale::scale(Sizes { balancers, ..Sizes::new(instances, boards) }, trace)?;
            println!("{report}");
            write_json(cli.json.as_deref(), &report)?;
            return Ok(code(report.is_well()));
        }
        Command::Determinism { from, seeds } => return Ok(same(from, seeds)),
    };
    println!("{figures}");
    write_json(cli.json.as_deref(), &figures)?;
    Ok(code(figures.violated == 0))
}

fn one(name: &str, plan: &Plan, trace: bool) -> Figures {
    let began = Instant::now();
    let outcome = seed::seed(plan, if trace { Trace::Yes } else { Trace::No });
    let mut figures = Figures::default();
    figures.add(name, &outcome);
    figures.took(began.elapsed());
    figures
}

fn write_json(file: Option<&Path>, figures: &impl Serialize) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let text = serde_json::to_string_pretty(figures)?;
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn shrunk(seed: u64) -> Result<ExitCode> {
    let Some(shrunk) = shrink::shrink(&Plan::drawn(seed)) else {
        println!("seed {seed} breaks no law");
        return Ok(ExitCode::SUCCESS);
    };
    println!("{}", serde_json::to_string_pretty(&shrunk.plan)?);
    for violation in &shrunk.violations {
        eprintln!("{violation}");
    }
    eprintln!("{} runs", shrunk.runs);
    Ok(ExitCode::FAILURE)
}

fn same(from: u64, seeds: u64) -> ExitCode {
    let differing = determinism::determinism(from, seeds);
    println!("seeds      {seeds}\ndiffering  {}", differing.len());
    for seed in &differing {
        println!("seed {seed} went another way the second time");
    }
    code(differing.is_empty())
}

fn code(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
