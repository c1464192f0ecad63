//! Layers and stacks of layers: honest, odd and hostile.

mod hostile;
mod layers;
mod stacks;
