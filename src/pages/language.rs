//! The languages there are pages in. Each is a file in `templates/lang` and a line here.

/// One of the languages below; by default the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Language(usize);

struct Known {
    /// BCP 47, as it stands in `<html lang>`.
    tag: &'static str,
    /// What its speakers call it.
    name: &'static str,
    is_right_to_left: bool,
    file: &'static str,
}

const fn known(tag: &'static str, name: &'static str, file: &'static str) -> Known {
    Known { tag, name, is_right_to_left: false, file }
}

/// In the order in which they are offered. The first is what is shown to who asks for none of them.
const LANGUAGES: [Known; 10] = [
    known("en", "English", include_str!("../../templates/lang/en.json")),
    known("de", "Deutsch", include_str!("../../templates/lang/de.json")),
    known("es", "Español", include_str!("../../templates/lang/es.json")),
    known("fr", "Français", include_str!("../../templates/lang/fr.json")),
    known("it", "Italiano", include_str!("../../templates/lang/it.json")),
    known("nl", "Nederlands", include_str!("../../templates/lang/nl.json")),
    known("pl", "Polski", include_str!("../../templates/lang/pl.json")),
    known("pt-BR", "Português", include_str!("../../templates/lang/pt-BR.json")),
    known("ja", "日本語", include_str!("../../templates/lang/ja.json")),
    Known { tag: "ar", name: "العربية", is_right_to_left: true, file: include_str!("../../templates/lang/ar.json") },
];

impl Language {
    pub const COUNT: usize = LANGUAGES.len();

    pub fn all() -> impl Iterator<Item = Language> {
        (0..Language::COUNT).map(Language)
    }

    /// The first of these tags that we have (RFC 4647 §3.4, with every region taken for its language): `de-AT` is German, and
    /// any Portuguese is better than none.
    pub fn first_of<'t>(tags: impl IntoIterator<Item = &'t str>) -> Option<Language> {
        tags.into_iter().find_map(Language::matching)
    }

    fn matching(tag: &str) -> Option<Language> {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let wanted = primary(tag.trim());
        Language::all().find(|language| primary(language.tag()) == wanted)
    }

    pub fn tag(self) -> &'static str {
        LANGUAGES[self.0].tag
    }

    pub fn name(self) -> &'static str {
        LANGUAGES[self.0].name
    }

    /// For `<html dir>`.
    pub fn direction(self) -> &'static str {
        if LANGUAGES[self.0].is_right_to_left { "rtl" } else { "ltr" }
    }

    /// Its words, as they stand in the file.
    pub(super) fn file(self) -> &'static str {
        LANGUAGES[self.0].file
    }

    pub(super) fn index(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_language_that_there_is_gets_shown() {
        for (tags, expected) in [
            (&[][..], None),
            (&["en"], Some("en")),
            (&["DE"], Some("de")),
            (&["de-AT"], Some("de")),
            (&["de_AT.UTF-8"], Some("de")),
            (&[" ja "], Some("ja")),
            (&["pt"], Some("pt-BR")),
            (&["pt-PT"], Some("pt-BR")),
            (&["zh-Hant-TW", "fr-CA", "en"], Some("fr")),
            (&["None"], None), // C-RC-07
            (&["*"], None),
            (&["", "-", "xx"], None),
            (&["dewey"], None),
        ] {
            assert_eq!(Language::first_of(tags.iter().copied()).map(Language::tag), expected, "{tags:?}");
        }
        assert_eq!(Language::default().tag(), "en");
    }

    proptest! {
        #[test]
        fn no_tag_makes_it_panic(tag in any::<String>()) {
            let _ = Language::first_of([tag.as_str()]);
        }
    }
}
