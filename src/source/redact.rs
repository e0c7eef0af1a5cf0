//! The one place that every text from outside passes before anybody sees it: secrets are taken out of
//! it, whole or in part, and only then is it put on one line and cut.
//!
//! What counts as part of a secret is [`FRAGMENT_CHARS`] of its characters in a row. They are looked for in
//! the text as it is, and in what is left of it after each of [`DECODING_ROUNDS`] rounds of undoing percent
//! signs and backslashes; white space, quotes and whatever else can be put between two characters on
//! the way are passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Request;

/// So many characters of a secret in a row are a part of it that nobody may see.
pub const FRAGMENT_CHARS: usize = 12;

/// Fewer characters are in every text: they say nothing of a secret, and no secret has so few.
const SHORTEST_SECRET_CHARS: usize = 3;

/// How often a text may have been encoded, by one scheme or another: a URL in JSON in JSON.
const DECODING_ROUNDS: usize = 4;

/// Longest text of an API that a log line, a page or a label carries, in characters.
const LONGEST_LINE: usize = 300;

/// Longest name or state that is kept, in characters; Meta allows some 400 for a name.
const LONGEST_NAME: usize = 400;

/// What is written in a secret's place.
const HIDDEN: &str = "<secret>";

/// Parameters whose values are secret even where they are not ours: a proof, a quoted URL's token.
const SECRET_PARAMETERS: [&str; 4] = ["access_token=", "appsecret_proof=", "input_token=", "Signature="];

/// Characters in a row of a form of a secret, the last one in the lowest byte. [`FRAGMENT_CHARS`] of them fit.
type TextWindow = u128;

/// Knows secrets by their fragments, and takes them out of texts.
///
/// An API may answer `invalid token EAAB%2Bx...` and quote a part of the token, percent-encoded and cut. Each fragment
/// of [`FRAGMENT_CHARS`] characters is found in the text as it is and as it reads when decoded, and becomes `<secret>`.
/// The secrets themselves are not kept, only their fragments.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Fragments that are searched for in the text as it is, and in what decoding leaves of it.
    plain: FragmentIndex,
    decoded: FragmentIndex,
}

/// By their length, sorted.
type FragmentIndex = BTreeMap<usize, Vec<TextWindow>>;

/// A byte of a text, and where it was written.
#[derive(Clone, Copy)]
struct Sign {
    byte: u8,
    start: usize,
    end: usize,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// One that knows these secrets.
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.learn(secret);
        }
        redactor.sort();
        redactor
    }

    fn sort(&mut self) {
        for windows in self.plain.values_mut().chain(self.decoded.values_mut()) {
            windows.sort_unstable();
            windows.dedup();
        }
    }

    /// The same, and what a request carries beside the credential's content: the proof of a secret.
    #[must_use]
    pub fn and_proof_of<B>(self: Arc<Self>, request: &Request<B>) -> Arc<Self> {
        let mut parameters = request.uri().query().unwrap_or_default().split('&');
        let Some(proof) = parameters.find_map(|parameter| parameter.strip_prefix("appsecret_proof=")) else {
            return self;
        };
        let mut both = Self::clone(&self);
        both.learn(proof);
        both.sort();
        both.into()
    }

    /// A sentence for people: without secrets, on one line, of bounded length.
    pub fn line(&self, text: &str) -> String {
        let text = without_values(&self.redact(text));
        cut(text.chars().map(|c| if c.is_control() { ' ' } else { c }), LONGEST_LINE, "…")
    }

    /// A name for a label: without secrets, of bounded length, else as its owner wrote it.
    pub fn name(&self, text: &str) -> String {
        cut(self.redact(text).chars(), LONGEST_NAME, "")
    }

    /// The text with every fragment of a secret replaced.
    fn redact(&self, text: &str) -> String {
        let mut found: Vec<(usize, usize)> = Vec::new();
        if !self.plain.is_empty() {
            let mut signs: Vec<Sign> =
                text.bytes().enumerate().map(|(at, byte)| Sign { byte, start: at, end: at + 1 }).collect();
            find(&signs.iter().copied(), &self.plain, &mut found);
            for _ in 0..=DECODING_ROUNDS {
                // A line may end within an escape.
                signs.retain(|sign| sign.byte.is_ascii_graphic());
                find(&signs.iter().copied().filter(|sign| !is_passed_over(sign.byte)), &self.decoded, &mut found);
                let fewer = decode(&signs);
                if fewer.len() == signs.len() {
                    break;
                }
                signs = fewer;
            }
        }
        replace(text, found)
    }

    /// Notes the windows of a secret, and of the forms that a form of the web gives it.
    fn learn(&mut self, secret: &str) {
        note(secret.as_bytes(), FRAGMENT_CHARS, &mut self.plain);
        for form in [secret.to_owned(), secret.replace(' ', "+"), secret.replace('+', " ")] {
            let kept: Vec<u8> = form.bytes().filter(|byte| !is_passed_over(*byte)).collect();
            // A fragment may be shorter here, by what is passed over.
            let lost = |window: &[u8]| window.iter().filter(|byte| is_passed_over(**byte)).count();
            let most =
                form.as_bytes().windows(FRAGMENT_CHARS.min(form.len()).max(1)).map(lost).max().unwrap_or_default();
            note(&kept, FRAGMENT_CHARS.saturating_sub(most).max(SHORTEST_SECRET_CHARS), &mut self.decoded);
        }
    }
}

