//! The whole daemon but sockets and threads, through simulated days.
//!
//! A seed grows a fleet and what happens to it (`scenario.rs`). The daemon's own parts are driven through that in
//! virtual time against the simulated APIs (`daemon.rs`). A model that knows the configuration, what went over the wire
//! and the truth of the APIs says after each step what must hold (`model.rs`). `days.rs` plays seeds and prints what it
//! found.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(clippy::print_stdout, reason = "it prints a table of what it played")]

mod configuration;
mod daemon;
mod days;
mod dice;
mod model;
mod samples;
mod scenario;
mod wire;
