//! The body of a response, while it arrives. A large one has memory pages of its own, which go back to the system the
//! moment the answer is dropped. On the heap they would stay with the process, one hole for each thread that read.

use std::io;

use bytes::Bytes;
use memmap2::{Advice, MmapMut};

/// A body up to here stays on the heap, in bytes.
pub(super) const HEAP_BODY_BYTES: usize = 64 << 10;

/// What came of a body so far.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    small: Vec<u8>,
    /// Room for the largest body there may be. The system gives a page when it is written to, so this is
    /// address space and no memory, and the body is never copied in order to grow.
    pages: Option<MmapMut>,
    length: usize,
}

impl Incoming {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_large(&self) -> bool {
        self.pages.is_some()
    }

    /// Adds bytes to a body that has at most `most` of them in the end.
    pub(super) fn push(&mut self, chunk: &[u8], most: usize) -> io::Result<()> {
        let end = self.length + chunk.len();
        if self.pages.is_none() && end > HEAP_BODY_BYTES {
            let mut pages = MmapMut::map_anon(most.max(end))?;
            // Huge pages would take 2 MiB for each body. A system that has none refuses the advice.
            let _ = pages.advise(Advice::NoHugePage);
            if let Some(start) = pages.get_mut(..self.length) {
                start.copy_from_slice(&self.small);
            }
            (self.pages, self.small) = (Some(pages), Vec::new());
        }
        match self.pages.as_mut().map(|pages| pages.get_mut(self.length..end)) {
            None => self.small.extend_from_slice(chunk),
            Some(Some(place)) => place.copy_from_slice(chunk),
            Some(None) => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        self.length = end;
        Ok(())
    }

    /// The whole of it.
    pub(super) fn into_bytes(self) -> Bytes {
        match self.pages {
            Some(pages) => Bytes::from_owner(pages).slice(..self.length),
            None => self.small.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_the_same_wherever_it_lives() {
        for (length, chunk) in [
            (0, 1),
            (1, 1),
            (HEAP_BODY_BYTES, 1000),
            (HEAP_BODY_BYTES + 1, 1000),
            (HEAP_BODY_BYTES + 1, HEAP_BODY_BYTES + 1),
            (300_000, 7),
        ] {
            let text: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut body = Incoming::default();
            text.chunks(chunk).for_each(|chunk| body.push(chunk, 300_000).unwrap());
            assert_eq!((body.len(), body.is_large()), (length, length > HEAP_BODY_BYTES));
            assert!(body.into_bytes() == text, "{length} bytes by {chunk}");
        }
        let mut body = Incoming::default();
        body.push(&vec![0; HEAP_BODY_BYTES], HEAP_BODY_BYTES + 1).unwrap();
        body.push(&[0], HEAP_BODY_BYTES + 1).unwrap();
        assert!(body.push(&[0], HEAP_BODY_BYTES + 1).is_err());
    }
}
