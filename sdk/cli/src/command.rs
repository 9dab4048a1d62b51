//! One module per command: arguments in, an [`Answer`](crate::answer::Answer) out.

pub mod agent;
pub mod authority;
pub mod node;
pub mod policy;
