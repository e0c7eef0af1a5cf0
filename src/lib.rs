//! A Prometheus exporter for the insights of marketing-message campaigns: Meta's Marketing Messages on
//! Messenger, and Alibaba Cloud CAMS.
//!
//! Reading starts at [`domain::target`], [`engine`] and [`daemon::driver`].
//!
//! `domain`, `engine`, `source` and `exposition` are pure: instants, dice and credentials are arguments. The
//! other modules are the shell around them. `ARCHITECTURE.md` has the whole picture.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

pub mod app;
pub mod cli;
pub mod clock;
pub mod command;
pub mod credentials;
pub mod daemon;
pub mod domain;
pub mod engine;
pub mod exposition;
pub mod fetch;
pub mod heartbeat;
pub mod logging;
pub mod panics;
pub mod publish;
mod random;
pub mod reload;
pub mod replace;
pub mod settings;
pub mod simulate;
pub mod source;
pub mod state;
pub mod store;
pub mod systemd;
pub mod telemetry;
pub mod web;
