//! Changes to one tree that are made all at once, and large documents as many small values.
//!
//! A document is compressed and split: chunk `n` is stored under its key followed by `n` as four big-endian bytes.
//! The first chunk begins with the number of chunks and the size of the document, both as four big-endian bytes.

use sled::{IVec, Tree};

use super::DurableError;

/// Largest value in bytes. sled keeps up to 16 values in a page, and a page above a quarter of a segment would get a
/// file of its own that is never synced.
pub const MAX_VALUE: usize = 60_000;

const CHUNK: usize = 48_000;
const HEADER: usize = 8;
const LEVEL: i32 = 3;

/// How often a document is read that changes while it is read.
const READS: u32 = 5;

/// Changes to one tree. Each key may be changed once.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    changes: sled::Batch,
    too_large: Option<usize>,
}

impl Batch {
    /// Sets `key` to `value`. With a value above [`MAX_VALUE`] the whole batch will be refused.
    pub fn insert(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        let value = value.into();
        if value.len() > MAX_VALUE {
            self.too_large.get_or_insert(value.len());
        }
        self.changes.insert(key, value);
    }

    /// Removes `key`, whether it exists or not.
    pub fn remove(&mut self, key: impl Into<IVec>) {
        self.changes.remove(key);
    }

    /// Sets the document `key` of `tree`, of any size up to 4 GiB, instead of the one that is there.
    pub fn put_large(&mut self, tree: &Tree, key: &[u8], document: &[u8]) -> Result<(), DurableError> {
        let size = u32::try_from(document.len()).map_err(|_| DurableError::TooLarge { size: document.len() })?;
        let compressed = compress(document).map_err(|error| DurableError::Document(error.to_string()))?;
        let mut stored = vec![0; HEADER];
        stored.extend(compressed);
        let count = chunk_index(stored.chunks(CHUNK).len());
        stored[..4].copy_from_slice(&count.to_be_bytes());
        stored[4..HEADER].copy_from_slice(&size.to_be_bytes());

        for (index, chunk) in stored.chunks(CHUNK).enumerate() {
            self.insert(chunk_key(key, chunk_index(index)), chunk);
        }
        self.remove_chunks(key, count..chunk_count(tree, key)?);
        Ok(())
    }

    /// Removes the document `key` of `tree`, whether it exists or not.
    pub fn remove_large(&mut self, tree: &Tree, key: &[u8]) -> Result<(), DurableError> {
        self.remove_chunks(key, 0..chunk_count(tree, key)?);
        Ok(())
    }

    fn remove_chunks(&mut self, key: &[u8], indexes: std::ops::Range<u32>) {
        for index in indexes {
            self.remove(chunk_key(key, index));
        }
    }

    pub(super) fn finish(self) -> Result<sled::Batch, DurableError> {
        self.too_large.map_or(Ok(self.changes), |size| Err(DurableError::TooLarge { size }))
    }
}

/// The document `key` of `tree`, if there is one.
pub fn get_large(tree: &Tree, key: &[u8]) -> Result<Option<Vec<u8>>, DurableError> {
    let mut result = Ok(None);
    // Chunks are read one by one: a change in between shows as a document that does not decompress.
    for _ in 0..READS {
        result = read(tree, key);
        if !matches!(result, Err(DurableError::Document(_))) {
            break;
        }
    }
    result
}

fn read(tree: &Tree, key: &[u8]) -> Result<Option<Vec<u8>>, DurableError> {
    let Some(first) = tree.get(chunk_key(key, 0))? else { return Ok(None) };
    let (count, size) = header(&first)?;
    let mut compressed = first[HEADER..].to_vec();
    for index in 1..count {
        let chunk = tree.get(chunk_key(key, index))?;
        compressed.extend_from_slice(&chunk.ok_or_else(|| DurableError::Document(format!("chunk {index} is gone")))?);
    }
    let document = zstd::bulk::decompress(&compressed, size as usize);
    document.map(Some).map_err(|error| DurableError::Document(error.to_string()))
}

/// With a checksum, which shows chunks that do not belong together.
fn compress(document: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    compressor.compress(document)
}

fn chunk_count(tree: &Tree, key: &[u8]) -> Result<u32, DurableError> {
    tree.get(chunk_key(key, 0))?.map_or(Ok(0), |first| Ok(header(&first)?.0))
}

fn header(first: &[u8]) -> Result<(u32, u32), DurableError> {
    let field = |at: usize| first.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    field(0).zip(field(4)).ok_or_else(|| DurableError::Document("its first chunk is too short".to_owned()))
}

fn chunk_key(key: &[u8], index: u32) -> Vec<u8> {
    [key, &index.to_be_bytes()].concat()
}

#[expect(clippy::expect_used, reason = "a document has at most 4 GiB, so at most some 90 000 chunks")]
fn chunk_index(index: usize) -> u32 {
    u32::try_from(index).expect("few chunks")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::super::{CACHE_BYTES, Durable};
    use super::*;

    fn open() -> (TempDir, Durable, Tree) {
        let folder = TempDir::new().unwrap();
        let durable = Durable::open(folder.path(), CACHE_BYTES).unwrap();
        let tree = durable.tree("documents").unwrap();
        (folder, durable, tree)
    }

    /// Bytes that do not compress.
    fn noise(size: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::iter::repeat_with(&mut next).take(size).collect()
    }

    #[test]
    fn a_value_that_is_too_large_refuses_the_whole_batch() {
        let (_folder, durable, tree) = open();
        let mut batch = Batch::default();
        batch.insert("small", "value");
        batch.insert("large", vec![0; MAX_VALUE + 1]);
        assert!(matches!(durable.apply(&tree, batch), Err(DurableError::TooLarge { size }) if size == MAX_VALUE + 1));
        assert!(tree.is_empty());
    }

    #[test]
    fn a_lost_chunk_is_an_error() {
        let (_folder, durable, tree) = open();
        let mut batch = Batch::default();
        batch.put_large(&tree, b"key", &noise(200_000, 1)).unwrap();
        durable.apply(&tree, batch).unwrap();
        let mut batch = Batch::default();
        batch.remove(chunk_key(b"key", 2));
        durable.apply(&tree, batch).unwrap();
        assert!(matches!(get_large(&tree, b"key"), Err(DurableError::Document(_))));
    }

    #[tokio::test]
    async fn a_batch_may_be_larger_than_a_segment() {
        let (folder, durable, tree) = open();
        let document = noise(20_000_000, 2);
        let mut batch = Batch::default();
        batch.put_large(&tree, b"key", &document).unwrap();
        durable.apply(&tree, batch).unwrap();
        durable.commit().await.unwrap();
        drop((durable, tree));

        let durable = Durable::open(folder.path(), CACHE_BYTES).unwrap();
        let tree = durable.tree("documents").unwrap();
        assert!(get_large(&tree, b"key").unwrap().unwrap() == document);
        assert!(!folder.path().join("blobs").read_dir().unwrap().any(|_| true), "no value may get a file of its own");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn a_document_replaces_the_one_before(sizes in prop::collection::vec(0_usize..300_000, 1..4), seed: u64) {
            let (_folder, durable, tree) = open();
            for size in sizes {
                let document = noise(size, seed);
                let mut batch = Batch::default();
                batch.put_large(&tree, b"key", &document).unwrap();
                durable.apply(&tree, batch).unwrap();
                prop_assert!(get_large(&tree, b"key").unwrap().unwrap() == document);
            }
            let mut batch = Batch::default();
            batch.remove_large(&tree, b"key").unwrap();
            durable.apply(&tree, batch).unwrap();
            prop_assert!(tree.is_empty());
        }
    }
}
