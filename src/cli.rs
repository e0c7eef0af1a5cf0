//! The command line: commands and flags, in the convention of Prometheus exporters.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::settings::{LogLevel, key_variables, nearest};

use self::values::{external_url, listen_address, route_prefix, telemetry_path};

mod given;
mod values;

/// The port of `run` and `demo`.
const PORT: u16 = 10396;

/// Prometheus exporter for the insights of marketing-message campaigns: Meta's Marketing Messages
/// on Messenger, and Alibaba Cloud CAMS.
#[derive(Debug, Parser)]
#[command(
    version = VERSION,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 success, 1 failure or partial failure, 2 wrong usage, 78 wrong configuration."
)]
pub struct Cli {
    /// Command; the default is `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of every command.
    #[command(flatten)]
    pub flags: Flags,
    /// Flags that were given and mean nothing to the command.
    #[arg(skip)]
    pub idle: Vec<String>,
}

const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (revision ", env!("MME_REVISION"), ", rustc ", env!("MME_RUSTVERSION"), ")");

/// The command.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    /// Poll and serve until SIGTERM or SIGINT (the default)
    Run,
    /// Validate the configuration and print every problem with its remedy
    ///
    /// Exit status: 0 if it is valid, 78 if it is not, 1 if --online found a credential, target or
    /// listed campaign that does not work.
    Check(Check),
    /// List the campaigns that the configured credentials can see
    ///
    /// Meta: those of the configured ad accounts or, for a credential without accounts, of every ad
    /// account that its token can see. CAMS: those of the configured channels. The configuration needs
    /// nothing but credentials. Exit status: 0, or 1 if a credential, account or channel could not be
    /// read; the others are still listed.
    Discover(Discover),
    /// Poll every target once and print the exposition
    Once,
    /// Print targets, requests per hour and expected series without calling an API
    Plan,
    /// Start simulated APIs on loopback and run the exporter against them
    Demo,
    /// Start only the simulated APIs, to try out a configuration
    ///
    /// Prints a configuration with every token, key, account and channel that they accept.
    #[command(after_long_help = SIMULATE_HELP)]
    Simulate(Simulate),
    /// Print the reference of all metric families as Markdown
    Metrics,
    /// Check whether a running daemon is healthy
    Healthcheck,
    /// Print shell completions
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How a simulated world is watched and disturbed. Every line of JSON is sent by a test.
const SIMULATE_HELP: &str = include_str!("simulate/help.txt");

/// Flags of `check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Check {
    /// Also try each credential and each target once, and print the results
    ///
    /// The table shows `ok` and the number of rows for each target, or the problem and its remedy. For
    /// lists of campaigns it shows which ids were found at which level. Uses some of the allowance.
    #[arg(long)]
    pub online: bool,
    /// Print the effective configuration: all layers and the defaults, secrets as `<secret>`
    #[arg(long, conflicts_with_all = ["online", "print_schema"])]
    pub print: bool,
    /// Print the JSON Schema of the configuration, for editors
    #[arg(long, conflicts_with = "online")]
    pub print_schema: bool,
}

/// Flags of `discover`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Discover {
    /// Output format
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub output: Output,
}

/// Output format of `discover`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One line per campaign
    Table,
    /// A configuration to paste, or to pass as a second --config.file
    Yaml,
}

/// Flags of `simulate`.
#[derive(Clone, Debug, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag, told apart by its name")]
pub struct Simulate {
    /// Address on which the simulated APIs listen; keep it on loopback
    // The name of the field is that of a flag of all commands, whose variable would count here.
    #[arg(id = "simulated_address", long = "listen-address", value_name = "ADDR", default_value = "127.0.0.1:10397")]
    pub listen_address: SocketAddr,
    /// Number of ad accounts, instead of the demo's accounts
    #[arg(long, requires = "campaigns", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub accounts: Option<u32>,
    /// Campaigns per ad account
    #[arg(long, requires = "accounts", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub campaigns: Option<u32>,
    /// Random seed of the figures
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Change every figure of every window each second, for load tests
    #[arg(long)]
    pub restless: bool,
    /// Play the demo's stories: an account is throttled now and then, a token expires
    ///
    /// Without this flag, every printed token and key stays valid.
    #[arg(long, conflicts_with = "accounts")]
    pub stories: bool,
    /// Realistic figures: an hour-of-day curve, chance, late clicks and revisions
    ///
    /// Figures change every quarter of an hour.
    #[arg(long)]
    pub noise: bool,
    /// Time after a message by which half of its clicks have arrived
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30m", requires = "noise")]
    pub click_lag: Duration,
    /// Send all messages of a day at this hour, instead of around the clock
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..24), requires = "noise")]
    pub send_hour: Option<u8>,
    /// Day-to-day variation of the true cost per click; 0.1 is 10 %
    #[arg(long, value_parser = share, default_value_t = 0.1, requires = "noise")]
    pub cost_spread: f64,
    /// Share of a day's figures that is revised away within 28 days
    #[arg(long, value_parser = share, default_value_t = 0.01, requires = "noise")]
    pub revised_share: f64,
    /// Make the only window of CAMS a campaign's whole life, instead of the last 31 days
    #[arg(long)]
    pub cams_lifetime: bool,
}

