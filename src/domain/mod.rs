//! The pure core: what a metric, a target, a schedule and an allowance are.
//!
//! Nothing here knows a clock, randomness, the environment, a file, a socket or async: time and
//! dice are arguments, decisions are results. `tests/it/tidy.rs` holds it to that.

pub mod api_version;
pub mod backoff;
pub mod block;
pub mod budget;
pub mod change;
pub mod counted;
pub mod facts;
pub mod fault;
pub mod filter;
pub mod fleet;
pub mod freshness;
pub mod lane;
pub mod log_limiter;
pub mod metric;
pub mod outages;
pub mod question;
pub mod quota;
pub mod rows;
pub mod saved;
pub mod schedule;
pub mod snapshot;
pub mod status;
pub mod target;
pub mod time;
