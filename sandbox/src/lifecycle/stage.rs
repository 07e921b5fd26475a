//! The node's two stages: moving into new namespaces, and becoming PID 1 there.

use std::{
    env, fs,
    io::{self, Read, Write},
    net::TcpListener,
    os::{
        fd::AsFd,
        unix::{fs::MetadataExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        prctl::set_pdeathsig,
        signal::Signal,
        stat::{Mode, umask},
    },
    unistd::{Gid, Pid, Uid, dup2_stdin, dup2_stdout, setgroups, sethostname, setresgid, setresuid, setsid},
};

use super::{
    node,
    state::{Process, State},
};

/// What both stages are told. Stdin is the API server's listener, bound in the host's network namespace; stdout is a
/// socket to the caller: news one way, and its closing tells that the caller has gone.
struct Order {
    state: State,
    attached: bool,
    mapped: bool,
    listener: TcpListener,
    caller: UnixStream,
}

pub(super) fn main(args: &[String]) -> anyhow::Result<()> {
    let [stage, name, directory, attached, mapped] = args else {
        bail!("this command is for the sandbox's own use; see meshctl sandbox start");
    };
    let order = Order {
        state: State::at(name, Path::new(directory)),
        attached: attached == "attached",
        mapped: mapped == "mapped",
        listener: io::stdin().as_fd().try_clone_to_owned()?.into(),
        caller: io::stdout().as_fd().try_clone_to_owned()?.into(),
    };
    let mut caller = order.caller.try_clone()?;
    let done = match stage.as_str() {
        "stage1" => first(&order, args),
        "stage2" => second(order),
        _ => bail!("no such stage: {stage}"),
    };
    if let Err(error) = &done {
        // One line, for whoever waits for "ready".
        let _ = writeln!(caller, "failed {}", format!("{error:#}").replace('\n', " "));
    }
    done
}

/// Into new namespaces. A PID namespace is entered by children only, so that the node proper is one.
fn first(order: &Order, args: &[String]) -> anyhow::Result<()> {
    // The terminal's Ctrl-C is for the caller, who tells us by closing the socket.
    let _ = setsid();
    if order.mapped {
        unshare(CloneFlags::CLONE_NEWUSER)
            .context("unable: this user may not make a user namespace (unshare)")?;
        let mut caller = &order.caller;
        caller.write_all(b"unshared\n")?;
        let mut answer = [0; 3];
        caller.read_exact(&mut answer).context("the caller has gone")?;
        let (root, wheel) = (Uid::from_raw(0), Gid::from_raw(0));
        setgroups(&[]).context("cannot leave supplementary groups")?;
        setresgid(wheel, wheel, wheel).context("cannot become group 0 of the user namespace")?;
        setresuid(root, root, root).context("cannot become root of the user namespace")?;
    }
    // Mounts stay the host's here: the node's process is to be found in the host's `/proc`.
    let most = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    unshare(most).context("unable: new network and PID namespaces are not permitted (unshare)")?;

    let mut command = Command::new("/proc/self/exe");
    command
        .args(["sandbox", "node", "stage2"])
        .args(args.iter().skip(1));
    let mut child = command.spawn().context("cannot start the node's second stage")?;
    let process = Process::find(Pid::from_raw(child.id().cast_signed())).context("the node ended at once")?;
    order
        .state
        .record(&process)
        .context("cannot record the node's process")?;
    let status = child.wait().context("cannot wait for the node")?;
    order.state.clear();
    if !status.success() {
        bail!("the node ended: {status}");
    }
    Ok(())
}

/// PID 1 of the node.
fn second(order: Order) -> anyhow::Result<()> {
    // Whatever becomes of the first stage becomes of us; and the kernel ends all of ours with us.
    set_pdeathsig(Signal::SIGKILL).context("cannot tie the node to its first stage")?;
    unshare(CloneFlags::CLONE_NEWNS).context("unable: a new mount namespace is not permitted (unshare)")?;
    sethostname(&order.state.name).context("cannot set the host name")?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("cannot make mounts private")?;
    mount_proc()?;
    // What the caller hides from others by its umask is not what containers' files should depend on.
    umask(Mode::from_bits_truncate(0o022));
    let work = order.state.work();
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), &work, Some("tmpfs"), flags, Some("mode=0711"))
        .with_context(|| format!("cannot mount a tmpfs on {}", work.display()))?;
    let executable = bind_executable(&work)?;
    write_sysctl("net/ipv4/ip_forward", "1")?;

    // Containers must not inherit what the caller watches.
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    order
        .listener
        .set_nonblocking(true)
        .context("the listener was not inherited")?;
    order.caller.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot make a runtime")?;
    let done = runtime.block_on(node::run(node::Setup {
        state: order.state,
        listener: order.listener,
        caller: order.caller,
        attached: order.attached,
        work,
        executable,
    }));
    runtime.shutdown_background();
    done
}

/// `/proc` of the new PID namespace. Where the host hides parts of its own, as container runtimes do, the kernel
/// refuses a new one to user namespaces.
fn mount_proc() -> anyhow::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let none: Option<&str> = None;
    mount(Some("proc"), "/proc", Some("proc"), flags, none)
        .context("unable: a new /proc cannot be mounted; parts of this one seem to be hidden")
}

/// This program at a path of its own, so that pods find it even when the file is replaced meanwhile. It is bound by its
/// path, for the kernel does not bind what a process of another mount namespace opened; a file that is no longer at its
/// path is copied.
fn bind_executable(work: &Path) -> anyhow::Result<PathBuf> {
    let path = work.join("meshctl");
    let running = fs::metadata("/proc/self/exe").context("cannot find this executable")?;
    let file = env::current_exe().context("cannot find this executable")?;
    let same =
        fs::metadata(&file).is_ok_and(|found| (found.dev(), found.ino()) == (running.dev(), running.ino()));
    if same {
        fs::File::create(&path).context("cannot prepare the executable's place")?;
        let none: Option<&str> = None;
        mount(Some(&file), &path, none, MsFlags::MS_BIND, none).context("cannot bind this executable")?;
    } else {
        fs::copy("/proc/self/exe", &path).context("cannot copy this executable")?;
    }
    Ok(path)
}

pub(crate) fn write_sysctl(name: &str, value: &str) -> anyhow::Result<()> {
    fs::write(format!("/proc/sys/{name}"), value).with_context(|| format!("cannot set {name} to {value}"))
}
