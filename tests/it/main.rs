//! The program from outside: the whole daemon on port 0 against the simulated APIs, bytes in and
//! exposition out, and the rules of the code base itself.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(clippy::disallowed_methods, reason = "tests read clocks and folders of their own")]
#![allow(clippy::float_cmp, reason = "counts come through f64 exactly")]

mod alerts;
mod allowance;
mod authority;
mod changes;
mod cli;
mod configuration;
mod connections;
mod credentials;
mod day;
mod drift;
mod exposition;
mod faults;
mod filters;
mod first_minutes;
mod harness;
mod http2;
mod logs;
mod memory;
mod naive;
mod online;
mod pasted;
mod process;
mod proxies;
mod quoting;
mod reload;
mod restart;
mod roles;
mod scrape;
mod secrets;
mod service;
mod status;
mod strangers;
mod tidy;
mod tls;
mod wire;
