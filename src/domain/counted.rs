//! Numbers with the noun that they count.

/// `1 target`, `2 targets`. The plural of every noun that is counted here ends in s.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let told = [0, 1, 2, 600].map(|number| counted(number, "target"));
        assert_eq!(told, ["0 targets", "1 target", "2 targets", "600 targets"]);
    }
}
