//! `simulate`: only the simulated APIs.

use super::{Done, block_on, print};
use crate::cli::Simulate;
use crate::simulate::{Simulation, Spec};

/// Serves a world until SIGINT or SIGTERM.
pub fn simulate(arguments: &Simulate) -> anyhow::Result<Done> {
    anyhow::ensure!(
        arguments.listen_address.ip().is_loopback(),
        "--listen-address must be on loopback: whoever can reach the simulated APIs controls them"
    );
    let mut spec = match (arguments.accounts, arguments.campaigns) {
        (Some(accounts), Some(campaigns)) => Spec::fleet(accounts, campaigns),
        _ => Spec::demo(),
    };
    spec.seed = arguments.seed;
    spec.restless = arguments.restless;
    let tokens: Vec<_> = spec.tokens.iter().map(|token| format!("{} for {:?}", token.text, token.accounts)).collect();
    block_on(async {
        let simulation = Simulation::bind(spec, arguments.listen_address).await?;
        let url = format!("http://{}", simulation.addr());
        print(&format!(
            "simulated Meta and CAMS APIs: {url}\ntokens: {}\nstatistics: {url}/_control/statistics\n",
            tokens.join("; ")
        ))?;
        let stop = super::run::stop_signal()?;
        simulation.run(stop).await?;
        Ok(Done::Well)
    })
}
