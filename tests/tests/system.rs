//! System tests in one binary, so that it is linked once: each module is one subject.

mod system {
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
    mod payments;
    mod peers;
    mod scratch;
    mod secrets;
    mod silence;
    mod strangers;
}
