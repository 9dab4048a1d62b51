#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

mod admission;
mod documents;
mod durability;
mod fixture;
mod heads;
mod holds;
mod stops;
mod subjects;
mod tightening;
