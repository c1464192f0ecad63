//! Whole-flow tests: they start the real binary as real processes, with a real broker and a real registry.
//! One file per promise.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod advisories;
mod base_images;
mod command_line;
mod demo;
mod durability;
mod hostile_images;
mod operations;
mod platforms;
mod power_cut;
mod push_to_findings;
mod sbom;
