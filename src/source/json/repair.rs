//! Repairs invalid characters and numbers in JSON: a stray surrogate in a name must not cost a page of campaigns.
//!
//! What no reader takes is overwritten in its place, letter by letter: bad UTF-8, bad escapes, control
//! characters and half surrogates by question marks, numbers that are none or too large by a text of
//! them, which is no number, so that the field is rejected and counted.

use memmap2::MmapMut;

/// Largest body that is copied to be read again; a page of rows is far smaller.
const MAX_REPAIRED_BYTES: usize = 2 << 20;

/// The body as JSON that says the same, as far as it says anything; `None` where that is not worth
/// trying.
pub(super) fn repaired(body: &[u8]) -> Option<MmapMut> {
    if body.len() > MAX_REPAIRED_BYTES || body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    // Pages of its own, like those of the body: the copy leaves nothing with the heap.
    let mut copy = MmapMut::map_anon(body.len()).ok()?;
    copy.copy_from_slice(body);
    let mut at = 0;
    while let Some(byte) = copy.get(at) {
        at = match byte {
            b'"' => string(&mut copy, at + 1),
            b'-' | b'+' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => word(&mut copy, at),
            _ => at + 1,
        };
    }
    Some(copy)
}

/// Mends a string from behind its quote, and gives the place behind its end.
fn string(body: &mut [u8], from: usize) -> usize {
    let mut at = from;
    // Where what is not ASCII begins.
    let mut wide = None;
    while let Some(byte) = body.get(at).copied() {
        if byte.is_ascii() {
            if let Some(start) = wide.take() {
                mask(body, start, at);
            }
        } else {
            wide.get_or_insert(at);
        }
        match byte {
            b'"' => return at + 1,
            b'\\' => at = escape(body, at),
            byte => {
                if byte < b' ' {
                    body[at] = b'?';
                }
                at += 1;
            }
        }
    }
    at
}

/// Masks the bytes of a stretch that are no UTF-8.
fn mask(body: &mut [u8], start: usize, end: usize) {
    let mut at = start;
    while let Some(Err(error)) = body.get(at..end).map(std::str::from_utf8) {
        let bad = at + error.valid_up_to();
        let length = error.error_len().unwrap_or(end - bad);
        body[bad..bad + length].fill(b'?');
        at = bad + length;
    }
}

/// Mends an escape, and gives the place behind it.
fn escape(body: &mut [u8], at: usize) -> usize {
    let unit = |body: &[u8], at: usize| {
        let digits = body.get(at..at + 6).filter(|escape| escape.starts_with(br"\u"))?;
        digits[2..].iter().try_fold(0_u32, |all, byte| Some(all << 4 | char::from(*byte).to_digit(16)?))
    };
    match (body.get(at + 1), unit(body, at)) {
        (Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'), _) => at + 2,
        (_, Some(0xd800..=0xdbff)) if matches!(unit(body, at + 6), Some(0xdc00..=0xdfff)) => at + 12,
        (_, Some(0xd800..=0xdfff)) => {
            body[at..at + 6].fill(b'?');
            at + 6
        }
        (_, Some(_)) => at + 6,
        (..) => {
            body[at] = b'?';
            at + 1
        }
    }
}

/// Mends a number or a word, and gives the place behind it.
fn word(body: &mut [u8], at: usize) -> usize {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    let length = body.get(at..).unwrap_or_default().iter().take_while(|byte| letter(byte)).count();
    let word = &mut body[at..at + length];
    let sound =
        matches!(&*word, b"true" | b"false" | b"null") || serde_json::from_slice::<f64>(word).is_ok_and(f64::is_finite);
    if let ([first, .., last], false) = (&mut *word, sound) {
        (*first, *last) = (b'"', b'"');
        word[1..length - 1].fill(b'?');
    }
    at + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Option<serde_json::Value> {
        repaired(body).and_then(|body| serde_json::from_slice(&body).ok())
    }

    #[test]
    fn what_no_reader_takes_costs_only_itself() {
        for (bad, good) in [
            (&b"1e400"[..], r#""???""#),
            (b"-1e999", r#""????""#),
            (b"NaN", r#""?""#),
            (b"-Infinity", r#""???????""#),
            (b"007", r#""?""#),
            (b"+1", r#""""#),
            (br#""a\ud800b""#, r#""a??????b""#),
            (br#""\udc00\ud83c\udf37""#, r#""??????🌷""#),
            (br#""\ud83c\u0041""#, r#""??????A""#),
            (br#""\x41\q\\""#, r#""?x41?q\\""#),
            (br#""\u12""#, r#""?u12""#),
            (b"\"\xff\xc3\xa9\xf0\x9f\"", "\"?é??\""),
            (b"\"a\nb\x00\"", r#""a?b?""#),
        ] {
            let body = [br#"{"a":"#, bad, br#","b":1.5,"c":[true,null,-0.5e3],"d":"\u00e9\n"}"#].concat();
            let expected = format!(r#"{{"a":{good},"b":1.5,"c":[true,null,-500.0],"d":"é\n"}}"#);
            assert_eq!(read(&body), serde_json::from_str(&expected).ok(), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn what_is_no_object_or_huge_is_left_alone() {
        assert!(repaired(b"<html>").is_none());
        assert!(repaired(&vec![b'{'; MAX_REPAIRED_BYTES + 1]).is_none());
        assert_eq!(read(br#"{"a":"#), None);
    }

    proptest::proptest! {
        /// It ends, keeps the length, and leaves sound JSON as it is.
        #[test]
        fn any_bytes_keep_their_length(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            let body = [b"{", &*bytes].concat();
            proptest::prop_assert_eq!(repaired(&body).unwrap().len(), body.len());
            let sound = serde_json::json!({"a": String::from_utf8_lossy(&bytes), "b": [1, 2.5]}).to_string();
            proptest::prop_assert_eq!(&*repaired(sound.as_bytes()).unwrap(), sound.as_bytes());
        }
    }
}
