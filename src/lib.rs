//! A Prometheus exporter for the insights of marketing-message campaigns.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

pub mod app;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod command;
pub mod domain;
pub mod exposition;
pub mod fetch;
pub mod keyring;
pub mod logging;
pub mod poll;
pub mod settings;
pub mod simulate;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod web;
