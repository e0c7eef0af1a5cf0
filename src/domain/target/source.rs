//! The APIs that figures come from, and what tells them apart for whoever schedules.

/// Whose API, and what tells it apart for whoever schedules and shows it. What its requests and answers look like is in
/// `source/`. A further source is a further constant; nothing matches on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    label: &'static str,
    lanes: LaneScope,
}

/// What shares an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneScope {
    /// Everything of an ad account.
    Account,
    /// Everything of a credential.
    Credential,
}

impl Source {
    /// Alibaba Cloud CAMS.
    pub const CAMS: Self = Self::new("cams", LaneScope::Credential);
    /// Meta's Graph API.
    pub const META: Self = Self::new("meta", LaneScope::Account);
    /// Every source, in the order of the exposition.
    pub const ALL: [Self; 2] = [Self::CAMS, Self::META];

    /// A source with this value of the label `source`.
    pub const fn new(label: &'static str, lanes: LaneScope) -> Self {
        Self { label, lanes }
    }

    /// The value of the label `source`.
    pub const fn label(self) -> &'static str {
        self.label
    }

    /// The source of a label.
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.label == label)
    }

    /// What shares an allowance of it.
    pub fn lanes(self) -> LaneScope {
        self.lanes
    }
}
