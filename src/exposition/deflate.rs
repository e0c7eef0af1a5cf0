//! Text deflated in segments that are joined in any order to one gzip member.
//!
//! Each segment ends with a full flush, so it refers to nothing before it and ends on a byte. The
//! check sum of the whole is combined from those of the segments. A member for each segment would be
//! simpler and is not used: `curl`, `wget` and one-shot readers stop after the first member without
//! an error.

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress};

/// A third smaller than level 1 on such text; higher levels win nearly nothing.
const DEFLATE_LEVEL: Compression = Compression::new(2);

/// Room that a flush may take beside the data.
const FLUSH_SLACK_BYTES: usize = 64;

/// Magic number, method deflate, no flags, no time, no level, unknown system.
pub(super) const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The last block of a deflate stream: an empty one.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// The remainder that CRC-32 divides by, its highest power left out, lowest power first.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The polynomial 1 in the same notation.
const ONE: u32 = 1 << 31;

/// Length and check sum of a text, in a form that can be joined with those of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    len: u64,
    crc: u32,
    /// By what the check sum of whatever stands before is multiplied: `x` to the length in bits.
    shift: u32,
}

impl Sum {
    /// Of no text.
    pub(super) const EMPTY: Self = Self { len: 0, crc: 0, shift: ONE };

    pub(super) fn of(text: &[u8]) -> Self {
        // `x` to the 8 times length by squaring: a byte of text shifts what stands before it by eight bits.
        let (mut shift, mut square, mut rest) = (ONE, ONE >> 8, text.len());
        while rest > 0 {
            if rest & 1 == 1 {
                shift = multiply(shift, square);
            }
            square = multiply(square, square);
            rest >>= 1;
        }
        Self { len: text.len() as u64, crc: crc32fast::hash(text), shift }
    }

    /// Of this text and the next one.
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            len: self.len + next.len,
            crc: multiply(self.crc, next.shift) ^ next.crc,
            shift: multiply(self.shift, next.shift),
        }
    }

    /// Length of the text.
    pub(super) fn len(self) -> u64 {
        self.len
    }

    /// What stands behind the last segment.
    pub(super) fn gzip_tail(self) -> Vec<u8> {
        // The format wants the length modulo 2^32.
        let len = u32::try_from(self.len & u64::from(u32::MAX)).unwrap_or_default();
        [&LAST_BLOCK[..], &self.crc.to_le_bytes(), &len.to_le_bytes()].concat()
    }
}

/// The product of two polynomials, modulo that of CRC-32.
fn multiply(one: u32, other: u32) -> u32 {
    let (mut product, mut other) = (0, other);
    for bit in (0..32).rev() {
        if one >> bit & 1 == 1 {
            product ^= other;
        }
        other = if other & 1 == 1 { other >> 1 ^ POLYNOMIAL } else { other >> 1 };
    }
    product
}

thread_local! {
    /// A compressor's tables are larger than what it is given, so each thread keeps its own.
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(DEFLATE_LEVEL, false));
}

/// Appends a text's segment.
pub(super) fn deflate(text: &[u8], out: &mut Vec<u8>) {
    COMPRESS.with_borrow_mut(|compress| {
        // So that a segment refers to nothing before it, and can stand anywhere.
        compress.reset();
        out.reserve(text.len() / 12 + FLUSH_SLACK_BYTES);
        loop {
            let rest = usize::try_from(compress.total_in()).ok().and_then(|read| text.get(read..)).unwrap_or_default();
            // It fails for a stream that was finished, which this one never is.
            let _ = compress.compress_vec(rest, out, FlushCompress::Full);
            // Only a flush that is over leaves room.
            if out.len() < out.capacity() && compress.total_in() == text.len() as u64 {
                break;
            }
            out.reserve(text.len() / 12 + FLUSH_SLACK_BYTES);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;

    fn gunzip(member: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::bufread::GzDecoder::new(member).read_to_end(&mut text).unwrap();
        text
    }

    proptest! {
        /// Segments of any texts, the empty one among them, are one member; the reader checks the sum.
        #[test]
        fn segments_are_one_member(texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..6)) {
            let (mut member, mut sum) = (GZIP_HEAD.to_vec(), Sum::EMPTY);
            for text in &texts {
                deflate(text, &mut member);
                sum = sum.then(Sum::of(text));
            }
            member.extend(sum.gzip_tail());
            prop_assert_eq!(gunzip(&member), texts.concat());
            prop_assert_eq!(sum, Sum::of(&texts.concat()));
        }
    }

    #[test]
    fn a_text_that_does_not_shrink_is_whole() {
        let noise: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut member = GZIP_HEAD.to_vec();
        deflate(&noise, &mut member);
        member.extend(Sum::of(&noise).gzip_tail());
        assert_eq!(gunzip(&member), noise);
    }
}
