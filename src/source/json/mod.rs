//! JSON that is not trusted: read in one pass, as a stream, and kept only where it was asked
//! for. A value of the wrong kind is passed over and spoils no other.

mod envelope;
mod object;
mod repair;

use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

pub(super) use envelope::{ListPresence, envelope};
pub(super) use object::{Keep, KeptKeys, Object, start};
use repair::repaired;

/// Most elements of a list: twenty times the rows that are ever asked for at once.
pub(super) const MOST_ROWS: usize = 10_000;

/// Most keys of an object; a row has some thirty.
pub(super) const MOST_KEYS: usize = 1_000;

/// Longest text that is looked at, in bytes: much more than is ever shown, because secrets are taken
/// out before a text is cut to what is shown.
pub(super) const LONGEST_TEXT: usize = 8 << 10;

/// Longest text in a large body, in bytes: no name or message comes near it.
const LONGEST_RUN: usize = 1 << 20;

/// Most levels of a large body; rows have five.
const MAX_DEPTH: usize = 1_000;

/// What to make of a value, whatever it is. What is not wanted is read past and not kept.
pub(super) trait Lenient<'de>: Sized {
    /// What it comes to.
    type Out;

    /// Of what makes no sense here.
    fn odd(self) -> Self::Out;

    /// Of null.
    fn nothing(self) -> Self::Out {
        self.odd()
    }

    /// Of a text, or a number's digits: the APIs promise texts, and now and then send numbers.
    fn text(self, _: &str) -> Self::Out {
        self.odd()
    }

    /// Of a boolean.
    fn flag(self, _: bool) -> Self::Out {
        self.odd()
    }

    /// Of a list.
    fn list<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Out, S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.odd())
    }

    /// Of an object.
    fn object<M: MapAccess<'de>>(self, mut object: M) -> Result<Self::Out, M::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.odd())
    }
}

/// Any value, for serde.
pub(super) struct Any<L>(pub(super) L);