/// Reads a share of 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be from 0 to 1, such as 0.1 for 10 %".to_owned()) }
}

/// Flags of all commands. Each stands before or behind the command; which ones a command heeds is in
/// `given.rs`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag, told apart by its name")]
pub struct Flags {
    /// Configuration file, YAML, TOML or JSON by extension; repeatable, later files override earlier ones
    #[arg(long = "config.file", value_name = "PATH", env = "MME_CONFIG_FILE", global = true, value_delimiter = ',')]
    pub config_file: Vec<PathBuf>,
    /// Same as the command check
    #[arg(long = "config.check", global = true)]
    pub config_check: bool,
    /// Address to serve on; repeatable; port 0 picks a free port [default: :10396, demo: 127.0.0.1:10396]
    #[arg(long = "web.listen-address", value_name = "ADDR", env = "MME_WEB_LISTEN_ADDRESS", global = true, value_delimiter = ',', value_parser = listen_address)]
    pub listen_address: Vec<SocketAddr>,
    /// Serve on the sockets passed by systemd instead of --web.listen-address
    #[arg(long = "web.systemd-socket", env = "MME_WEB_SYSTEMD_SOCKET", global = true, value_parser = BoolishValueParser::new())]
    pub systemd_socket: bool,
    /// File to which the first bound address is written
    #[arg(long = "web.port-file", value_name = "PATH", env = "MME_WEB_PORT_FILE", global = true)]
    pub port_file: Option<PathBuf>,
    /// URL under which others reach this server, if it is behind a reverse proxy
    #[arg(long = "web.external-url", value_name = "URL", env = "MME_WEB_EXTERNAL_URL", global = true, value_parser = external_url)]
    pub external_url: Option<http::Uri>,
    /// Prefix of every path [default: the path of --web.external-url]
    #[arg(long = "web.route-prefix", value_name = "PATH", env = "MME_WEB_ROUTE_PREFIX", global = true, value_parser = route_prefix)]
    pub route_prefix: Option<String>,
    /// Enable POST /-/reload and POST /-/quit
    #[arg(long = "web.enable-lifecycle", env = "MME_WEB_ENABLE_LIFECYCLE", global = true, value_parser = BoolishValueParser::new())]
    pub enable_lifecycle: bool,
    /// File with TLS and logins, in the format of Prometheus exporters (web.config); re-read when it changes
    #[arg(long = "web.config.file", value_name = "PATH", env = "MME_WEB_CONFIG_FILE", global = true)]
    pub web_config_file: Option<PathBuf>,
    /// Path of the metrics; / takes the place of the status page
    #[arg(long = "web.telemetry-path", value_name = "PATH", env = "MME_WEB_TELEMETRY_PATH", global = true, default_value = "/metrics", value_parser = telemetry_path)]
    pub telemetry_path: String,
    /// Concurrent scrapes; further ones get 503
    #[arg(long = "web.max-requests", value_name = "N", env = "MME_WEB_MAX_REQUESTS", global = true, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_requests: u16,
    /// Leave out the process_* families
    #[arg(long = "web.disable-exporter-metrics", env = "MME_WEB_DISABLE_EXPORTER_METRICS", global = true, value_parser = BoolishValueParser::new())]
    pub disable_exporter_metrics: bool,
    /// Lowest level to log; overrides log.level of the configuration [default: info]
    #[arg(long = "log.level", value_name = "LEVEL", env = "MME_LOG_LEVEL", global = true, ignore_case = true)]
    pub log_level: Option<LogLevel>,
    /// Log format
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        env = "MME_LOG_FORMAT",
        global = true,
        ignore_case = true,
        default_value = "auto"
    )]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Coloured text on a terminal, logfmt otherwise
    Auto,
    /// Plain text
    Text,
    /// `key=value`, as most collectors read it
    Logfmt,
    /// One JSON object per line
    Json,
}

