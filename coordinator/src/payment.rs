//! A payment's way through the coordinator: a pure state machine, and a driver that does what it
//! says and survives being killed anywhere.

pub mod again;
pub mod book;
pub mod budgets;
pub mod driver;
mod evidence;
pub mod hold;
pub mod intake;
mod join;
pub mod lookout;
mod outcome;
mod prepare;
pub mod preview;
pub mod running;
mod session;
pub mod state;