impl<'de, L: Lenient<'de>> DeserializeSeed<'de> for Any<L> {
    type Value = L::Out;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<L::Out, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, L: Lenient<'de>> Visitor<'de> for Any<L> {
    type Value = L::Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_str<E>(self, text: &str) -> Result<L::Out, E> {
        Ok(self.0.text(text))
    }
    fn visit_u64<E>(self, number: u64) -> Result<L::Out, E> {
        Ok(self.0.text(&number.to_string()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<L::Out, E> {
        Ok(self.0.text(&number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<L::Out, E> {
        Ok(self.0.text(&number.to_string()))
    }
    fn visit_unit<E>(self) -> Result<L::Out, E> {
        Ok(self.0.nothing())
    }
    fn visit_bool<E>(self, flag: bool) -> Result<L::Out, E> {
        Ok(self.0.flag(flag))
    }
    fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<L::Out, S::Error> {
        self.0.list(list)
    }
    fn visit_map<M: MapAccess<'de>>(self, object: M) -> Result<L::Out, M::Error> {
        self.0.object(object)
    }
}

/// A key, and what it means.
pub(super) struct KeyReader<F>(pub(super) F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for KeyReader<F> {
    type Value = T;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for KeyReader<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<T, E> {
        Ok((self.0)(key))
    }
}

/// Why a body says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is no object of JSON.
    Foreign,
    /// Its list has more than [`MOST_ROWS`] elements.
    Endless,
}

/// Reads a body that is an object.
pub(super) fn object(body: &[u8], names: &'static KeptKeys) -> Result<Object, BodyError> {
    whole(body, |body| {
        let mut json = Deserializer::from_slice(body);
        let read = Any(Keep::only(names)).deserialize(&mut json)?;
        json.end().map(|()| read)
    })
}

/// Reads a body, and once more with its bad letters and numbers taken out, if it has any: they cost
/// what they stand in, and not the page.
fn whole<T>(body: &[u8], read: impl Fn(&[u8]) -> serde_json::Result<Option<T>>) -> Result<T, BodyError> {
    if body.len() > LONGEST_RUN && !is_fine(body) {
        return Err(BodyError::Foreign);
    }
    let outcome = match read(body) {
        Err(error) if error.is_syntax() => repaired(body).map_or(Err(error), |body| read(&body)),
        outcome => outcome,
    };
    match outcome {
        Ok(read) => read.ok_or(BodyError::Foreign),
        // Nothing of serde's own minds what the data are.
        Err(error) if error.is_data() => Err(BodyError::Endless),
        Err(_) => Err(BodyError::Foreign),
    }
}

/// Whether the parts of a large body are small. The parser copies a text with escapes and notes each
/// level: for one that fills the body this would take its memory again.
fn is_fine(body: &[u8]) -> bool {
    let (mut depth, mut start, mut at) = (0_usize, None, 0);
    while let Some(byte) = body.get(at) {
        match (byte, start) {
            (b'"', None) => start = Some(at),
            (b'"', Some(began)) => {
                if at - began > LONGEST_RUN {
                    return false;
                }
                start = None;
            }
            (b'\\', Some(_)) => at += 1,
            (b'[' | b'{', None) => depth += 1,
            (b']' | b'}', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
        at += 1;
    }
    start.is_none_or(|began| body.len() - began <= LONGEST_RUN)
}

#[cfg(test)]
mod tests {
    use super::object::KeptValue;
    use super::*;

    static NAMES: KeptKeys = KeptKeys { values: &["a", "b"], objects: &["o"] };

    #[test]
    fn only_what_is_named_is_kept_and_the_last_of_a_name_counts() {
        let body = br#"{"x":[{"a":1}],"a":"1","o":{"o":{"a":2.5}},"b":[],"a":true,"o":{"o":{"b":-7,"a":"z"}}}"#;
        let object = object(body, &NAMES).unwrap();
        assert_eq!((object.flag("a"), object.get("b"), object.text("a")), (Some(true), Some(&KeptValue::Odd), None));
        let inner = object.object("o").and_then(|object| object.object("o")).unwrap();
        assert_eq!((inner.text("a"), inner.number("b")), (Some("z"), Some(-7)));
    }

    #[test]
    fn a_text_is_kept_as_far_as_it_is_looked_at() {
        let body = format!(r#"{{"a":"{}"}}"#, "é".repeat(LONGEST_TEXT));
        assert_eq!(object(body.as_bytes(), &NAMES).unwrap().text("a").map(str::len), Some(LONGEST_TEXT));
        let odd = format!(r#"{{"a":"x{}"}}"#, "é".repeat(LONGEST_TEXT));
        assert_eq!(object(odd.as_bytes(), &NAMES).unwrap().text("a").map(str::len), Some(LONGEST_TEXT - 1));
    }

    #[test]
    fn a_list_is_bounded_and_anything_else_is_told_from_it() {
        let read = |body: &str| {
            let fold = |sum: &mut usize, element: Option<Object>| *sum += usize::from(element.is_some());
            envelope(body.as_bytes(), "l", &NAMES, Keep::only(&NAMES), fold).map(|e| (e.list, e.rows, e.state))
        };
        assert_eq!(read(r#"{"l":[{},1,[],{"a":1}],"a":1}"#), Ok((ListPresence::Read, 4, 2)));
        assert_eq!(read(r#"{"l":null}"#), Ok((ListPresence::Absent, 0, 0)));
        assert_eq!(read(r#"{"l":{"a":[]}}"#), Ok((ListPresence::Odd, 0, 0)));
        for foreign in ["", "[]", "1", "{", r#"{"l":[}"#, r#"{"l":[]} x"#, "<html>"] {
            assert_eq!(read(foreign), Err(BodyError::Foreign), "{foreign}");
        }
        let list = |rows: usize| format!(r#"{{"l":[{}]}}"#, vec!["0"; rows].join(","));
        assert_eq!(read(&list(MOST_ROWS)), Ok((ListPresence::Read, MOST_ROWS, 0)));
        assert_eq!(read(&list(MOST_ROWS + 1)), Err(BodyError::Endless));
    }

    #[test]
    fn a_large_body_is_of_small_parts() {
        let padding = " ".repeat(LONGEST_RUN);
        for (part, fine) in [
            ("x".repeat(LONGEST_RUN), false),
            ("x".repeat(1000), true),
            (r#"\""#.repeat(LONGEST_RUN / 2 + 1), false),
            (r#"\\","b":""#.repeat(1000), true),
        ] {
            let body = format!(r#"{{"x":"{part}","a":1{padding}}}"#);
            assert_eq!(object(body.as_bytes(), &NAMES).is_ok(), fine);
        }
        let nested = |deep: usize| format!(r#"{{"x":{}{},"a":1{padding}}}"#, "[".repeat(deep), "]".repeat(deep));
        assert!(object(nested(MAX_DEPTH - 1).as_bytes(), &NAMES).is_ok());
        assert!(object(nested(MAX_DEPTH).as_bytes(), &NAMES).is_err());
    }

    #[test]
    fn depth_has_no_end_and_does_no_harm() {
        for (open, close) in [("[", "]"), (r#"{"o":"#, "}")] {
            let (open, close) = (open.repeat(100_000), close.repeat(100_000));
            for key in ["x", "o"] {
                let body = format!(r#"{{"{key}":{open}1{close},"a":1}}"#);
                assert_eq!(object(body.as_bytes(), &NAMES).unwrap().number("a"), Some(1));
            }
        }
    }
}
