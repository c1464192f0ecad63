//! Headers of packages as every rpm database keeps them ("RPM Package format", section "Header", without its magic
//! number): the numbers of entries and of data bytes, entries of 16 bytes each, data. Numbers are big-endian.

use std::borrow::Cow;

use super::database::{HEADER_LIMIT, array};

/// Entries of one header: rpm's own limit.
const ENTRY_LIMIT: usize = 0xffff;

const ENTRY: usize = 16;

/// What an entry holds (`rpmTagType`).
mod kind {
    pub(super) const INT32: u32 = 4;
    pub(super) const STRING: u32 = 6;
    pub(super) const STRING_ARRAY: u32 = 8;
}

/// Names of entries (`rpmTag`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Tag {
    Name = 1000,
    Version = 1001,
    Release = 1002,
    Epoch = 1003,
    Arch = 1022,
    SourceRpm = 1044,
    DirIndexes = 1116,
    BaseNames = 1117,
    DirNames = 1118,
    ModularityLabel = 5096,
}

/// The header of one package. An entry that is missing and one that is damaged are the same: `None`.
pub(super) struct Header<'b> {
    entries: &'b [u8],
    data: &'b [u8],
}

impl<'b> Header<'b> {
    /// `None` if the numbers of entries and bytes are not those of `blob`.
    pub(super) fn of(blob: &'b [u8]) -> Option<Self> {
        let number = |at| Some(u32::from_be_bytes(array(blob, at)?) as usize);
        let (count, size) = (number(0)?, number(4)?);
        if count == 0 || count > ENTRY_LIMIT || size > HEADER_LIMIT {
            return None;
        }
        let (entries, data) = blob.get(8..)?.split_at_checked(count * ENTRY)?;
        Some(Self { entries, data: data.get(..size)? })
    }

    /// A text; `None` if it is empty.
    pub(super) fn text(&self, tag: Tag) -> Option<Cow<'b, str>> {
        let (data, _) = self.entry(tag, kind::STRING)?;
        let text = data.split_inclusive(|byte| *byte == 0).next()?.strip_suffix(&[0])?;
        Some(String::from_utf8_lossy(text)).filter(|text| !text.is_empty())
    }

    /// A list of texts.
    pub(super) fn texts(&self, tag: Tag) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let (data, count) = self.entry(tag, kind::STRING_ARRAY).unwrap_or_default();
        data.split_inclusive(|byte| *byte == 0).take(count).map_while(|text| text.strip_suffix(&[0]))
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, tag: Tag) -> impl Iterator<Item = u32> + use<'b> {
        let (data, count) = self.entry(tag, kind::INT32).unwrap_or_default();
        data.as_chunks().0.iter().take(count).map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// The data from where that of an entry begins, and how many values it has.
    fn entry(&self, tag: Tag, kind: u32) -> Option<(&'b [u8], usize)> {
        self.entries.as_chunks::<ENTRY>().0.iter().find_map(|entry| {
            let number = |at| Some(u32::from_be_bytes(array(entry, at)?));
            if number(0)? != tag as u32 || number(4)? != kind {
                return None;
            }
            Some((self.data.get(number(8)? as usize..)?, number(12)? as usize))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::header;
    use super::*;

    #[test]
    fn values_are_found_by_tag() {
        let blob = header(&[("name", "bash"), ("epoch", "2"), ("files", "/bin/bash /etc/profile")]);
        let header = Header::of(&blob).unwrap();
        assert_eq!(header.text(Tag::Name).unwrap(), "bash");
        assert_eq!(header.text(Tag::Version), None);
        assert_eq!(header.numbers(Tag::Epoch).collect::<Vec<_>>(), [2]);
        assert_eq!(header.texts(Tag::BaseNames).collect::<Vec<_>>(), [&b"bash"[..], b"profile"]);
        assert_eq!(header.texts(Tag::DirNames).collect::<Vec<_>>(), [&b"/bin/"[..], b"/etc/"]);
        assert_eq!(header.numbers(Tag::DirIndexes).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(header.numbers(Tag::Name).count(), 0);
    }

    #[test]
    fn a_header_that_says_more_than_it_has_is_none() {
        let blob = header(&[("name", "bash")]);
        for length in 0..blob.len() {
            assert!(Header::of(&blob[..length]).is_none(), "{length}");
        }
        for (at, value) in [(0, 0_u32), (0, 0x10000), (0, u32::MAX), (4, u32::MAX), (4, 65 << 20)] {
            let mut blob = blob.clone();
            blob[at..at + 4].copy_from_slice(&value.to_be_bytes());
            assert!(Header::of(&blob).is_none(), "{at} {value}");
        }
    }

    #[test]
    fn a_text_without_an_end_or_outside_of_the_data_is_none() {
        let mut blob = header(&[("name", "bash")]);
        *blob.last_mut().unwrap() = b'x';
        assert_eq!(Header::of(&blob).unwrap().text(Tag::Name), None);
        let mut blob = header(&[("name", "bash")]);
        blob[8 + 8..8 + 12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Header::of(&blob).unwrap().text(Tag::Name), None);
    }
}
