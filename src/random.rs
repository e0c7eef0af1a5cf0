//! The system's randomness, for the engine and for whoever waits: pauses that spread, and numbers used once.

/// A number in 0..1.
pub(crate) fn dice() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

/// Unique for each request. Without the system's randomness the process could not make TLS either.
pub(crate) fn nonce() -> u128 {
    u128::from(getrandom::u64().unwrap_or_default()) << 64 | u128::from(getrandom::u64().unwrap_or_default())
}
