//! A layer's bytes, verified and decompressed while they are read.
//!
//! ```text
//! source ─▶ Verified: counts and hashes what arrives ─▶ gzip, zstd or nothing ─▶ Unpacked: counts what comes out
//! ```
//!
//! The compression is found from the first bytes, never from the media type, which registries get wrong.

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256, Sha512};
use shared::image::Digest;
use shared::shutdown::Shutdown;

use super::limits::{LimitExceeded, Limits, check};
use super::{LayerDescriptor, SourceError};

/// Bytes that are asked of the source at once, and the size of the buffer behind the decompressor.
const BUFFER: usize = 128 * 1024;

/// Windows of up to 32 MiB are accepted (zstd levels up to 20 use no larger one); several layers at once then stay within the
/// memory of a small scanner. RFC 8878, section 3.1.1.1.2, asks for 8 MiB at least.
const ZSTD_WINDOW_LOG: u32 = 25;

/// Why a layer could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// More than the configuration allows.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The bytes are not those that the manifest names.
    #[error("{layer} is not what its manifest says: {why}")]
    Mismatch {
        /// The layer.
        layer: String,
        /// Digest or size, expected and found.
        why: String,
    },
    /// The bytes are those of the manifest, but no layer can be read from them.
    #[error("{layer} cannot be read: {why}")]
    Damaged {
        /// The layer.
        layer: String,
        /// What is wrong with it.
        why: String,
    },
    /// The source stopped in the middle; trying again may help.
    #[error("{layer} could not be read to its end: {why}")]
    Interrupted {
        /// The layer.
        layer: String,
        /// What the source said.
        why: String,
        /// How long the source asks to wait.
        retry_after: Option<Duration>,
    },
    /// The scan was given up.
    #[error("the scan was stopped")]
    Stopped,
}

impl From<LayerError> for io::Error {
    fn from(error: LayerError) -> Self {
        Self::other(error)
    }
}

/// The typed error that travelled through readers as an [`io::Error`]; any other error means damaged bytes.
pub(crate) fn layer_error(error: io::Error, layer: &str) -> LayerError {
    match error.downcast::<LayerError>() {
        Ok(error) => error,
        Err(error) => LayerError::Damaged { layer: layer.to_owned(), why: error.to_string() },
    }
}

/// What the reader of a source says; it may be a [`SourceError`] that tells whether trying again can help.
fn source_failed(error: io::Error, layer: String) -> LayerError {
    match error.downcast::<SourceError>() {
        Ok(SourceError::Temporary { reason, retry_after }) => {
            LayerError::Interrupted { layer, why: reason, retry_after }
        }
        Ok(permanent) => LayerError::Damaged { layer, why: permanent.to_string() },
        Err(error) => LayerError::Interrupted { layer, why: error.to_string(), retry_after: None },
    }
}

/// The layer as it is named in errors.
pub(crate) fn layer_name(digest: &Digest) -> String {
    format!("layer {digest}")
}

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn for_digest(digest: &Digest) -> Self {
        match digest.algorithm() {
            "sha512" => Self::Sha512(Sha512::new()),
            _ => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn hex(self) -> String {
        match self {
            Self::Sha256(hasher) => hex::encode(hasher.finalize()),
            Self::Sha512(hasher) => hex::encode(hasher.finalize()),
        }
    }
}

/// The compressed bytes: each is counted, hashed, and only then handed on.
struct Verified<R> {
    source: R,
    buffer: Box<[u8]>,
    /// Part of the buffer that was not yet handed on.
    pending: std::ops::Range<usize>,
    hasher: Hasher,
    count: u64,
    /// The first error; it is returned again by every later call.
    failed: Option<LayerError>,
    layer: LayerDescriptor,
    max: u64,
    stop: Shutdown,
}

impl<R: Read> Verified<R> {
    fn new(source: R, layer: &LayerDescriptor, limits: &Limits, stop: Shutdown) -> Self {
        Self {
            source,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            pending: 0..0,
            hasher: Hasher::for_digest(&layer.digest),
            count: 0,
            failed: None,
            layer: layer.clone(),
            max: limits.layer_bytes,
            stop,
        }
    }

    fn refill(&mut self) -> Result<(), LayerError> {
        if self.stop.is_cancelled() {
            return Err(LayerError::Stopped);
        }
        let layer = || layer_name(&self.layer.digest);
        let read = loop {
            match self.source.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(source_failed(error, layer())),
                Ok(read) => break read,
            }
        };
        self.pending = 0..read;
        self.count += read as u64;
        check("layer_bytes", self.count, self.max, &layer())?;
        if let Some(size) = self.layer.size.filter(|size| self.count > *size) {
            return Err(LayerError::Mismatch { layer: layer(), why: format!("it is larger than {size} bytes") });
        }
        self.hasher.update(&self.buffer[..read]);
        Ok(())
    }

    /// Reads what is left, and compares size and digest.
    fn finish(mut self) -> Result<(), LayerError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        while {
            self.refill()?;
            !self.pending.is_empty()
        } {}
        let layer = layer_name(&self.layer.digest);
        if let Some(size) = self.layer.size.filter(|size| self.count != *size) {
            let why = format!("it has {} bytes and not {size}", self.count);
            return Err(LayerError::Mismatch { layer, why });
        }
        let found = self.hasher.hex();
        if found != self.layer.digest.hex() {
            let why = format!("its digest is {}:{found}", self.layer.digest.algorithm());
            return Err(LayerError::Mismatch { layer, why });
        }
        Ok(())
    }
}

