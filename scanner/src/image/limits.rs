//! How much of an image is read, and how much of that is kept. Beyond a limit the scan ends as failed, with the limit named.

use serde::{Deserialize, Serialize};

/// Section `[scanner.limits]` of the configuration. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds that one scan may take, all its platforms together. Default: 1200.
    pub scan_seconds: u64,
    /// Layers of one image. Default: 256; container engines stop at 127.
    pub layers: u64,
    /// Compressed size of all layers of one image. Default: 64 GiB.
    pub image_bytes: u64,
    /// Compressed size of one layer. Default: 32 GiB.
    pub layer_bytes: u64,
    /// Uncompressed size of one layer. Default: 64 GiB.
    pub unpacked_bytes: u64,
    /// Uncompressed bytes for each compressed one, once a layer unpacks to more than `ratio_floor`. Default: 200.
    pub ratio: u64,
    /// Layers that unpack to less may have any ratio: a sparse `lastlog` shrinks a thousandfold. Default: 1 GiB.
    pub ratio_floor: u64,
    /// Files, directories and links in one layer, and in all layers of an image together. Each costs 8 bytes of memory.
    /// Default: 10 million.
    pub entries: u64,
    /// Paths that are kept of one layer, in bytes: of package files, whiteouts, and symbolic links that may lead to
    /// package files. Links beyond it make the result partial; anything else makes it fail. Default: 32 MiB.
    pub name_bytes: u64,
    /// Bytes in one path or link target. Default: 4096, Linux's own limit.
    pub path_bytes: u64,
    /// Parts between the slashes of one path. Default: 256.
    pub path_depth: u64,
    /// Extended header of one entry (long names, pax records). Default: 1 MiB, as in Go's `archive/tar`.
    pub header_bytes: u64,
    /// Size of one file that is read for its packages; a larger one makes the result partial. Default: 1 GiB.
    pub file_bytes: u64,
    /// Files that are read for their packages, in one layer and in all layers of an image together. Default: 200,000.
    pub files: u64,
    /// Packages that are found in one layer, and in all layers of an image together. Default: 500,000.
    pub packages: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            scan_seconds: 20 * 60,
            layers: 256,
            image_bytes: 64 << 30,
            layer_bytes: 32 << 30,
            unpacked_bytes: 64 << 30,
            ratio: 200,
            ratio_floor: 1 << 30,
            entries: 10_000_000,
            name_bytes: 32 << 20,
            path_bytes: 4096,
            path_depth: 256,
            header_bytes: 1 << 20,
            file_bytes: 1 << 30,
            files: 200_000,
            packages: 500_000,
        }
    }
}

/// Something in an image is larger than the configuration allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{layer} goes beyond the limit {limit} = {max}; if it can be trusted, raise scanner.limits.{limit}")]
pub struct LimitExceeded {
    /// The field of [`Limits`].
    pub limit: &'static str,
    /// What was reached when the reader stopped.
    pub value: u64,
    /// What is allowed.
    pub max: u64,
    /// Where: a layer by its digest, a file in it, or the image.
    pub layer: String,
}

/// Stops at the first value that is above `max`.
pub(crate) fn check(limit: &'static str, value: u64, max: u64, layer: &str) -> Result<(), LimitExceeded> {
    if value <= max {
        return Ok(());
    }
    Err(LimitExceeded { limit, value, max, layer: layer.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_override_defaults_and_misspelt_ones_are_refused() {
        let limits: Limits = toml::from_str("entries = 5").unwrap();
        assert_eq!(limits, Limits { entries: 5, ..Limits::default() });
        assert!(toml::from_str::<Limits>("entires = 5").unwrap_err().to_string().contains("entires"));
    }
}
