//! Aligned columns for a terminal, and names made harmless for it.

/// Lines of columns, each as wide as its widest cell; the last one is not padded.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A name as one line: what would break the line, steer the terminal or turn the direction of
/// writing becomes a space.
pub(super) fn clean(name: &str) -> String {
    let unfit = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let name: String = name.chars().map(|c| if unfit(c) { ' ' } else { c }).collect();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_are_not_padded() {
        let row = |cells: [&str; 3]| cells.map(ToOwned::to_owned).to_vec();
        let text = table(&[row(["a", "name", "c"]), row(["long", "São", ""])]);
        assert_eq!(text, "a     name  c\nlong  São\n");
    }

    #[test]
    fn names_stay_on_their_line() {
        assert_eq!(clean("a\nb\u{1b}[31m\u{202e}c\u{2028}d\u{85}e 🌷\r"), "a b [31m c d e 🌷");
    }
}
