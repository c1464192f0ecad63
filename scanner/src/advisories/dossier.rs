//! Everything that the database says about one vulnerability, whatever package it is found in.
//!
//! A distro's advisory is often no more than an id and a version. What others say about the same CVE fills the gaps:
//! severity, text, links. So the same vulnerability reads the same in every image. It is gathered when the database is
//! built: a match looks it up by the number of the vulnerability's canonical name.

use shared::finding::{Epss, KnownExploited};

use super::format::{Cursor, Damaged, Write};
use super::rating::Rating;

/// One vulnerability; withdrawn advisories did not count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dossier<'a> {
    /// By all advisories that are about nothing else, and by the table of CVSS vectors where none of them has one.
    pub rating: Rating<'a>,
    /// Its entry in the catalogue of exploited vulnerabilities.
    pub exploited: Option<Exploited<'a>>,
    /// How likely it is to be exploited.
    pub epss: Option<Epss>,
    /// RFC 3339, the earliest; empty if nobody says.
    pub published: &'a str,
    /// RFC 3339, the latest; empty if nobody says.
    pub modified: &'a str,
    /// All its names, in text order.
    pub names: Vec<&'a str>,
    /// Where the best text is: offset and length.
    pub(crate) text: (u64, u64),
}

/// [`KnownExploited`], as stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exploited<'a> {
    added: &'a str,
    due: &'a str,
    ransomware: bool,
}

impl<'a> From<&'a KnownExploited> for Exploited<'a> {
    fn from(KnownExploited { added, due, ransomware }: &'a KnownExploited) -> Self {
        Self { added, due, ransomware: *ransomware }
    }
}

impl From<Exploited<'_>> for KnownExploited {
    fn from(Exploited { added, due, ransomware }: Exploited<'_>) -> Self {
        Self { added: added.to_owned(), due: due.to_owned(), ransomware }
    }
}

impl<'a> Dossier<'a> {
    const EXPLOITED: u64 = 1;
    const RANSOMWARE: u64 = 2;
    const EPSS: u64 = 4;

    pub(super) fn store(&self, bytes: &mut Vec<u8>) {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        bytes.put_number(
            flag(self.exploited.is_some(), Self::EXPLOITED)
                | flag(self.exploited.is_some_and(|exploited| exploited.ransomware), Self::RANSOMWARE)
                | flag(self.epss.is_some(), Self::EPSS),
        );
        if let Some(Exploited { added, due, .. }) = self.exploited {
            bytes.put_text(added);
            bytes.put_text(due);
        }
        if let Some(Epss { score, percentile }) = self.epss {
            bytes.put_number(score.to_bits());
            bytes.put_number(percentile.to_bits());
        }
        self.rating.store(bytes);
        bytes.put_text(self.published);
        bytes.put_text(self.modified);
        bytes.put_texts(self.names.iter().copied());
        bytes.put_number(self.text.0);
        bytes.put_number(self.text.1);
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Damaged> {
        let flags = cursor.number()?;
        let exploited = match flags & Self::EXPLOITED {
            0 => None,
            _ => {
                let ransomware = flags & Self::RANSOMWARE != 0;
                Some(Exploited { added: cursor.text()?, due: cursor.text()?, ransomware })
            }
        };
        let epss = match flags & Self::EPSS {
            0 => None,
            _ => Some(Epss { score: probability(cursor)?, percentile: probability(cursor)? }),
        };
        Ok(Self {
            exploited,
            epss,
            rating: Rating::read(cursor)?,
            published: cursor.text()?,
            modified: cursor.text()?,
            names: cursor.texts()?,
            text: (cursor.number()?, cursor.number()?),
        })
    }
}

fn probability(cursor: &mut Cursor<'_>) -> Result<f64, Damaged> {
    let value = f64::from_bits(cursor.number()?);
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(Damaged("a probability is none")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_stored_is_read(
            kev in proptest::option::of(("[0-9-]{10}", any::<bool>())),
            epss in proptest::option::of((0.0_f64..=1.0, 0.0_f64..=1.0)),
            names in proptest::collection::vec("[A-Z0-9-]{1,20}", 0..6),
            text: (u64, u64),
        ) {
            let dossier = Dossier {
                exploited: kev.as_ref().map(|(day, ransomware)| Exploited { added: day, due: day, ransomware: *ransomware }),
                epss: epss.map(|(score, percentile)| Epss { score, percentile }),
                published: "2024-01-01T00:00:00Z",
                names: names.iter().map(String::as_str).collect(),
                text,
                ..Dossier::default()
            };
            let mut bytes = Vec::new();
            dossier.store(&mut bytes);
            prop_assert_eq!(Dossier::read(&mut Cursor::at(&bytes, 0).unwrap()).unwrap(), dossier);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Dossier::read(&mut Cursor::at(&bytes, 0).unwrap());
        }
    }
}
