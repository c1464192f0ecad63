//! What a vendor does about a vulnerability, in the words of OSV's sources.
//!
//! Most sources say it by leaving out: Debian, Ubuntu and Alpine publish no entry for what is not affected, and an entry
//! without a fix for what is. Words stand in Debian's `urgency` (`end-of-life`), in the `status` of Wolfi's and
//! Chainguard's advisories, and in those of Ubuntu's and Red Hat's trackers.

/// What a vendor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing but the versions.
    Open,
    /// The package is not affected after all.
    NotAffected,
    /// There will be no fix for this release.
    WontFix,
}

impl State {
    /// What the first of `words` that says anything says.
    pub(super) fn of<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        words.map(Self::of_word).find(|state| *state != Self::Open).unwrap_or(Self::Open)
    }

    fn of_word(word: &str) -> Self {
        let letters = |c: char| if c.is_ascii_alphabetic() { c.to_ascii_lowercase() } else { '-' };
        match word.trim().chars().take(40).map(letters).collect::<String>().as_str() {
            "not-affected" | "known-not-affected" | "false-positive-determination" | "dne" | "does-not-exist" => {
                Self::NotAffected
            }
            "end-of-life"
            | "eol"
            | "fix-not-planned"
            | "no-fix-planned"
            | "wont-fix"
            | "won-t-fix"
            | "wontfix"
            | "will-not-fix"
            | "ignored"
            | "out-of-support-scope" => Self::WontFix,
            _ => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_vendors_mean_what_they_do() {
        for (words, meant) in [
            (&["low", "end-of-life"][..], State::WontFix),
            (&["fix-not-planned"], State::WontFix),
            (&["Will not fix"], State::WontFix),
            (&["ignored"], State::WontFix),
            (&["not_affected"], State::NotAffected),
            (&["Not affected", "ignored"], State::NotAffected),
            (&["pending-upstream-fix"], State::Open),
            (&["needed", "deferred", "unimportant"], State::Open),
            (&[], State::Open),
        ] {
            assert_eq!(State::of(words.iter().copied()), meant, "{words:?}");
        }
    }
}
