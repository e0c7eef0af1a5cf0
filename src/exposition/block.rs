//! Blocks: what is rendered and deflated together, and shared between expositions while it stays the same.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::MmapMut;

use super::deflate::{Sum, deflate};
use super::family::{self, FamilySet, Other};
use super::figures::FigureRun;
use super::info::{AccountInfo, CampaignRun};
use super::state::States;
use super::windows::Windows;
use crate::domain::target::{CampaignId, TargetKey};

/// From here on the rest of the last page is no waste to speak of.
const TRIMMED_BELOW_BYTES: usize = 16 << 10;

/// A run of some hundred series of each of its families: for an account of 5,000 campaigns there are about ten, and a
/// poll that moved the spend of one campaign renders one family of one of them. The deflated text is kept, the plain
/// one is rendered from the content while it is sent.
#[derive(Debug)]
pub(super) struct Block {
    id: BlockId,
    content: BlockContent,
    segments: Box<[Segment]>,
    /// The segments, one behind the other.
    deflated: Bytes,
}

/// The samples of one family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) family: usize,
    pub(super) sum: Sum,
    /// Where its deflated text ends.
    end: usize,
}

/// What a block begins with. Blocks are cut by what they hold and not by its number, so that one
/// more campaign changes one block and not all behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum BlockId {
    Figures(TargetKey, Option<CampaignId>),
    Windows,
    Campaigns(CampaignId),
    Account,
    States(TargetKey),
}

#[derive(Debug)]
pub(super) enum BlockContent {
    Figures(FigureRun),
    Windows(Windows),
    Campaigns(CampaignRun),
    Account(AccountInfo),
    States(States),
}

impl BlockContent {
    fn families(&self) -> FamilySet {
        match self {
            Self::Figures(figures) => figures.families(),
            Self::Windows(_) => Windows::families(),
            Self::States(states) => states.families(),
            Self::Campaigns(_) => FamilySet::one(family::other(Other::CampaignInfo)),
            Self::Account(_) => FamilySet::one(family::other(Other::AccountInfo)),
        }
    }

    /// Whether it is made of the very same parts.
    fn identical(&self, former: &Self) -> bool {
        match (self, former) {
            (Self::Figures(figures), Self::Figures(former)) => figures.identical(former),
            (Self::Windows(windows), Self::Windows(former)) => windows == former,
            (Self::Campaigns(campaigns), Self::Campaigns(former)) => campaigns.identical(former),
            (Self::Account(account), Self::Account(former)) => account == former,
            (Self::States(states), Self::States(former)) => states == former,
            _ => false,
        }
    }

    /// Whether a family reads as it did.
    fn same(&self, former: &Self, family: usize) -> bool {
        match (self, former) {
            (Self::Figures(figures), Self::Figures(former)) => figures.same(former, family),
            (Self::Windows(windows), Self::Windows(former)) => windows == former,
            (Self::Campaigns(campaigns), Self::Campaigns(former)) => campaigns.same(former),
            (Self::Account(account), Self::Account(former)) => account == former,
            (Self::States(states), Self::States(former)) => states.same(former, family),
            _ => false,
        }
    }

    fn write(&self, family: usize, out: &mut Vec<u8>) {
        match self {
            Self::Figures(figures) => figures.write(family, out),
            Self::Windows(windows) => windows.write(family, out),
            Self::Campaigns(campaigns) => campaigns.write(out),
            Self::Account(account) => account.write(out),
            Self::States(states) => states.write(family, out),
        }
    }
}

/// Puts a large text into pages of its own. They go back to the system when the last scrape that sends
/// it ends, however slow that is; on the heap they would stay with the process, between what lives on.
fn placed(deflated: Vec<u8>) -> Bytes {
    if deflated.len() >= TRIMMED_BELOW_BYTES
        && let Ok(mut pages) = MmapMut::map_anon(deflated.len())
    {
        pages.copy_from_slice(&deflated);
        return Bytes::from_owner(pages);
    }
    deflated.into()
}

impl Block {
    /// Renders a block; what reads as it did in the former one is taken from there. A block of the very
    /// same parts is shared; one that merely reads the same must not keep the former parts alive.
    pub(super) fn render(
        id: BlockId,
        content: BlockContent,
        former: Option<&Arc<Self>>,
        text: &mut Vec<u8>,
    ) -> Arc<Self> {
        if let Some(former) = former.filter(|former| content.identical(&former.content)) {
            return former.clone();
        }
        let (mut segments, mut deflated) = (Vec::new(), Vec::new());
        for family in content.families().iter() {
            // Deflating is what costs: comparing the numbers first is far cheaper.
            let same = former.filter(|former| content.same(&former.content, family));
            let sum = if let Some((sum, bytes)) = same.and_then(|former| former.segment(family)) {
                deflated.extend_from_slice(bytes);
                sum
            } else {
                text.clear();
                content.write(family, text);
                deflate(text, &mut deflated);
                Sum::of(text)
            };
            segments.push(Segment { family, sum, end: deflated.len() });
        }
        Arc::new(Self { id, content, segments: segments.into(), deflated: placed(deflated) })
    }

    pub(super) fn id(&self) -> &BlockId {
        &self.id
    }

    pub(super) fn content(&self) -> &BlockContent {
        &self.content
    }

    /// The segments, by family.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The deflated text of the segment at a place.
    pub(super) fn deflated(&self, place: usize) -> Bytes {
        self.deflated.slice(self.range(place))
    }

    /// The plain text of the segment at a place, rendered again.
    pub(super) fn text(&self, place: usize) -> Vec<u8> {
        let Segment { family, sum, .. } = self.segments[place];
        let mut text = Vec::with_capacity(usize::try_from(sum.len()).unwrap_or_default());
        self.content.write(family, &mut text);
        text
    }

    fn range(&self, place: usize) -> Range<usize> {
        place.checked_sub(1).map_or(0, |before| self.segments[before].end)..self.segments[place].end
    }

    fn segment(&self, family: usize) -> Option<(Sum, &[u8])> {
        let place = self.segments.binary_search_by_key(&family, |segment| segment.family).ok()?;
        Some((self.segments[place].sum, &self.deflated[self.range(place)]))
    }
}
