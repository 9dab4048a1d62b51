//! What the process asks of the kernel before it holds a secret.
//!
//! Promises: says what could not be had instead of failing.
//! Does not protect against: root, hibernation, or a hypervisor's snapshot.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// A protection the kernel did not grant, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHardened {
    /// What was asked for.
    pub protection: &'static str,
    /// The kernel's answer.
    pub reason: String,
}

/// What [`harden_process`] could not have; empty when everything was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardening {
    /// Protections that are missing, in order of asking.
    pub missing: Vec<NotHardened>,
}

/// Turns core dumps and tracing by the same user off, sets the umask to 077, and locks memory
/// against swapping. Call once, first thing in `main`.
pub fn harden_process() -> Hardening {
    let mut missing = Vec::new();
    let mut ask = |protection, granted: Result<(), String>| {
        missing.extend(granted.err().map(|reason| NotHardened { protection, reason }));
    };
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    ask("no core dumps (RLIMIT_CORE)", no_core_dumps());
    ask("not dumpable (PR_SET_DUMPABLE)", not_dumpable());
    ask("memory locked (mlockall)", lock_memory());
    Hardening { missing }
}

fn no_core_dumps() -> Result<(), String> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none).map_err(|e| e.to_string())
}

fn not_dumpable() -> Result<(), String> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| e.to_string())
}

/// Locks what is mapped, now and later, as it is touched. Under a finite `RLIMIT_MEMLOCK` the
/// kernel would grant this and then refuse some later allocation, which ends the process in the
/// middle of a signature; so a finite limit that cannot be lifted means no lock.
fn lock_memory() -> Result<(), String> {
    let limit = rustix::process::getrlimit(Resource::Memlock);
    if limit.current.is_some() {
        let unlimited = Rlimit { current: None, maximum: None };
        rustix::process::setrlimit(Resource::Memlock, unlimited).map_err(|e| {
            format!("RLIMIT_MEMLOCK is finite and was not lifted ({e}): set LimitMEMLOCK=infinity")
        })?;
    }
    // ONFAULT: without it every thread's whole stack would become resident.
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    rustix::mm::mlockall(flags).map_err(|e| e.to_string())
}
