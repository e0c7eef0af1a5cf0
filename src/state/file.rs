//! The file itself: written whole or not at all, read whole or not at all.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::SavedState;
use super::record::{Record, TargetRecord};
use crate::replace::replace;

const FORMAT: &str = "marketing-messages-exporter state";

/// Raised when an older version could not read the file.
const VERSION: u32 = 1;

/// What every gzip member begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Longest text of a file that is read: several times what the largest fleet takes.
const MAX_TEXT_BYTES: u64 = 4 << 30;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// It cannot be opened.
    #[error("it cannot be opened: {0}")]
    Closed(std::io::Error),
    /// It is none of ours.
    #[error("it is not a state file of this program")]
    Foreign,
    /// A later version wrote it.
    #[error("version {0} of the format is newer than this program")]
    Newer(u32),
    /// It is truncated or was changed.
    #[error("it is damaged")]
    Damaged,
}

/// Writes the state, whole or not at all.
pub fn write(path: &Path, state: &SavedState) -> std::io::Result<()> {
    replace(path, |file| encode(BufWriter::new(file), state))
}

/// A state as bytes.
pub fn encode(out: impl Write, state: &SavedState) -> std::io::Result<()> {
    // JSON comes in fragments of a few bytes, and each write costs the compressor a pass over its buffer.
    let mut packed = BufWriter::new(GzEncoder::new(out, Compression::fast()));
    lines(&mut packed, state)?;
    packed.into_inner()?.finish()?.flush()
}

fn lines(out: &mut impl Write, state: &SavedState) -> std::io::Result<()> {
    let mut records = 0;
    line(out, &Head { format: FORMAT.to_owned(), version: VERSION })?;
    let mut add = |record: &Record| {
        records += 1;
        line(out, record)
    };
    for (key, kept) in &state.targets {
        add(&Record::Target(Box::new(TargetRecord::of(key, kept))))?;
    }
    for known in &state.accounts {
        add(&Record::account(known))?;
    }
    for known in &state.listings {
        add(&Record::listing(known))?;
    }
    for (credential, campaign, member) in &state.members {
        add(&Record::member(credential, *campaign, *member))?;
    }
    for (lane, until) in &state.blocked {
        add(&Record::blocked(lane, *until))?;
    }
    line(out, &Record::End { records })
}

fn line(out: &mut impl Write, content: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, content)?;
    out.write_all(b"\n")
}

/// Reads a state; `None` when there is no file. A record of what this version does not know is left
/// out, anything that is not whole is refused.
pub fn read(path: &Path) -> Result<Option<SavedState>, StateFileError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(StateFileError::Closed)?,
    };
    decode(BufReader::new(file)).map(Some)
}

/// A state from bytes.
pub fn decode(mut packed: impl BufRead) -> Result<SavedState, StateFileError> {
    // A look at two bytes, so that a wrong path is called that and not "damaged".
    if !packed.fill_buf().map_err(StateFileError::Closed)?.starts_with(&GZIP) {
        return Err(StateFileError::Foreign);
    }
    // The bound is on what unpacks: a small file may claim to be terabytes.
    let mut lines = BufReader::new(GzDecoder::new(packed).take(MAX_TEXT_BYTES)).lines();
    let first = lines.next().ok_or(StateFileError::Foreign)?.map_err(|_| StateFileError::Damaged)?;
    let head: Head = serde_json::from_str(&first).map_err(|_| StateFileError::Foreign)?;
    if head.format != FORMAT {
        return Err(StateFileError::Foreign);
    }
    if head.version > VERSION {
        return Err(StateFileError::Newer(head.version));
    }
    let mut state = SavedState::default();
    let (mut seen, mut counted) = (0, None);
    for line in lines {
        let record: Record =
            serde_json::from_str(&line.map_err(|_| StateFileError::Damaged)?).map_err(|_| StateFileError::Damaged)?;
        if let Record::End { records } = record {
            counted = Some(records);
        } else {
            seen += 1;
            // A window or a metric of another version costs that record only.
            let _ = record.read(&mut state);
        }
    }
    // A file that lost lines between two whole ones still unpacks; the count finds it.
    if counted == Some(seen) { Ok(state) } else { Err(StateFileError::Damaged) }
}
