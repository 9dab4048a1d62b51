//! One module per command: arguments in, an [`Answer`](crate::answer::Answer) out.

pub mod agent;
pub mod authority;
pub mod budgets;
pub mod doctor;
pub mod fence;
pub mod init;
pub mod node;
pub mod pay;
pub mod payment;
pub mod policy;
pub mod registry;
pub mod session;
mod table;
pub mod wallet;
