//! The shell around the engine: what carries out its effects, and brings it what happens.

pub mod driver;
pub mod poll_plan;
pub mod prober;
pub mod request;
mod sink;

pub use driver::{Driver, ReloadRequest};
pub use sink::{Publication, Sink};
