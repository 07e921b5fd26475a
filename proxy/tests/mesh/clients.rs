//! Programs that everybody has: curl in its manners, ab (HTTP/1.0 that keeps its connections), and squid as the app.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{net::TcpStream, process::Command};

use super::support::{App, Mesh};

const HINT: &str = "hint: this test needs curl, ab and squid: apt-get install curl apache2-utils squid";

/// What a program says, which must be content.
async fn says(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    // Proxies of the machine's own are not part of the test.
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env_remove(name);
    }
    command.args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(1), command.output());
    let output = output
        .await
        .expect("in time")
        .unwrap_or_else(|e| panic!("{e}\n{HINT}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {text}{complained}"
    );
    text
}

async fn curl(arguments: &[&str]) -> String {
    let common = [
        "-sS",
        "--max-time",
        "30",
        "-w",
        " (%{http_code}, %{http_version})",
        "-H",
        "host: web",
    ];
    says("curl", &[&common, arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_in_all_its_manners() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let dir = tempfile::tempdir().unwrap();
    let large = dir.path().join("large");
    std::fs::write(&large, vec![b'x'; 3 << 20]).unwrap();
    let file = format!("@{}", large.display());
    let to = |path: &str| format!("http://{}{path}", mesh.outbound);
    let (a, sink, echo) = (to("/a"), to("/sink"), to("/echo"));
    let line = format!("GET /a host=web caller={}", super::CALLER);
    for (manner, version) in [
        ("--http1.0", "1.1"),
        ("--http1.1", "1.1"),
        // Offers HTTP/2 beside its first request, and is content without.
        ("--http2", "1.1"),
        ("--http2-prior-knowledge", "2"),
    ] {
        let host = if version == "2" { "none" } else { "web" };
        let line = line.replace("host=web", &format!("host={host}"));
        assert_eq!(
            curl(&[manner, &a]).await,
            format!("{line} (200, {version})"),
            "{manner}"
        );
        // Beyond a megabyte it waits to be told to go on.
        let sent = curl(&[manner, "--data-binary", &file, &sink]).await;
        assert_eq!(sent, format!("{} bytes (200, {version})", 3 << 20), "{manner}");
        let sent = curl(&[manner, "-H", "expect: 100-continue", "-d", "few", &sink]).await;
        assert_eq!(sent, format!("3 bytes (200, {version})"), "{manner}");
    }
    let chunked = curl(&[
        "-T",
        &file[1..],
        "-H",
        "transfer-encoding: chunked",
        "-X",
        "POST",
        &sink,
    ])
    .await;
    assert_eq!(chunked, format!("{} bytes (200, 1.1)", 3 << 20));
    let head = curl(&["-I", &a]).await.to_lowercase();
    assert!(
        head.contains(&format!("content-length: {}\r\n", line.len() + 1)),
        "{head}"
    );
    let all = curl(&["-X", "OPTIONS", "--request-target", "*", &a]).await;
    assert!(all.starts_with("OPTIONS * host=web"), "{all}");
    // Two on one connection.
    let twice = curl(&[
        "-d",
        "one",
        &echo,
        "-w",
        " %{num_connects} ",
        "--next",
        "-sS",
        "-d",
        "two",
        &echo,
    ])
    .await;
    assert!(twice.starts_with("one 1 ") && twice.ends_with("two"), "{twice}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ab_keeps_its_connections() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let to = format!("http://{}/a", mesh.outbound);
    let report = says("ab", &["-q", "-k", "-n", "300", "-c", "10", &to]).await;
    let line = |name: &str| {
        let line = report.lines().find_map(|l| l.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{report}")).trim().to_owned()
    };
    assert_eq!(line("Complete requests:"), "300");
    assert_eq!(line("Failed requests:"), "0", "{report}");
    assert_eq!(line("Keep-Alive requests:"), "300");
    assert!(!report.contains("Non-2xx"), "{report}");
    assert_eq!(app.requests(), 300);
    mesh.stop().await;
}

/// Runs squid until it is dropped; only for what `origin` serves.
async fn squid(dir: &Path, origin: &App) -> (App, tokio::process::Child) {
    let address = App::closed().await.address;
    let port = origin.address.port();
    let config = dir.join("squid.conf");
    let text = format!(
        "http_port {address}\npid_filename none\naccess_log none\ncache_log /dev/null\ncache deny all\n\
         shutdown_lifetime 0 seconds\nacl origin port {port}\nhttp_access allow origin\nhttp_access deny all\n\
         logfile_rotate 0\npinger_enable off\nnetdb_filename none\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new("squid")
        .args(["-N", "-f"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|e| panic!("{e}\n{HINT}"));
    for _ in 0..1000 {
        if TcpStream::connect(address).await.is_ok() {
            return (App::elsewhere(address), child);
        }
        assert!(child.try_wait().unwrap().is_none(), "squid has ended\n{HINT}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("squid does not listen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_proxy_is_a_service_like_any_other() {
    let origin = App::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (app, mut child) = squid(dir.path(), &origin).await;
    let mesh = Mesh::start(&app).await;
    let proxy = format!("http://{}", mesh.outbound);
    let wanted = format!("http://{}/a?b=c", origin.address);
    let common = ["-sS", "--max-time", "30", "--noproxy", "", "-x", &proxy];
    let plain = says("curl", &[&common[..], &[&wanted]].concat()).await;
    let host = format!("GET /a?b=c host={} ", origin.address);
    assert!(plain.starts_with(&host), "{plain}");
    let tunnel = says("curl", &[&common[..], &["-p", "-d", "through", &wanted]].concat()).await;
    assert!(tunnel.starts_with(&host.replace("GET", "POST")), "{tunnel}");
    let denied = [
        &common[..],
        &[
            "-p",
            "-o",
            "/dev/null",
            "-w",
            "%{http_connect}",
            "http://127.0.0.1:1/",
        ],
    ]
    .concat();
    let refused = Command::new("curl")
        .args(denied)
        .env_remove("no_proxy")
        .output()
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&refused.stdout),
        "403",
        "squid's own word"
    );
    mesh.stop().await;
    child.kill().await.unwrap();
}
