//! How bad an advisory says that it is: read from vectors and words when the database is built, so that nobody parses
//! them again.

use shared::finding::Severity;

use super::format::{Cursor, Damaged, Write};
use crate::severity::{self, Scored};

/// What somebody says about how bad a vulnerability is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rating<'a> {
    /// The best vector: of the newest version of CVSS, then with the highest score.
    pub vector: Option<Vector<'a>>,
    /// A CVSS score in tenths that has no vector.
    pub bare: Option<u8>,
    /// What the source's own word means; `Unknown` for a word that does not rate.
    pub word: Option<Severity>,
}

/// A CVSS vector and its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vector<'a> {
    /// Version of CVSS in tenths: 20, 30, 31 or 40.
    pub version: u8,
    /// Base score in tenths, 0 to 100.
    pub tenths: u8,
    /// As published.
    pub text: &'a str,
}

impl<'a> Vector<'a> {
    /// The best of several that may be anything.
    pub(super) fn best(vectors: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        Scored::best(vectors).map(|scored| Self {
            version: scored.version,
            tenths: scored.tenths(),
            text: scored.vector,
        })
    }

    /// Base score, 0.0 to 10.0.
    pub fn score(&self) -> f64 {
        f64::from(self.tenths) / 10.0
    }
}

impl<'a> Rating<'a> {
    /// The best of two. Their words are not compared: one of a source about a package comes before one about the whole.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { word: self.word.or(other.word), ..self.with(other) }
    }

    /// The best of two, with the worse word.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let vector = match (self.vector, other.vector) {
            (Some(a), Some(b)) if (b.version, b.tenths) > (a.version, a.tenths) => Some(b),
            (a, b) => a.or(b),
        };
        Self { vector, bare: self.bare.max(other.bare), word: self.word.max(other.word) }
    }

    /// The score that it gives, if it gives one.
    pub fn score(&self) -> Option<f64> {
        self.vector.map(|vector| vector.tenths).or(self.bare).map(|tenths| f64::from(tenths) / 10.0)
    }

    /// What the word means, if there is one.
    pub fn of_word(&self) -> Severity {
        self.word.unwrap_or_default()
    }

    pub(super) fn store(&self, bytes: &mut Vec<u8>) {
        bytes.put_number(self.vector.map_or(0, |vector| vector.version.into()));
        if let Some(Vector { tenths, text, .. }) = self.vector {
            bytes.put_number(tenths.into());
            bytes.put_text(text);
        }
        bytes.put_number(self.bare.map_or(0, |tenths| u64::from(tenths) + 1));
        let place = |word| Severity::ALL.iter().position(|severity| *severity == word).unwrap_or_default();
        bytes.put_number(self.word.map_or(0, |word| place(word) as u64 + 1));
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Damaged> {
        let tenths = |number: u64| match u8::try_from(number) {
            Ok(tenths @ 0..=100) => Ok(tenths),
            _ => Err(Damaged("a score is above ten")),
        };
        let vector = match cursor.number()? {
            0 => None,
            version @ 20..=40 => {
                Some(Vector { version: version as u8, tenths: tenths(cursor.number()?)?, text: cursor.text()? })
            }
            _ => return Err(Damaged("a vector is of no version")),
        };
        let bare = cursor.number()?.checked_sub(1).map(tenths).transpose()?;
        let word = match cursor.number()? {
            0 => None,
            place => Some(*Severity::ALL.get(place as usize - 1).ok_or(Damaged("a word means nothing"))?),
        };
        Ok(Self { vector, bare, word })
    }
}

/// What a source's word says, if there is a word.
pub(super) fn word(word: &str) -> Option<Severity> {
    (!word.trim().is_empty()).then(|| severity::of_word(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vector(version: u8, tenths: u8) -> Vector<'static> {
        Vector { version, tenths, text: "AV:N" }
    }

    #[test]
    fn the_newest_version_of_cvss_wins_then_the_highest_score() {
        let of = |version, tenths| Rating { vector: Some(vector(version, tenths)), ..Rating::default() };
        assert_eq!(of(31, 98).with(of(40, 21)), of(40, 21));
        assert_eq!(of(31, 53).with(of(31, 98)).with(of(20, 100)), of(31, 98));
        assert_eq!(Rating::default().with(of(20, 1)), of(20, 1));
    }

    #[test]
    fn a_word_about_the_package_comes_first() {
        let of = |word| Rating { word, ..Rating::default() };
        assert_eq!(of(Some(Severity::Low)).or(of(Some(Severity::High))), of(Some(Severity::Low)));
        assert_eq!(of(Some(Severity::Unknown)).or(of(Some(Severity::High))), of(Some(Severity::Unknown)));
        assert_eq!(of(None).or(of(Some(Severity::High))), of(Some(Severity::High)));
        assert_eq!(of(Some(Severity::Low)).with(of(Some(Severity::High))), of(Some(Severity::High)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_stored_is_read(
            vector in proptest::option::of((20_u8..=40, 0_u8..=100, "[A-Z:/]{0,20}")),
            bare in proptest::option::of(0_u8..=100),
            word in proptest::option::of(0_usize..6),
        ) {
            let vector = vector.as_ref().map(|(version, tenths, text)| Vector { version: *version, tenths: *tenths, text });
            let rating = Rating { vector, bare, word: word.map(|place| Severity::ALL[place]) };
            let mut bytes = Vec::new();
            rating.store(&mut bytes);
            prop_assert_eq!(Rating::read(&mut Cursor::at(&bytes, 0).unwrap()).unwrap(), rating);
        }
    }
}
