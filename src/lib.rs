//! A Prometheus exporter for the insights of marketing-message campaigns.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

pub mod domain;
pub mod exposition;
pub mod source;
pub mod settings;
pub mod simulate;
