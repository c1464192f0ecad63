//! What Plimsoll's processes must agree on, and nothing that only one of them uses: images, events,
//! jobs, reports and findings; the queue between the processes; the client for registries;
//! configuration, secrets, telemetry and shutdown.
//!
//! This crate knows neither the receiver's store nor the scanner's image formats.

pub mod config;
pub mod durable;
pub mod event;
pub mod finding;
pub mod image;
pub mod job;
pub mod package;
pub mod queue;
pub mod registry;
pub mod report;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
