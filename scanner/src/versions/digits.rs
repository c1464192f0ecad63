//! Whole numbers of any length, compared without converting them.

use std::cmp::Ordering;

/// A run of ASCII digits, ordered as the number that it writes. No digits at all are 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits<'a>(&'a str);

impl<'a> Digits<'a> {
    pub(super) const ZERO: Self = Self("");

    /// `text` must hold ASCII digits only.
    pub(super) fn new(text: &'a str) -> Self {
        debug_assert!(text.bytes().all(|byte| byte.is_ascii_digit()));
        Self(text.trim_start_matches('0'))
    }

    pub(super) fn is_zero(self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Digits<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Digits<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Digits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Digits<'_> {}

/// Splits off the digits in front: `("12", "rc1")` of `12rc1`.
pub(super) fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}
