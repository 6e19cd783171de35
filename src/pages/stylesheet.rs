//! The style of the pages, at addresses of its own so that the CSP needs no `unsafe-inline`. People read the files in `templates/`;
//! browsers get them without comments and needless space, since every page has to be small with its style.

use std::sync::OnceLock;

/// What every page looks like.
pub fn style() -> &'static str {
    static SPARE: OnceLock<String> = OnceLock::new();
    SPARE.get_or_init(|| spare(include_str!("../../templates/style.css")))
}

/// What only some pages have.
pub fn parts() -> &'static str {
    static SPARE: OnceLock<String> = OnceLock::new();
    SPARE.get_or_init(|| spare(include_str!("../../templates/parts.css")))
}

/// A stylesheet of ours with nothing in it that a browser would skip. It knows no strings and no nesting, of which ours have none.
fn spare(css: &str) -> String {
    let mut pieces = css.split("/*");
    let mut bare = pieces.next().unwrap_or_default().to_owned();
    pieces.for_each(|piece| bare.push_str(piece.split_once("*/").map_or("", |(_, rest)| rest)));
    let words: Vec<&str> = bare.split_whitespace().collect();
    let mut spare = words.join(" ");
    for (long, short) in
        [(" {", "{"), ("{ ", "{"), ("; ", ";"), (" }", "}"), (";}", "}"), ("} ", "}"), (": ", ":"), (", ", ","), (" > ", ">")]
    {
        spare = spare.replace(long, short);
    }
    spare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_same_rules_without_the_space_between() {
        for (css, expected) in [
            ("", ""),
            ("/* a */\na > b,\n  c :hover { d: 0 0 .5rem, e; }\n\n/* { */ f { g: h }\n", "a>b,c :hover{d:0 0 .5rem,e}f{g:h}"),
            ("@media (x: y) { a { b: clamp(1px, 6vh - 2px, 3px); } }", "@media (x:y){a{b:clamp(1px,6vh - 2px,3px)}}"),
        ] {
            assert_eq!(spare(css), expected);
        }
    }
}
