//! Plimsoll's muscle: takes a job, pulls what is new, catalogs its packages, matches them against the world's
//! advisories, and answers with a report. It owns nothing but caches and the advisory database, so any number of
//! scanners can run on any number of machines.
//!
//! Read [`pipeline`] first: it tells the whole story of one scan.

pub mod advisories;
pub mod cache;
pub mod catalogers;
pub mod config;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod image;
pub mod inventory;
pub mod matcher;
pub mod pipeline;
pub mod severity;
pub mod vendors;
pub mod versions;
pub mod worker;
