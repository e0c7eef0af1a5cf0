//! Did you mean: the known word nearest to a mistyped one.

/// The choice that differs from the word in at most a third of its letters.
pub fn nearest<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    // A pasted file would be compared letter by letter with every key.
    if letters > 64 {
        return None;
    }
    let measured = choices.into_iter().map(|choice| (distance(word, choice), choice));
    measured.min().filter(|(distance, _)| distance * 3 <= letters.max(3)).map(|(_, choice)| choice)
}

/// Letters to add, remove or replace on the way from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (removed, letter) in from.chars().enumerate() {
        // One row at a time: the table of the usual form would be the product of both lengths.
        let mut diagonal = std::mem::replace(&mut row[0], removed + 1);
        for (column, other) in to.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if letter == *other { diagonal } else { 1 + diagonal.min(above).min(row[column]) };
            diagonal = above;
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let choices = ["interval", "timeout", "today", "last_7d"];
        for (word, found) in [
            ("intervall", Some("interval")),
            ("Interval", Some("interval")),
            ("timout", Some("timeout")),
            ("tody", Some("today")),
            ("last7d", Some("last_7d")),
            ("colour", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(nearest(word, choices), found, "{word:?}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        for (from, to, edits) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("é", "e", 1)]
        {
            assert_eq!(distance(from, to), edits, "{from:?} {to:?}");
        }
    }
}
