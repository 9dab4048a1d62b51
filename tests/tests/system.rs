//! System tests in one binary, so that it is linked once: each module is one subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail, loudly"
)]

mod system {
    mod beside;
    mod budget;
    mod commands;
    mod concurrency;
    mod crash_buyer;
    mod crashes;
    mod damage;
    mod deploy;
    mod frames;
    mod homes;
    mod liar;
    mod links;
    mod mpp;
    mod mpp_hostile;
    mod mpp_sessions;
    mod mpp_v1;
    mod mpp_wallet;
    mod payments;
    mod peers;
    mod people;
    mod scratch;
    mod secrets;
    mod silence;
    mod slate;
    mod stock;
    mod strangers;
    mod tempo_fence;
    mod tempo_house;
    mod tempo_testbed;
    mod tempo_transfer;
    mod thousand;
}
