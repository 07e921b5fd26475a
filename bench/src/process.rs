//! Processes that are measured: started, looked at through /proc, ended with their owner.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::Context;

/// A child that dies with this value.
pub struct Process(Child);

impl Process {
    /// Starts `command`; what it says goes to the terminal's stderr.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// Starts a role of this executable that prints one line when it is ready; returns the line.
    pub fn own(arguments: &[&str]) -> anyhow::Result<(Self, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "{arguments:?} ended before it was ready");
        Ok((Self(child), line.trim().to_owned()))
    }

    /// User and system time so far, in microseconds.
    pub fn cpu_micros(&self) -> anyhow::Result<[u64; 2]> {
        // Hundredths of a second, on every Linux that matters.
        const TICK: u64 = 10_000;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
        let mut fields = after_name.split_whitespace().skip(11);
        let mut next =
            || -> anyhow::Result<u64> { Ok(fields.next().context("a short stat")?.parse::<u64>()? * TICK) };
        Ok([next()?, next()?])
    }

    /// Resident memory in kB.
    pub fn resident_kb(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
