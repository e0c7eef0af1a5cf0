//! Campaigns by name and state.

use std::collections::BTreeSet;

/// Which campaigns are wanted; what both parts say must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The pattern of their names; `None` takes any.
    pub name: Option<Glob>,
    /// Their effective statuses, from [`Level::states`](super::target::Level::states); none takes any.
    pub states: BTreeSet<&'static str>,
}

impl Filter {
    /// Whether a campaign of this name and effective status is wanted.
    pub fn admits(&self, name: &str, state: &str) -> bool {
        self.name.as_ref().is_none_or(|glob| glob.matches(name))
            && (self.states.is_empty() || self.states.contains(state))
    }
}

/// A pattern for a whole name, upper and lower case apart: `*` is any text, `?` any one character,
/// and everything else itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Longest pattern, in characters. Names of Meta's objects are not longer.
    const MAX_CHARS: usize = 256;

    /// A pattern that is not empty, nor longer than a name.
    pub fn new(text: &str) -> Option<Self> {
        (1..=Self::MAX_CHARS).contains(&text.chars().count()).then(|| Self(text.to_owned()))
    }

    /// The pattern as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The longest text that every name has which it describes, of characters that no search could read otherwise.
    /// `None` where that is too short to be worth searching for.
    pub fn literal(&self) -> Option<&str> {
        const MIN_LITERAL_CHARS: usize = 2;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_');
        // Quotes and signs are left out: how the API's search reads them is not documented.
        let parts = self.0.split(|c| !plain(c)).map(str::trim);
        parts.max_by_key(|part| part.len()).filter(|part| part.len() >= MIN_LITERAL_CHARS)
    }

    /// Whether it describes the whole name. Only the last `*` is ever tried again, so the time is
    /// bounded by the product of the lengths.
    pub fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), name.chars());
        let mut again = None;
        loop {
            let (mut pattern_next, mut rest_next) = (pattern.clone(), rest.clone());
            match (pattern_next.next(), rest_next.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    // An earlier star need not be tried again: whatever it could take, the later one can.
                    again = Some((pattern_next.clone(), rest.clone()));
                    pattern = pattern_next;
                }
                (Some(wanted), Some(letter)) if wanted == '?' || wanted == letter => {
                    (pattern, rest) = (pattern_next, rest_next);
                }
                _ => {
                    let Some((after, from)) = &mut again else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (pattern, rest) = (after.clone(), from.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn patterns_describe_whole_names() {
        for (pattern, name, expected) in [
            ("Spring*", "Spring 2026", true),
            ("Spring*", "Spring", true),
            ("Spring*", "spring 2026", false),
            ("Spring*", "Late Spring", false),
            ("*Spring", "Late Spring", true),
            ("*a*b", "xaabab", true),
            ("*a*b", "xaaba", false),
            ("Sale ?", "Sale \u{20ac}", true),
            ("Sale ?", "Sale ", false),
            ("[a]", "a", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern:?} {name:?}");
        }
        assert!(Glob::new("").is_none() && Glob::new(&"a".repeat(257)).is_none());
    }

    #[test]
    fn the_longest_plain_part_is_searched_for() {
        for (pattern, expected) in [
            ("Spring*", Some("Spring")),
            ("*sale ? 2026-*", Some("2026-")),
            ("*Größe M*", Some("e M")),
            ("a \"quoted\" \\ name", Some("quoted")),
            ("* x *", None),
            ("??", None),
            ("🌷*", None),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().literal(), expected, "{pattern:?}");
        }
    }

    #[test]
    fn both_parts_must_hold() {
        let filter = Filter { name: Glob::new("Spring*"), states: ["ACTIVE", "PAUSED"].into() };
        assert!(filter.admits("Spring", "PAUSED"));
        assert!(!filter.admits("Spring", "ARCHIVED") && !filter.admits("Autumn", "ACTIVE"));
        let any = Filter { name: None, states: BTreeSet::new() };
        assert!(any.admits("", "ARCHIVED"));
    }

    /// The definition, without a thought for time.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', after @ ..], _) => (0..=name.len()).any(|skipped| by_definition(after, &name[skipped..])),
            ([wanted, after @ ..], [letter, rest @ ..]) if *wanted == '?' || wanted == letter => {
                by_definition(after, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn every_name_that_matches_holds_the_literal(pattern in "[a*? é\"]{1,10}", any in "[a é\"]{0,4}", one in "[a é]") {
            let (glob, name) = (Glob::new(&pattern).unwrap(), pattern.replace('*', &any).replace('?', &one));
            prop_assert!(glob.matches(&name), "{:?}", name);
            prop_assert!(glob.literal().is_none_or(|literal| name.contains(literal)), "{:?}", glob.literal());
        }

        #[test]
        fn it_is_what_the_definition_says(pattern in "[ab*?]{1,8}", name in "[ab\u{e9}]{0,8}") {
            let (letters, of): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(matches(&pattern, &name), by_definition(&letters, &of));
        }
    }
}
