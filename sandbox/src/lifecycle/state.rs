//! A sandbox's directory: kubeconfig, log, and which process is its node.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{LifecycleError, Status};

pub(super) const KUBECONFIG: &str = "kubeconfig";
pub(super) const LOG: &str = "node.log";
const PID: &str = "pid";
/// How long the node gets to end its pods.
const GRACE: Duration = Duration::from_secs(5);

/// Where all sandboxes of this user are.
fn home() -> PathBuf {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("meshctl/sandbox")
}

pub(super) fn directory(name: &str) -> PathBuf {
    home().join(name)
}

/// A sandbox's directory, and its files.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub name: String,
    pub directory: PathBuf,
}

impl State {
    pub fn of(name: &str) -> Result<Self, LifecycleError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 40 || !name.chars().all(fits) || name.starts_with('-') {
            return Err(LifecycleError::BadName(name.into()));
        }
        Ok(Self {
            name: name.into(),
            directory: directory(name),
        })
    }

    pub fn at(name: &str, directory: &Path) -> Self {
        Self {
            name: name.into(),
            directory: directory.into(),
        }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join(KUBECONFIG)
    }

    pub fn log(&self) -> PathBuf {
        self.directory.join(LOG)
    }

    /// Where the node mounts its private tmpfs; nobody else ever sees anything in it.
    pub fn work(&self) -> PathBuf {
        self.directory.join("work")
    }

    pub fn create(&self) -> io::Result<()> {
        fs::create_dir_all(self.work())
    }

    /// The node's process, if it runs.
    pub fn process(&self) -> Option<Process> {
        let text = fs::read_to_string(self.directory.join(PID)).ok()?;
        let mut words = text.split_whitespace();
        let pid: i32 = words.next()?.parse().ok()?;
        let started: u64 = words.next()?.parse().ok()?;
        Process::find(Pid::from_raw(pid)).filter(|p| p.started == started)
    }

    pub fn record(&self, process: &Process) -> io::Result<()> {
        fs::write(
            self.directory.join(PID),
            format!("{} {}\n", process.pid, process.started),
        )
    }

    /// Removes what is of no use once the node has ended. The log stays.
    pub fn clear(&self) {
        for file in [PID, KUBECONFIG] {
            let _ = fs::remove_file(self.directory.join(file));
        }
    }

    pub fn status(&self) -> Status {
        Status {
            name: self.name.clone(),
            pid: self.process().map(|p| p.pid()),
            kubeconfig: self.kubeconfig(),
        }
    }
}

pub(super) fn list() -> Result<Vec<Status>, LifecycleError> {
    let home = home();
    let entries = match fs::read_dir(&home) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(LifecycleError::io(format!("cannot read {}", home.display())))?,
    };
    let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
    let mut all: Vec<_> = names
        .filter_map(|n| State::of(&n).ok())
        .map(|s| s.status())
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// A process, told from later ones with the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pid: Pid,
    started: u64,
}

impl Process {
    pub fn find(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { pid, started })
    }

    pub fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    fn runs(&self) -> bool {
        Self::find(self.pid) == Some(*self)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Asks it to end, then makes it.
    pub async fn end(&self) -> io::Result<()> {
        for (signal, patience) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, GRACE)] {
            self.signal(signal)?;
            let until = Instant::now() + patience;
            while Instant::now() < until {
                if !self.runs() {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_number_and_start() {
        let me = Process::find(Pid::this()).unwrap();
        assert!(me.runs());
        assert!(
            !Process {
                started: me.started + 1,
                ..me
            }
            .runs()
        );
    }

    #[test]
    fn stale_records_are_recognised() {
        let directory = std::env::temp_dir().join(format!("meshctl-state-{}", std::process::id()));
        let state = State::at("x", &directory);
        state.create().unwrap();
        assert_eq!(state.process(), None);
        let me = Process::find(Pid::this()).unwrap();
        state.record(&me).unwrap();
        assert_eq!(state.process(), Some(me));
        state.record(&Process { started: 1, ..me }).unwrap();
        assert_eq!(state.process(), None);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn names_are_checked() {
        for wrong in ["", "..", "a/b", "A", "-a", "a b"] {
            assert!(State::of(wrong).is_err(), "{wrong:?}");
        }
        assert!(State::of("path-123").is_ok());
    }
}
