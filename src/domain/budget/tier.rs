//! Meta's access tiers, and how the tier of an app is known.

/// Meta's access tiers for the Marketing API, by what they grant an ad account. Source: "Rate
/// limiting" of the Marketing API, 2026-05-05.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// 60 points in 300 s, 600 calls an hour and more with active ads.
    #[default]
    Limited,
    /// 9,000 points in 300 s, 190,000 calls an hour and more with active ads.
    Full,
}

/// A tier, and how it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BelievedTier {
    /// Which.
    pub tier: Tier,
    /// Who says so.
    pub basis: Basis,
}

/// Who says which tier an app is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// An answer named it.
    Told,
    /// The configuration; no answer has named it so far.
    Configured,
    /// Nobody.
    Assumed,
}

impl Basis {
    /// The word in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Configured => "configured",
            Self::Assumed => "assumed",
        }
    }
}

impl BelievedTier {
    /// For people, behind a figure that rests on it.
    pub fn sentence(self) -> String {
        let tier = self.tier.label();
        match self.basis {
            Basis::Told => format!("{tier} tier"),
            Basis::Configured => format!("{tier} tier, as configured, until an answer names it"),
            Basis::Assumed => format!("unknown until an answer names the tier; assumed: {tier}"),
        }
    }
}

impl Tier {
    /// The word in the configuration and in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }

    /// Points of the score bucket, which decays within five minutes.
    pub(super) fn score(self) -> f64 {
        match self {
            Self::Limited => 60.0,
            Self::Full => 9000.0,
        }
    }

    /// Calls in an hour without any active ad.
    pub(super) fn hourly(self) -> f64 {
        match self {
            Self::Limited => 600.0,
            Self::Full => 190_000.0,
        }
    }
}
