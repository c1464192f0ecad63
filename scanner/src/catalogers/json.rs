//! JSON of unknown size: read as a stream, and only what is wanted of it kept.

use std::fmt;
use std::io::{BufRead, Read};
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{CatalogError, PACKAGE_LIMIT};

/// Bytes read of a lock file; those of the largest projects have some thirty million.
pub(super) const LOCK_FILE_LIMIT: u64 = 64 << 20;

/// Bytes of a text that is kept.
const TEXT_LIMIT: usize = 4096;

/// Reads the first `limit` bytes of a file as one value.
pub(super) fn read<T: for<'de> Deserialize<'de>>(file: &mut dyn BufRead, limit: u64) -> Result<T, CatalogError> {
    read_into(PhantomData, file, limit)
}

/// Reads the first `limit` bytes of a file as one value, as `seed` does.
pub(super) fn read_into<S, T>(seed: S, file: &mut dyn BufRead, limit: u64) -> Result<T, CatalogError>
where
    S: for<'de> DeserializeSeed<'de, Value = T>,
{
    if file.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    let mut file = file.take(limit);
    let mut json = serde_json::Deserializer::from_reader(&mut file);
    let value = seed.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    value.map_err(|error| match error {
        error if error.is_io() => CatalogError::Read(error.into()),
        error if error.is_eof() && file.limit() == 0 => {
            CatalogError::TooMany { what: "bytes", limit: usize::try_from(limit).unwrap_or(usize::MAX) }
        }
        error => CatalogError::Malformed { line: error.line() as u64, why: error.to_string() },
    })
}

/// Something that takes an object in, entry by entry, as they are read.
pub(super) trait Object: Sized {
    /// Reads the value of `key`, which must be done.
    fn entry<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;

    /// A seed that reads the object and gives it back.
    fn seed(self) -> ObjectSeed<Self> {
        ObjectSeed(self)
    }
}

/// Reads an object into an [`Object`].
pub(super) struct ObjectSeed<O>(O);

impl<'de, O: Object> DeserializeSeed<'de> for ObjectSeed<O> {
    type Value = O;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<O, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, O: Object> Visitor<'de> for ObjectSeed<O> {
    type Value = O;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<O, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.entry(&key, &mut map)?;
        }
        Ok(self.0)
    }
}

/// A field that may hold anything in the wild: its type is asked for when it is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    /// Neither text nor a truth value, or a text that is too long for a name or a version.
    #[default]
    Other,
    Text(String),
    Flag(bool),
}

impl Field {
    /// The text, if there is any in it.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Flag(true)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyField;

        impl<'de> Visitor<'de> for AnyField {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Field, E> {
                Ok(Field::Flag(flag))
            }

            fn visit_str<E>(self, text: &str) -> Result<Field, E> {
                Ok(if text.len() <= TEXT_LIMIT { Field::Text(text.to_owned()) } else { Field::Other })
            }

            fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Field, A::Error> {
                IgnoredAny.visit_seq(seq).map(|_| Field::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
                IgnoredAny.visit_map(map).map(|_| Field::Other)
            }
        }

        deserializer.deserialize_any(AnyField)
    }
}

/// The elements of a list, no more than are kept of one file.
#[derive(Debug)]
pub(super) struct List<V>(pub(super) Vec<V>);

/// The entries of an object, no more than are kept of one file.
#[derive(Debug)]
pub(super) struct Entries<V>(pub(super) Vec<(String, V)>);

impl<V> Default for List<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for List<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Elements<V> {
            type Value = List<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<V>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = seq.next_element()? {
                    push(&mut list, element)?;
                }
                Ok(List(list))
            }
        }

        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysAndValues<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for KeysAndValues<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    push(&mut entries, entry)?;
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(KeysAndValues(PhantomData))
    }
}

fn push<T, E: Error>(list: &mut Vec<T>, element: T) -> Result<(), E> {
    if list.len() == PACKAGE_LIMIT {
        return Err(E::custom(format_args!("more than {PACKAGE_LIMIT} elements")));
    }
    list.push(element);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Vec<(String, Field)> {
        read::<Entries<Field>>(&mut json.as_bytes(), 10_000).unwrap().0
    }

    #[test]
    fn fields_hold_anything() {
        let json = r#"{"a": " x ", "b": true, "c": [1, {"d": 2.5}], "e": {"f": null}, "g": -1, "h": 1e300, "i": null}"#;
        let fields = fields(json);
        let of_text: Vec<_> = fields.iter().filter_map(|(_, field)| field.text()).collect();
        assert_eq!((fields.len(), of_text), (7, vec!["x"]));
        assert!(fields[1].1.is_true() && !fields[0].1.is_true());
    }

    #[test]
    fn long_texts_are_no_texts() {
        let field = |length| fields(&format!("{{\"a\": \"{}\"}}", "x".repeat(length))).remove(0).1;
        assert!(field(0).text().is_none() && field(5000).text().is_none() && field(4096).text().is_some());
    }

    #[test]
    fn what_is_too_long_or_too_deep_or_too_much_is_an_error() {
        let error = |json: &str, limit| read::<Entries<Field>>(&mut json.as_bytes(), limit).unwrap_err();
        assert!(matches!(error("{\"a\": 1}", 5), CatalogError::TooMany { what: "bytes", limit: 5 }));
        assert!(matches!(error("{\"a\": 1} 7", 100), CatalogError::Malformed { line: 1, .. }));
        let deep = format!("{{\"a\": {}", "[".repeat(100_000));
        assert!(matches!(error(&deep, LOCK_FILE_LIMIT), CatalogError::Malformed { .. }));
        let many = format!("{{\"a\": 1{}}}", ",\"a\": 1".repeat(PACKAGE_LIMIT));
        assert!(error(&many, LOCK_FILE_LIMIT).to_string().contains("more than 100000"));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(fields("\u{feff}{\"a\": true}"), [("a".to_owned(), Field::Flag(true))]);
    }
}
