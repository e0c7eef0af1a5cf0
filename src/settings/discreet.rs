//! Keeps what looks like a misplaced secret out of messages about a configuration.
//!
//! A token lands where its variable's name or its file belongs, or in a key, more often than one would
//! think. Nobody can tell for certain; what is hidden in vain costs a look at the file.

use std::borrow::Cow;
use std::ops::Range;

/// What stands for such a text.
pub(crate) const NOT_SHOWN: &str = "<not shown>";

/// So many letters and digits in a row, mixed, are no word.
const SECRET_RUN_CHARS: usize = 12;

/// Shorter texts are no secret of the APIs'.
const SHORTEST_SECRET_CHARS: usize = 16;

/// How the secrets of the two APIs begin: tokens of Meta, keys and tokens of Alibaba Cloud, OIDC tokens.
const BEGINNINGS: [&str; 5] = ["EAA", "LTAI", "STS.", "CAIS", "eyJ"];

/// Whether a text looks like a secret, or holds one.
pub(crate) fn is_like_a_secret(text: &str) -> bool {
    let word_is = text.split(|c| !is_part(c)).any(|word| {
        let begins = BEGINNINGS.iter().any(|beginning| word.starts_with(beginning));
        word.len() >= SHORTEST_SECRET_CHARS
            && (begins || word.split(|c: char| !c.is_ascii_alphanumeric()).any(is_random))
    });
    word_is || hash_in(text).is_some()
}

/// The text without the words in it that look like secrets.
pub(crate) fn discreet(text: &str) -> Cow<'_, str> {
    if !is_like_a_secret(text) {
        return text.into();
    }
    if let Some(hash) = hash_in(text) {
        let (before, rest) = text.split_at(hash.start);
        let (_, behind) = rest.split_at(hash.len());
        return format!("{}{NOT_SHOWN}{}", discreet(before), discreet(behind)).into();
    }
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let word = piece.trim_end_matches(|c| !is_part(c));
        shown += if is_like_a_secret(word) { NOT_SHOWN } else { word };
        shown += piece.strip_prefix(word).unwrap_or_default();
    }
    shown.into()
}

/// Where a bcrypt hash is, such as `$2b$10$...`. Dots and slashes may part its letters into runs that are no longer
/// than words are.
fn hash_in(text: &str) -> Option<Range<usize>> {
    let (prefix, bytes) = ("$2b$10$".len(), text.as_bytes());
    let begins = |at: usize| {
        let head = bytes.get(at..at + prefix).unwrap_or_default();
        matches!(head, [b'$', b'2', version, b'$', tens, ones, b'$']
            if version.is_ascii_lowercase() && tens.is_ascii_digit() && ones.is_ascii_digit())
    };
    let start = (0..bytes.len()).find(|at| begins(*at))?;
    let letters = bytes[start + prefix..].iter();
    let letters = letters.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
    Some(start..start + prefix + letters.count())
}

/// Whether a secret can hold it: the letters of base64, in either alphabet, and of a JWT.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_' | '-' | '.' | '|' | '%' | '~')
}

/// Whether a run of letters and digits is no word and no number.
fn is_random(run: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
    let (digits, letters) = (has(u8::is_ascii_digit), has(u8::is_ascii_alphabetic));
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    (run.len() >= SECRET_RUN_CHARS && digits && letters) || (run.len() >= 2 * SECRET_RUN_CHARS && mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_names() {
        for secret in [
            "EAAGm0PX4ZCpsBAKZCbvTz0123456789",
            "EAAGmPXpsBAKZCbvTzxyz",
            "LTAI5tExampleKeyId",
            "5b1a9d6c0e7f4a2b8c3d5e6f7a8b9c0d",
            "CAISExampleToken+with=chars==",
            "/etc/mme/EAAGm0PX4ZCpsBAKZCbvTz",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIi",
            "42|5b1a9d6c0e7f4a2b8c3d5e6f7a8b9c0d",
            "STS.NExampleTemporaryId",
            "$2b$04$.y/oxtxOL9liNUTnz/moGe3nihLdkD5R9/N0BczPq1q.R5LQJ7R2W",
        ] {
            assert!(is_like_a_secret(secret), "{secret}");
            let shown = discreet(secret);
            assert!(shown.contains(NOT_SHOWN), "{shown}");
        }
        for name in [
            "META_TOKEN",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "/run/secrets/meta-token",
            "accessKeySecret",
            "token-2026-11-24.txt",
            "120201234567890123",
            "act_2398765432",
            "meta.main.accounts[12].campaigns",
            "marketing_messages_website_conversions",
            "cams-xk3v7q",
            "https://cams.ap-southeast-1.aliyuncs.com",
            "last_week_mon_sun",
            "v27.0",
            "at most $200 a day",
            "$2b$",
        ] {
            assert!(!is_like_a_secret(name), "{name}");
            assert_eq!(discreet(name), name);
        }
        assert_eq!(
            discreet("the file /etc/EAAGm0PX4ZCpsBAKZCbvTz cannot be read; create it"),
            "the file /etc/<not shown> cannot be read; create it"
        );
    }

    proptest::proptest! {
        /// What is like any of the APIs' secrets never comes through, wherever it stands.
        #[test]
        fn no_token_comes_through(
            token in "EAA[A-Za-z0-9]{40,200}|[0-9a-f]{31}[a-f]|LTAI5t[A-Za-z0-9]{18}|eyJ[A-Za-z0-9_-]{40,90}|\\$2[aby]\\$1[0-9]\\$[./A-Za-z0-9]{53}",
            (before, after) in ("([ -~]{0,20}[ `:/,\\[(])?", "([ `:/,\\])][ -~]{0,20})?"),
        ) {
            proptest::prop_assume!(token.bytes().any(|byte| byte.is_ascii_digit()) || token.starts_with('e') || token.starts_with('E'));
            let text = format!("{before}{token}{after}");
            let shown = discreet(&text).into_owned();
            let leaks = token.as_bytes().windows(12).any(|part| shown.contains(std::str::from_utf8(part).unwrap()));
            proptest::prop_assert!(!leaks, "{} in {}", token, shown);
        }
    }
}
