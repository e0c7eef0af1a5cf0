//! What one scrape sends: pieces of one exposition in the order of the families.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::block::Block;
use super::deflate::{GZIP_HEAD, Sum, deflate};
use super::family::{FAMILIES, Format, header};

/// Smaller segments are copied together, larger ones are sent as they are.
const SMALL_SEGMENT_BYTES: usize = 1024;

/// Small segments that are sent together take about as much.
const JOINED_BYTES: usize = 32 << 10;

/// What of an exposition is sent, and the text behind it.
#[derive(Debug)]
pub struct Scrape {
    format: Format,
    pieces: Vec<Piece>,
    own: Deflated,
}

#[derive(Debug)]
enum Piece {
    /// The header of a family.
    Head(usize),
    /// The segment of a block at a place.
    Samples(Arc<Block>, usize),
}

/// A text, and the same as a segment.
#[derive(Clone, Debug)]
pub struct Deflated {
    text: Bytes,
    segment: Bytes,
    sum: Sum,
}

impl Deflated {
    /// Deflates a text.
    pub fn new(text: String) -> Self {
        let mut deflated = Vec::new();
        deflate(text.as_bytes(), &mut deflated);
        Self { sum: Sum::of(text.as_bytes()), text: text.into(), segment: deflated.into() }
    }
}

/// The headers of all families, by format.
static HEADS: LazyLock<[Vec<Deflated>; 2]> = LazyLock::new(|| {
    [Format::Text, Format::OpenMetrics]
        .map(|format| FAMILIES.iter().map(|family| Deflated::new(header(family, format))).collect())
});

impl Scrape {
    /// The families that have samples, each with its header, in the order of the table, and a text
    /// of the exporter's own behind them.
    pub(super) fn new<'a>(format: Format, blocks: impl Iterator<Item = &'a Arc<Block>>, own: Deflated) -> Self {
        let mut families: Vec<Vec<Piece>> = Vec::new();
        families.resize_with(FAMILIES.len(), Vec::new);
        for block in blocks {
            for (place, segment) in block.segments().iter().enumerate() {
                let family = &mut families[segment.family];
                if family.is_empty() {
                    family.push(Piece::Head(segment.family));
                }
                family.push(Piece::Samples(block.clone(), place));
            }
        }
        Self { format, pieces: families.into_iter().flatten().collect(), own }
    }

    /// Length of the plain text.
    pub fn len(&self) -> u64 {
        self.sum().len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The gzip member, in pieces; ready to send, and holding nothing of the exposition but them.
    pub fn gzip(&self) -> Vec<Bytes> {
        let mut out = Vec::with_capacity(self.pieces.len() + 2);
        let mut small = GZIP_HEAD.to_vec();
        let own = [&self.own.segment];
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Head(family) => self.head(*family).segment.clone(),
            Piece::Samples(block, place) => block.deflated(*place),
        });
        for bytes in pieces.chain(own.into_iter().cloned()) {
            // Thousands of small pieces would cost a write and a counter each; a large one is shared as it is.
            if bytes.len() < SMALL_SEGMENT_BYTES && small.len() < JOINED_BYTES {
                small.extend_from_slice(&bytes);
                continue;
            }
            if !small.is_empty() {
                out.push(std::mem::take(&mut small).into());
            }
            out.push(bytes);
        }
        small.extend_from_slice(&self.sum().gzip_tail());
        out.push(small.into());
        out
    }

    /// The plain text, rendered piece by piece as it is asked for.
    pub fn plain(self) -> impl Iterator<Item = Bytes> + Send {
        let heads = &HEADS[self.format as usize];
        let pieces = self.pieces.into_iter().map(move |piece| match piece {
            Piece::Head(family) => heads[family].text.clone(),
            Piece::Samples(block, place) => block.text(place).into(),
        });
        pieces.chain([self.own.text])
    }

    fn sum(&self) -> Sum {
        let sums = self.pieces.iter().map(|piece| match piece {
            Piece::Head(family) => self.head(*family).sum,
            Piece::Samples(block, place) => block.segments()[*place].sum,
        });
        sums.chain([self.own.sum]).fold(Sum::EMPTY, Sum::then)
    }

    fn head(&self, family: usize) -> &Deflated {
        &HEADS[self.format as usize][family]
    }
}
