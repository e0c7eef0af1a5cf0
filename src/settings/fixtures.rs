//! The fixtures of `tests/data/settings`.
