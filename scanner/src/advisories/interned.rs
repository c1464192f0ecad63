//! Texts by number: each is kept once, however often it comes.

use std::collections::HashMap;

use super::format;

/// Texts, numbered in the order in which they came.
#[derive(Default)]
pub(super) struct Interned {
    bytes: String,
    /// Where each ends in `bytes`.
    ends: Vec<usize>,
    /// Numbers by hash; where two texts have one hash, the second is under the next that is free.
    numbers: HashMap<u64, u32>,
}

impl Interned {
    /// The number of a text, a new one if it never came before.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let mut hash = format::hash(text.as_bytes());
        while let Some(&number) = self.numbers.get(&hash) {
            if self.text(number) == text {
                return number;
            }
            hash = hash.wrapping_add(1);
        }
        let number = self.ends.len() as u32;
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        self.numbers.insert(hash, number);
        number
    }

    /// The text with a number.
    pub(super) fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_one_number() {
        let mut interned = Interned::default();
        let numbers = ["a", "", "long one", "a", "", "b"].map(|text| interned.number(text));
        assert_eq!(numbers, [0, 1, 2, 0, 1, 3]);
        assert_eq!([0, 1, 2, 3].map(|number| interned.text(number)), ["a", "", "long one", "b"]);
        assert_eq!(interned.len(), 4);
    }
}
