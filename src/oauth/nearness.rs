//! Which of several texts somebody may have meant: the one with the fewest edits between (Levenshtein). For explanations alone;
//! nothing is decided by it.

/// What is looked at of a text: enough for people, and a bound for what a stranger can make us count.
const CHARACTERS: usize = 256;

/// The one of `known` that is nearest to what was sent.
pub fn nearest<'k>(sent: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known.into_iter().min_by_key(|known| edits(sent, known))
}

/// How many characters have to be put in, taken out or replaced to make one text the other.
pub fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(CHARACTERS).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, character) in one.chars().take(CHARACTERS).enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, known) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *known);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("", "ab", 2),
            ("a", "", 1),
            ("read", "raed", 2),
            ("kitten", "sitting", 3),
            ("http://a/cb", "https://a/cb/", 2),
        ] {
            assert_eq!(edits(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_is_the_one_that_was_meant() {
        let known = ["https://a.example/cb", "https://b.example/cb", "myapp://cb"];
        for (sent, expected) in [("https://b.example/cb/", known[1]), ("http://a.example/cb", known[0]), ("myapp:/cb", known[2])]
        {
            assert_eq!(nearest(sent, known), Some(expected), "{sent}");
        }
        assert_eq!(nearest("x", []), None);
    }

    proptest! {
        #[test]
        fn edits_are_a_distance(one in ".{0,12}", other in ".{0,12}") {
            prop_assert_eq!(edits(&one, &other), edits(&other, &one));
            prop_assert_eq!(edits(&one, &other) == 0, one == other);
            prop_assert!(edits(&one, &other) <= one.chars().count().max(other.chars().count()));
        }
    }
}
