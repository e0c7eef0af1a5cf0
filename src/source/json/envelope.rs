//! A list in its envelope: each element is passed on as soon as it is read.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess};
use serde_json::Deserializer;

use super::{Any, BodyError, Keep, KeptKeys, KeyReader, Lenient, MOST_ROWS, Object, whole};

/// The elements of a list, each given on as soon as it is read.
struct Elements<'s, L, S, F> {
    element: L,
    fold: &'s F,
    into: &'s mut S,
    rows: &'s mut usize,
}

impl<'de, L: Lenient<'de> + Copy, S, F: Fn(&mut S, L::Out)> Lenient<'de> for Elements<'_, L, S, F> {
    type Out = ListPresence;

    fn nothing(self) -> ListPresence {
        ListPresence::Absent
    }
    fn odd(self) -> ListPresence {
        ListPresence::Odd
    }
    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<ListPresence, A::Error> {
        while let Some(element) = list.next_element_seed(Any(self.element))? {
            *self.rows += 1;
            if *self.rows > MOST_ROWS {
                return Err(A::Error::custom("too many rows"));
            }
            (self.fold)(self.into, element);
        }
        Ok(ListPresence::Read)
    }
}

/// What stands where a list is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::source) enum ListPresence {
    #[default]
    Absent,
    Read,
    Odd,
}

/// An answer that holds a list.
#[derive(Debug)]
pub(in crate::source) struct Envelope<S> {
    /// What stands beside the list.
    pub(in crate::source) top: Object,
    pub(in crate::source) list: ListPresence,
    /// Number of its elements.
    pub(in crate::source) rows: usize,
    /// What became of them.
    pub(in crate::source) state: S,
}

/// Reads an envelope; anything but an object is none.
struct Enclosed<'f, L, S, F> {
    keep: Keep,
    list: &'static str,
    element: L,
    fold: &'f F,
    into: PhantomData<S>,
}

impl<'de, L: Lenient<'de> + Copy, S: Default, F: Fn(&mut S, L::Out)> Lenient<'de> for Enclosed<'_, L, S, F> {
    type Out = Option<Envelope<S>>;

    fn odd(self) -> Self::Out {
        None
    }
    fn object<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Out, M::Error> {
        let mut read = Envelope { top: Object::default(), list: ListPresence::Absent, rows: 0, state: S::default() };
        let find = |key: &str| (key != self.list).then(|| self.keep.find(key));
        while let Some(found) = map.next_key_seed(KeyReader(find))? {
            if let Some(found) = found {
                self.keep.read(found, &mut map, &mut read.top)?;
            } else {
                let (into, rows) = (&mut read.state, &mut read.rows);
                read.list =
                    map.next_value_seed(Any(Elements { element: self.element, fold: self.fold, into, rows }))?;
            }
        }
        Ok(Some(read))
    }
}

/// Reads a body that holds a list: each element goes into a state as soon as it is read.
pub(in crate::source) fn envelope<S: Default, T, L>(
    body: &[u8],
    list: &'static str,
    names: &'static KeptKeys,
    element: L,
    fold: impl Fn(&mut S, T),
) -> Result<Envelope<S>, BodyError>
where
    L: for<'de> Lenient<'de, Out = T> + Copy,
{
    let enclosed = || Enclosed { keep: Keep::only(names), list, element, fold: &fold, into: PhantomData };
    whole(body, |body| {
        let mut json = Deserializer::from_slice(body);
        let read = Any(enclosed()).deserialize(&mut json)?;
        json.end().map(|()| read)
    })
}
