//! Child processes that end with their parent: each logs to a file and is ended on drop.
//!
//! Does not protect against: a parent that is killed with SIGKILL. The peers end with their
//! standard input then; nodes and coordinator stay until somebody stops them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a child may take until it answers.
pub const START_SECONDS_MAX: u64 = 60;
/// How long a child may take to end after SIGTERM before it is killed.
pub const STOP_SECONDS_MAX: u64 = 20;
/// How long a dropped child may take to end in order, in seconds.
const DROP_SECONDS_MAX: u64 = 3;
const LOG_TAIL_LINES: usize = 30;
const POLL: Duration = Duration::from_millis(20);

/// Why a child is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program cannot be started.
    #[error("{program} cannot be started ({source}); run `cargo build --workspace --bins` first")]
    Start {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("{name} ended with {status} before it answered; its log ends:\n{log}")]
    Ended {
        /// The child.
        name: String,
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It does not answer.
    #[error("{name} does not answer after {START_SECONDS_MAX} s; its log ends:\n{log}")]
    Silent {
        /// The child.
        name: String,
        /// The end of its log.
        log: String,
    },
    /// A file or socket of ours.
    #[error("{name}: {source}")]
    Io {
        /// The child.
        name: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `log` (appended to).
    ///
    /// # Errors
    /// [`ProcessError::Start`], [`ProcessError::Io`].
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self, ProcessError> {
        let io = |source| ProcessError::Io { name: name.to_owned(), source };
        let out = File::options().create(true).append(true).open(log).map_err(io)?;
        let err = out.try_clone().map_err(io)?;
        // The pipe is kept open by the child's handle here: it closes when this process ends.
        let child =
            command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn().map_err(|source| {
                ProcessError::Start {
                    program: command.get_program().to_string_lossy().into_owned(),
                    source,
                }
            })?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Starts a peer whose first line of output is `{"listening": URL}` and waits for it.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn start_peer(
        name: &str,
        command: &mut Command,
        log: &Path,
    ) -> Result<(Self, String), ProcessError> {
        let said_before = std::fs::metadata(log).map_or(0, |metadata| metadata.len());
        let mut peer = Self::start(name, command.env("EXIT_WITH_STDIN", "1"), log)?;
        let begun = Instant::now();
        loop {
            if let Some(url) = first_url(log, said_before) {
                return Ok((peer, url));
            }
            peer.still_waiting(begun)?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// [`ProcessError::Ended`], [`ProcessError::Silent`].
    pub async fn wait_until(
        &mut self,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<(), ProcessError> {
        let begun = Instant::now();
        while !ready().await {
            self.still_waiting(begun)?;
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn still_waiting(&mut self, begun: Instant) -> Result<(), ProcessError> {
        if let Ok(Some(status)) = self.child.try_wait() {
            let (name, log) = (self.name.clone(), self.log_tail());
            return Err(ProcessError::Ended { name, status, log });
        }
        if begun.elapsed() > Duration::from_secs(START_SECONDS_MAX) {
            return Err(ProcessError::Silent { name: self.name.clone(), log: self.log_tail() });
        }
        Ok(())
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..).unwrap_or_default().join("\n")
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// [`ProcessError::Silent`] when it does not.
    pub async fn wait(&mut self, longest: Duration) -> Result<ExitStatus, ProcessError> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if begun.elapsed() > longest {
                return Err(ProcessError::Silent { name: self.name.clone(), log: self.log_tail() });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGTERM, then SIGKILL where that does not help.
    pub async fn stop(mut self) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(Duration::from_secs(STOP_SECONDS_MAX)).await.ok()
    }

    /// SIGKILL: no last words.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal; one that has ended already gets none.
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended already.
            let _ = kill_process(pid, signal);
        }
    }
}

/// In order, so that a peer ends what it has started itself; by force where that does not help.
impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(DROP_SECONDS_MAX) {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(POLL),
                _ => return,
            }
        }
        self.kill();
    }
}

fn first_url(log: &Path, from: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    BufReader::new(file).lines().map_while(Result::ok).find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(&line).ok()?;
        value.get("listening")?.as_str().map(str::to_owned)
    })
}

/// A loopback address that was free a moment ago.
///
/// # Errors
/// Without a free port.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// A program of this house, beside the one that runs (in tests: one folder up).
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    let folder = here.parent().unwrap_or(Path::new("."));
    let beside = folder.join(name);
    if beside.exists() { beside } else { folder.join("..").join(name) }
}