fn io_result<T>(result: io::Result<T>, digest: &Digest) -> Result<T, LayerError> {
    result.map_err(|error| layer_error(error, &layer_name(digest)))
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Verified<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        if self.pending.is_empty()
            && let Err(error) = self.refill()
        {
            self.failed = Some(error.clone());
            return Err(error.into());
        }
        Ok(&self.buffer[self.pending.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.pending.start = self.pending.end.min(self.pending.start + amount);
    }
}

enum Decoder<R: Read> {
    Plain(Verified<R>),
    Gzip(Box<MultiGzDecoder<Verified<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Verified<R>>),
}

impl<R: Read> Decoder<R> {
    /// Chooses by magic number: RFC 1952 section 2.3.1, RFC 8878 sections 3.1.1 and 3.1.2 (skippable frames).
    fn new(mut verified: Verified<R>) -> io::Result<Self> {
        match verified.fill_buf()? {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(verified)))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(verified)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Ok(Self::Zstd(decoder))
            }
            _ => Ok(Self::Plain(verified)),
        }
    }

    fn verified(&self) -> &Verified<R> {
        match self {
            Self::Plain(verified) => verified,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn into_verified(self) -> Verified<R> {
        match self {
            Self::Plain(verified) => verified,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(verified) => verified.read(into),
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
        }
    }
}

/// Counts what comes out of the decompressor.
struct Ceiling<R: Read> {
    decoder: Decoder<R>,
    count: u64,
    max: u64,
    ratio: u64,
    ratio_floor: u64,
    failed: Option<LayerError>,
}

impl<R: Read> Ceiling<R> {
    fn checked_read(&mut self, into: &mut [u8]) -> Result<usize, LayerError> {
        let read = io_result(self.decoder.read(into), &self.decoder.verified().layer.digest)?;
        self.count += read as u64;
        let verified = self.decoder.verified();
        if self.count > self.max {
            check("unpacked_bytes", self.count, self.max, &layer_name(&verified.layer.digest))?;
        }
        if self.count > self.ratio_floor.max(verified.count.saturating_mul(self.ratio)) {
            let ratio = self.count / verified.count.max(1) + 1;
            check("ratio", ratio, self.ratio, &layer_name(&verified.layer.digest))?;
        }
        Ok(read)
    }
}

impl<R: Read> Read for Ceiling<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        self.checked_read(into).map_err(|error| {
            self.failed = Some(error.clone());
            error.into()
        })
    }
}

/// The uncompressed bytes of one layer. Once a read has failed, every later one fails with the same error.
pub(crate) struct Unpacked<R: Read>(BufReader<Ceiling<R>>);

impl<R: Read> Unpacked<R> {
    /// Begins to read `layer` from `source`; a cancelled `stop` ends it at the next read.
    pub(crate) fn new(source: R, layer: &LayerDescriptor, limits: &Limits, stop: Shutdown) -> Result<Self, LayerError> {
        let decoder = Decoder::new(Verified::new(source, layer, limits, stop));
        let ceiling = Ceiling {
            decoder: io_result(decoder, &layer.digest)?,
            count: 0,
            max: limits.unpacked_bytes,
            ratio: limits.ratio,
            ratio_floor: limits.ratio_floor,
            failed: None,
        };
        Ok(Self(BufReader::with_capacity(BUFFER, ceiling)))
    }

    /// Reads the source to its end, without unpacking any more, and compares size and digest with the manifest's.
    pub(crate) fn finish(self) -> Result<(), LayerError> {
        self.0.into_inner().decoder.into_verified().finish()
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl<R: Read> BufRead for Unpacked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}
