//! What a browser calls itself, in words for its owner: "Firefox on Linux". Anybody can claim to be anything, so it is shown
//! and never decided on.

/// What tells a browser, in the order of asking: most claim to be their ancestors too.
const BROWSERS: [(&str, &str); 16] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Epiphany/", "GNOME Web"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// What tells a system, in the order of asking.
const SYSTEMS: [(&str, &str); 11] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

/// The family of a browser and its system, from `User-Agent` (RFC 9110 §10.1.5); empty if nothing is known. None of what was
/// sent is in it.
pub fn browser_in_words(user_agent: &str) -> String {
    let told = |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    match (told(&BROWSERS), told(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => String::new(),
    }
}

/// The two of them again, for a page in another language; the second is empty if it was not known.
pub fn family_and_system(in_words: &str) -> (&str, &str) {
    in_words.split_once(" on ").unwrap_or((in_words, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn browsers_are_told_by_their_family() {
        for (user_agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Safari/537.36 Edg/138.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Safari/537.36 OPR/120.0",
                "Opera on ChromeOS",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/138.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPad",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            ("Mozilla/5.0 Firefox/140.0", "Firefox"),
            ("curl/8.14.1", ""),
            ("Mozilla/5.0 (X11; Linux x86_64)", ""),
            ("<script>alert(1)</script>", ""),
            ("", ""),
        ] {
            assert_eq!(browser_in_words(user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn the_words_are_taken_apart_as_they_were_put_together() {
        for (_, browser) in BROWSERS {
            assert_eq!(family_and_system(browser), (browser, ""));
            for (_, system) in SYSTEMS {
                assert_eq!(family_and_system(&format!("{browser} on {system}")), (browser, system));
            }
        }
        assert_eq!(family_and_system(""), ("", ""));
    }

    proptest! {
        #[test]
        fn nothing_that_was_sent_is_in_the_words(user_agent in "(Firefox/|Safari/|Linux|iPad|<script>|.){0,9}") {
            let words = browser_in_words(&user_agent);
            let known = BROWSERS.iter().flat_map(|(_, browser)| {
                let systems = SYSTEMS.iter().map(move |(_, system)| format!("{browser} on {system}"));
                systems.chain([(*browser).to_owned()])
            });
            prop_assert!(words.is_empty() || known.into_iter().any(|known| known == words), "{words}");
        }
    }
}
