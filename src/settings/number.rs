//! Numbers as texts: what is taken, and the same as a regular expression for the schema.

/// Decimals of a number: more than a float of 64 bits is ever printed with.
const MAX_DECIMALS: usize = 20;

/// Digits without a needless zero before them.
pub(super) fn whole(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// A number from a thousandth up to `most`, without an exponent: `5`, `0.75`, `.5`.
pub(super) fn decimal(text: &str, most: u32) -> Option<f64> {
    let (digits, decimals) = text.split_once('.').map_or((text, None), |(digits, rest)| (digits, Some(rest)));
    let digits = if digits.is_empty() && decimals.is_some() { 0 } else { u32::try_from(whole(digits)?).ok()? };
    let decimals = decimals.unwrap_or("0");
    let plain = (1..=MAX_DECIMALS).contains(&decimals.len()) && decimals.bytes().all(|b| b.is_ascii_digit());
    // Compared as texts: rounding would let 1.00000000000000000001 be 1.
    let zero = |decimals: &str| decimals.bytes().all(|b| b == b'0');
    let within = match digits {
        0 => !zero(decimals.get(..3.min(decimals.len())).unwrap_or_default()),
        digits if digits == most => zero(decimals),
        digits => digits < most,
    };
    if plain && within { text.parse().ok() } else { None }
}

/// The texts of [`decimal`].
pub(super) fn decimals(most: u32) -> String {
    let (a, b, c) = (MAX_DECIMALS - 1, MAX_DECIMALS - 2, MAX_DECIMALS - 3);
    let part = format!("([1-9][0-9]{{0,{a}}}|0[1-9][0-9]{{0,{b}}}|00[1-9][0-9]{{0,{c}}})");
    let mut texts = format!("0?\\.{part}|{most}(\\.0{{1,{MAX_DECIMALS}}})?");
    if most > 1 {
        texts = format!("{texts}|({})(\\.[0-9]{{1,{MAX_DECIMALS}}})?", range(1, u64::from(most) - 1));
    }
    texts
}

/// The digits of every number between two bounds, both inclusive.
pub(super) fn range(least: u64, most: u64) -> String {
    let mut parts = Vec::new();
    let mut least = least;
    while least <= most {
        let text = least.to_string();
        let longest = "9".repeat(text.len()).parse().unwrap_or(u64::MAX);
        parts.extend(alike(&text, &most.min(longest).to_string()));
        let Some(next) = most.min(longest).checked_add(1) else { break };
        least = next;
    }
    parts.join("|")
}

/// The same for bounds with as many digits.
fn alike(least: &str, most: &str) -> Vec<String> {
    let digits = |text: &str| text.bytes().map(|b| b - b'0').collect::<Vec<_>>();
    between(&digits(least), &digits(most))
}

fn between(least: &[u8], most: &[u8]) -> Vec<String> {
    let (Some((low, least)), Some((high, most))) = (least.split_first(), most.split_first()) else {
        return vec![String::new()];
    };
    let any = |count: usize| match count {
        0 => String::new(),
        1 => "[0-9]".to_owned(),
        count => format!("[0-9]{{{count}}}"),
    };
    if least.iter().all(|digit| *digit == 0) && most.iter().all(|digit| *digit == 9) {
        return vec![format!("[{low}-{high}]{}", any(least.len()))];
    }
    let with = |digit: u8, rest: Vec<String>| rest.into_iter().map(move |rest| format!("{digit}{rest}"));
    if low == high {
        return with(*low, between(least, most)).collect();
    }
    let (zeros, nines) = (vec![0; least.len()], vec![9; least.len()]);
    let mut parts: Vec<String> = with(*low, between(least, &nines)).collect();
    if low + 1 < *high {
        parts.push(format!("[{}-{}]{}", low + 1, high - 1, any(least.len())));
    }
    parts.extend(with(*high, between(&zeros, most)));
    parts
}