impl Cli {
    /// The command line and the variables of its flags. What is wrong with them is clap's to tell.
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, clap::Error> {
        given::read(arguments.into_iter().collect(), environment)
    }

    /// The command that is meant.
    pub fn meant(&self) -> Command {
        match &self.command {
            Some(command) => command.clone(),
            None if self.flags.config_check => Command::Check(Check::default()),
            None => Command::Run,
        }
    }
}

impl Flags {
    /// What every path begins with: nothing, or `/so/and/so`.
    pub fn prefix(&self) -> String {
        let external = || self.external_url.as_ref().and_then(|url| route_prefix(url.path()).ok());
        self.route_prefix.clone().or_else(external).unwrap_or_default()
    }

    /// Where to serve; `demo` keeps to loopback.
    pub fn listen(&self, demo: bool) -> Vec<SocketAddr> {
        if !self.listen_address.is_empty() {
            return self.listen_address.clone();
        }
        vec![if demo {
            SocketAddr::from(([127, 0, 0, 1], PORT))
        } else {
            SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT)
        }]
    }
}

/// What to say of variables that look like those of flags or keys, and are neither.
pub fn strange_variables(environment: &BTreeMap<String, String>) -> Vec<String> {
    let command = Cli::command();
    let flags: Vec<&str> = command.get_arguments().filter_map(|flag| flag.get_env()?.to_str()).collect();
    let keys = key_variables();
    // A name of another first word is somebody's own: that of a secret, or of a service of Kubernetes.
    let first_word = |name: &str| name.split('_').nth(1).map(str::to_owned);
    let say = |name: &String| match nearest(name, flags.iter().copied().chain(keys.iter().map(String::as_str))) {
        Some(near) => Some(format!("unknown environment variable {name}; did you mean {near}?")),
        None if flags.iter().any(|flag| first_word(flag) == first_word(name)) => {
            Some(format!("unknown environment variable {name}; flags have the variables {}", flags.join(", ")))
        }
        None => None,
    };
    let ours = |name: &&String| name.starts_with("MME_") && !name.starts_with("MME__");
    environment.keys().filter(ours).filter(|name| !flags.contains(&name.as_str())).filter_map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    #[test]
    fn variables_that_are_nearly_right_are_told() {
        for (name, told) in [
            ("MME_LOG_LEVEL", None),
            ("MME__POLL__INTERVALL", None),
            ("MME_LOG_LEVL", Some("did you mean MME_LOG_LEVEL?")),
            ("MME_CONFIG_FIEL", Some("did you mean MME_CONFIG_FILE?")),
            ("MME_POLL_INTERVAL", Some("did you mean MME__POLL__INTERVAL?")),
            ("MME_WEB_COLOUR", Some("flags have the variables MME_CONFIG_FILE, ")),
            ("MME_META_TOKEN", None),
            ("MME_SERVICE_HOST", None),
            ("MME_PORT_10396_TCP", None),
            ("HOME", None),
        ] {
            let said = strange_variables(&BTreeMap::from([(name.to_owned(), "x".to_owned())]));
            let expected = told.is_none_or(|told| said.len() == 1 && said[0].contains(name) && said[0].contains(told));
            assert!(expected && said.is_empty() == told.is_none(), "{name}: {said:?}");
        }
    }

    #[test]
    fn prefixes() {
        for (arguments, expected) in [
            (&[][..], Some("")),
            (&["--web.external-url", "https://example.org/"], Some("")),
            (&["--web.external-url", "https://example.org/a/b/"], Some("/a/b")),
            (&["--web.external-url", "https://example.org/a", "--web.route-prefix", "/"], Some("")),
            (&["--web.route-prefix", "a/"], Some("/a")),
            (&["--web.route-prefix", "/a{b}"], None),
            (&["--web.route-prefix", "/a/../b"], None),
            (&["--web.external-url", "example.org/a"], None),
            (&["--web.external-url", "http://example.org/?a"], None),
        ] {
            let cli = Cli::try_parse_from(["marketing-messages-exporter"].iter().chain(arguments)).ok();
            assert_eq!(cli.map(|cli| cli.flags.prefix()).as_deref(), expected, "{arguments:?}");
        }
    }
}