/// Notes what stands in a row in a secret; the whole of a shorter one.
fn note(secret: &[u8], length: usize, windows: &mut FragmentIndex) {
    let length = length.min(secret.len());
    if length >= SHORTEST_SECRET_CHARS {
        let windows = windows.entry(length).or_default();
        windows.extend(
            secret.windows(length).map(|window| window.iter().fold(0, |all, byte| all << 8 | TextWindow::from(*byte))),
        );
    }
}

/// Whether a byte may stand between two of a secret without parting them: white space, quotes and what
/// is not ASCII, such as a space of no width.
fn is_passed_over(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'\\')
}

/// Adds where windows are found.
fn find(signs: &(impl Iterator<Item = Sign> + Clone), windows: &FragmentIndex, found: &mut Vec<(usize, usize)>) {
    for (length, windows) in windows {
        let mask = TextWindow::MAX >> (128 - 8 * length);
        let (mut window, mut behind) = (0, signs.clone());
        for (index, sign) in signs.clone().enumerate() {
            window = (window << 8 | TextWindow::from(sign.byte)) & mask;
            let first = if index + 1 >= *length { behind.next() } else { None };
            if let Some(first) = first.filter(|_| windows.binary_search(&window).is_ok()) {
                match found.last_mut() {
                    Some((_, end)) if *end >= first.start && *end < sign.end => *end = sign.end,
                    _ => found.push((first.start, sign.end)),
                }
            }
        }
    }
}

/// One round of decoding: `%2B` is `+`, `\u002b` is `+`, `\n` is nothing that is looked at, and `\\` is
/// a backslash.
fn decode(signs: &[Sign]) -> Vec<Sign> {
    let mut decoded = Vec::with_capacity(signs.len());
    let mut rest = signs;
    while let Some((sign, behind)) = rest.split_first() {
        let hex = |digits: usize, from: usize| {
            let digits = behind.get(from..from + digits)?;
            digits.iter().try_fold(0_u32, |all, sign| Some(all << 4 | char::from(sign.byte).to_digit(16)?))
        };
        let (byte, length): (_, usize) = match (sign.byte, behind.first().map(|sign| sign.byte)) {
            (b'%', _) => (hex(2, 0), 2),
            (b'\\', Some(b'u')) => (hex(4, 1), 5),
            (b'\\', Some(b'n' | b'r' | b't' | b'b' | b'f')) => (Some(u32::from(b' ')), 1),
            (b'\\', Some(next)) => (Some(u32::from(next)), 1),
            _ => (None, 0),
        };
        let (byte, length) = byte.map_or((sign.byte, 0), |byte| (u8::try_from(byte).unwrap_or(b' '), length));
        let end = length.checked_sub(1).and_then(|last| behind.get(last)).map_or(sign.end, |last| last.end);
        decoded.push(Sign { byte, start: sign.start, end });
        rest = behind.get(length..).unwrap_or_default();
    }
    decoded
}

/// The text with something else in the place of each span. Spans begin and end at ASCII characters.
fn replace(text: &str, mut spans: Vec<(usize, usize)>) -> String {
    spans.sort_unstable();
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    for (start, end) in spans {
        if let Some(before) = text.get(at..start) {
            kept += before;
            kept += HIDDEN;
        }
        at = at.max(end);
    }
    kept + text.get(at..).unwrap_or_default()
}

/// The text without the values of secret parameters.
fn without_values(text: &str) -> String {
    let mut text = text.to_owned();
    for name in SECRET_PARAMETERS {
        let mut parts = text.split(name);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| c == '&' || c == '"' || c == ',' || c.is_whitespace()).unwrap_or(part.len());
            kept = [&kept, name, HIDDEN, part.get(end..).unwrap_or_default()].concat();
        }
        text = kept;
    }
    text
}

fn cut(mut text: impl Iterator<Item = char>, longest: usize, more: &str) -> String {
    let kept: String = text.by_ref().take(longest).collect();
    if text.next().is_some() { kept + more } else { kept }
}

#[cfg(test)]
mod tests;
