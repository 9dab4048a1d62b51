//! System tests in one binary, so that it is linked once: each module is one subject.

mod system {
    mod liar;
    mod links;
    mod peers;
}
