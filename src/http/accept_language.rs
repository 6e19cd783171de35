//! `Accept-Language` (RFC 9110 §12.5.4): which languages the person's browser asks for, the dearest first.

use ::http::header::ACCEPT_LANGUAGE;

use super::HeaderMap;

/// The language tags in the order of their weights; as written where these are equal, without those of weight 0. Which of them
/// there is a page in, the pages know.
pub fn accepted_languages(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut weighted: Vec<(&str, u16)> = values.flat_map(|value| value.split(',')).filter_map(read_range).collect();
    weighted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight)); // stable
    weighted.into_iter().map(|(tag, _)| tag).collect()
}

/// A tag and its weight in thousandths; `None` for what is refused or empty.
fn read_range(range: &str) -> Option<(&str, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty())?;
    let weight = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
    });
    Some((tag, weight.unwrap_or(1000))).filter(|(_, weight)| *weight > 0)
}

/// RFC 9110 §12.4.2: `0.8`, with three decimals at most; more are cut off. What is no weight does not make a language less welcome.
fn thousandths(weight: &str) -> u16 {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let is_number = !whole.is_empty() && whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number || whole.bytes().any(|byte| byte != b'0') {
        return 1000;
    }
    let places = [100, 10, 1];
    decimals.bytes().zip(places).map(|(digit, place)| u16::from(digit - b'0') * place).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::HeaderValue;

    fn headers(values: &[impl AsRef<[u8]>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_LANGUAGE, HeaderValue::from_bytes(value.as_ref()).expect("a header's bytes"));
        }
        headers
    }

    #[test]
    fn the_dearest_language_comes_first() {
        let rows: &[(&[&str], &[&str])] = &[
            (&[], &[]),
            (&[""], &[]),
            (&["de"], &["de"]),
            (&["de-AT,de;q=0.9,en;q=0.8"], &["de-AT", "de", "en"]),
            (&["en;q=0.5, fr;q=0.9 , ja"], &["ja", "fr", "en"]),
            (&["en;q=0.5", "fr"], &["fr", "en"]),
            (&["en;q=0.7,de;q=0.7"], &["en", "de"]),
            (&["en;q=0,de;q=0.000,fr;q=0.001"], &["fr"]),
            (&["en;q=0.8001,de;q=0.801"], &["de", "en"]),
            (&["en ; Q = 0.1 , de"], &["de", "en"]),
            (&["en;level=1;q=0.1,de;q=0.2"], &["de", "en"]),
            (&["en;q=no,de;q=,fr;q=7,ja;q=-1"], &["en", "de", "fr", "ja"]),
            (&["*;q=0.1,,;q=1"], &["*"]),
        ];
        for (values, expected) in rows {
            assert_eq!(accepted_languages(&headers(values)), *expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(values in proptest::collection::vec("[\t -~\u{80}-\u{ff}]{0,40}", 0..4)) {
            let _ = accepted_languages(&headers(&values));
        }

        #[test]
        fn what_was_weighted_comes_in_the_order_of_its_weights(weights in proptest::collection::vec(1..=1000_u16, 1..9)) {
            let ranges: Vec<String> = weights.iter().enumerate().map(|(at, weight)| format!("x{at};q={}.{:03}", weight / 1000, weight % 1000)).collect();
            let all = headers(&[ranges.join(", ")]);
            let told: Vec<u16> = accepted_languages(&all).iter().map(|tag| weights[tag[1..].parse::<usize>().unwrap()]).collect();
            prop_assert_eq!(told.len(), weights.len());
            prop_assert!(told.is_sorted_by(|one, next| one >= next), "{:?}", told);
        }
    }
}
