//! How bad a vulnerability is: from CVSS vectors and from the words that sources use, on our one scale.

use cvss::Cvss;
use shared::finding::Severity;

/// A CVSS vector that could be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored<'a> {
    /// 2.0, 3.0, 3.1 or 4.0, in tenths.
    pub version: u8,
    /// Base score, 0.0 to 10.0.
    pub score: f64,
    /// The vector.
    pub vector: &'a str,
}

impl<'a> Scored<'a> {
    /// Reads a vector; malformed ones are nobody's word.
    pub fn read(vector: &'a str) -> Option<Self> {
        let cvss: Cvss = vector.trim().parse().ok()?;
        let version = match &cvss {
            Cvss::CvssV20(_) => 20,
            Cvss::CvssV30(_) => 30,
            Cvss::CvssV31(_) => 31,
            Cvss::CvssV40(_) => 40,
            _ => return None,
        };
        let score = (cvss.score() * 10.0).round() / 10.0;
        Some(Self { version, score, vector })
    }

    /// The score in tenths.
    pub fn tenths(&self) -> u8 {
        (self.score * 10.0).round().clamp(0.0, 100.0) as u8
    }

    /// The best of several: the newest version of CVSS wins, then the highest score.
    pub fn best(vectors: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let scored = vectors.into_iter().filter_map(Self::read);
        scored.max_by(|a, b| (a.version.cmp(&b.version)).then(a.score.total_cmp(&b.score)))
    }
}

/// The severity of a CVSS score (CVSS 3.1, section 5; the same scale for every version).
pub fn of_score(score: f64) -> Severity {
    match (score * 10.0).round() as i64 {
        ..=0 => Severity::Negligible,
        1..=39 => Severity::Low,
        40..=69 => Severity::Medium,
        70..=89 => Severity::High,
        _ => Severity::Critical,
    }
}

/// The severity that a source's word means: GitHub's, Red Hat's, Ubuntu's priorities, Debian's urgencies. `Unknown` for
/// words that do not rate (`not yet assigned`, `end-of-life`, `untriaged`).
pub fn of_word(word: &str) -> Severity {
    match word.trim().trim_end_matches('*').to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" | "important" => Severity::High,
        "medium" | "moderate" => Severity::Medium,
        "low" => Severity::Low,
        "negligible" | "unimportant" | "none" | "minimal" | "informational" => Severity::Negligible,
        _ => Severity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Vectors and scores that FIRST publishes in its examples and guides, and NVD's for the same vulnerabilities.
    #[test]
    fn scores_are_those_that_first_publishes() {
        let published = [
            // CVSS 2.0 guide, section 3.3
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
            ("AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2),
            // CVSS 3.1 examples
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:N", 5.4),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
            // CVSS 4.0 examples
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
            ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
        ];
        for (vector, score) in published {
            assert_eq!(Scored::read(vector).map(|scored| scored.score), Some(score), "{vector}");
        }
    }

    #[test]
    fn the_newest_version_wins_then_the_highest_score() {
        let v2 = "AV:N/AC:L/Au:N/C:C/I:C/A:C";
        let v3 = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:N";
        let worse = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        assert_eq!(Scored::best([v2, v3, "CVSS:3.1/nonsense"]).unwrap().vector, v3);
        assert_eq!(Scored::best([worse, v3]).unwrap().vector, worse);
        assert_eq!(Scored::best(["", "AV", "CVSS:9.9/AV:N"]), None);
    }

    #[test]
    fn words_mean_what_their_sources_mean() {
        let meant = [
            ("MODERATE", Severity::Medium),
            ("Important", Severity::High),
            ("medium**", Severity::Medium),
            ("unimportant", Severity::Negligible),
            ("not yet assigned", Severity::Unknown),
            ("", Severity::Unknown),
        ];
        for (word, severity) in meant {
            assert_eq!(of_word(word), severity, "{word}");
        }
        for (score, severity) in
            [(0.0, Severity::Negligible), (3.9, Severity::Low), (7.0, Severity::High), (9.0, Severity::Critical)]
        {
            assert_eq!(of_score(score), severity);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_vector_is_read_or_refused(text in "(CVSS:[0-9.]{1,4}/)?([A-Za-z]{1,3}:[A-Za-z]{1,2}/?){0,20}") {
            if let Some(scored) = Scored::read(&text) {
                prop_assert!((0.0..=10.0).contains(&scored.score));
            }
        }
    }
}
