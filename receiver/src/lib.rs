//! Plimsoll's control plane: takes deliveries in, owns the store, records reports, answers operators.
//!
//! It never parses an image: that is the scanner's.

pub mod api;
pub mod health;
pub mod store;
