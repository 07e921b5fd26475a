use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use super::*;
use crate::link::{Netns, loopback_up};

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 7, 7);

async fn netns() -> Netns {
    let netns = Netns::new().unwrap();
    loopback_up(&netns).await.unwrap();
    let links = netns.links().await.unwrap();
    // An address to come from, and a route to "everywhere", so that packets reach the output chain at all.
    links.add_address("lo", OWN.into(), 32).await.unwrap();
    let everywhere = crate::link::Route {
        destination: Ipv4Addr::UNSPECIFIED,
        prefix: 0,
        gateway: None,
        source: Some(OWN),
    };
    links.add_route("lo", everywhere).await.unwrap();
    netns
}

/// Serves connections with a fixed answer until the test ends.
fn serve(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test]
async fn a_service_address_leads_to_all_its_endpoints() {
    netns()
        .await
        .run_blocking(|| {
            let (one, two) = (serve("one"), serve("two"));
            let table = Table::new(Family::Ipv4, "test")
                .chain(
                    Chain::nat("output", Hook::Output, priority::DSTNAT).rule(
                        Rule::new()
                            .destination(SERVICE)
                            .port(Protocol::Tcp, 80)
                            .counter()
                            .jump("service"),
                    ),
                )
                .chain(
                    Chain::new("service")
                        .rule(Rule::new().protocol(Protocol::Tcp).one_in(2).dnat(one))
                        .rule(Rule::new().protocol(Protocol::Tcp).dnat(two)),
                );
            table.apply().unwrap();
            table.verify().unwrap();
            let answers: Vec<_> = (0..64).map(|_| ask((SERVICE, 80).into()).unwrap()).collect();
            // Each has a chance of 2^-64 to be left out.
            assert!(
                answers.iter().any(|a| a == "one") && answers.iter().any(|a| a == "two"),
                "{answers:?}"
            );
        })
        .unwrap();
}

#[tokio::test]
async fn applying_again_replaces_and_deleting_removes() {
    netns()
        .await
        .run_blocking(|| {
            let (one, two) = (serve("one"), serve("two"));
            let to = |endpoint| {
                let rule = Rule::new()
                    .destination(SERVICE)
                    .port(Protocol::Tcp, 80)
                    .dnat(endpoint);
                Table::new(Family::Inet, "test")
                    .chain(Chain::nat("output", Hook::Output, priority::DSTNAT).rule(rule))
            };
            to(one).apply().unwrap();
            assert_eq!(ask((SERVICE, 80).into()).unwrap(), "one");
            to(two).apply().unwrap();
            assert_eq!(ask((SERVICE, 80).into()).unwrap(), "two");
            let found = summary(Family::Inet, "test").unwrap();
            assert_eq!(
                found,
                [ChainSummary {
                    name: "output".into(),
                    rules: 1
                }]
            );
            delete(Family::Inet, "test").unwrap();
            delete(Family::Inet, "test").unwrap();
            assert!(summary(Family::Inet, "test").unwrap().is_empty());
            assert!(
                to(two)
                    .verify()
                    .unwrap_err()
                    .to_string()
                    .contains("should have 1 rules and has 0")
            );
        })
        .unwrap();
}

#[tokio::test]
async fn redirection_spares_a_user_a_range_and_a_network() {
    netns()
        .await
        .run_blocking(|| {
            let proxy = serve("proxy");
            let table = Table::new(Family::Inet, "test").chain(
                Chain::nat("output", Hook::Output, priority::DSTNAT)
                    .rule(Rule::new().uid(54321).accept())
                    .rule(Rule::new().destination(Cidr::new([10, 9, 0, 0], 16)).accept())
                    .rule(Rule::new().ports(Protocol::Tcp, 9000..=9010).accept())
                    .rule(
                        Rule::new()
                            .not_destination(Ipv4Addr::LOCALHOST)
                            .protocol(Protocol::Tcp)
                            .redirect(proxy.port()),
                    ),
            );
            table.apply().unwrap();
            let reached = |address: [u8; 4], port| ask((address, port).into()).is_ok_and(|a| a == "proxy");
            assert!(reached([10, 8, 0, 1], 80));
            assert!(reached([10, 8, 0, 1], 8999) && reached([10, 8, 0, 1], 9011));
            assert!(!reached([10, 8, 0, 1], 9000) && !reached([10, 8, 0, 1], 9010));
            assert!(!reached([10, 9, 3, 1], 80));
            assert!(reached([127, 0, 0, 1], proxy.port()));

            // The same without the exemption by port, as the exempted user's rule would be for us.
            let mine = nix::unistd::geteuid().as_raw();
            let table = Table::new(Family::Inet, "test").chain(
                Chain::nat("output", Hook::Output, priority::DSTNAT)
                    .rule(Rule::new().uid(mine).accept())
                    .rule(Rule::new().protocol(Protocol::Tcp).redirect(proxy.port())),
            );
            table.apply().unwrap();
            assert!(!reached([10, 8, 0, 1], 80));
        })
        .unwrap();
}

#[tokio::test]
async fn rejection_answers_at_once() {
    netns()
        .await
        .run_blocking(|| {
            let table = Table::new(Family::Ipv4, "test")
                .chain(
                    Chain::filter("output", Hook::Output, priority::FILTER).rule(
                        Rule::new()
                            .destination(SERVICE)
                            .protocol(Protocol::Tcp)
                            .reject_with_reset(),
                    ),
                )
                .chain(
                    Chain::filter("input", Hook::Input, priority::FILTER)
                        .rule(Rule::new().destination(OWN).port(Protocol::Udp, 53).reject()),
                );
            table.apply().unwrap();
            let refused = ask((SERVICE, 80).into()).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

            let _server = UdpSocket::bind((OWN, 53)).unwrap();
            let client = UdpSocket::bind((OWN, 0)).unwrap();
            client.connect((OWN, 53)).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            client.send(b"?").unwrap();
            let answer = client.recv(&mut [0; 16]).unwrap_err();
            assert_eq!(answer.kind(), std::io::ErrorKind::ConnectionRefused);
        })
        .unwrap();
}

#[tokio::test]
async fn a_refused_step_is_named_and_nothing_changes() {
    netns()
        .await
        .run_blocking(|| {
            let good = Table::new(Family::Ipv4, "test")
                .chain(Chain::filter("output", Hook::Output, priority::FILTER).rule(Rule::new().counter()));
            good.apply().unwrap();
            let bad = Table::new(Family::Ipv4, "test").chain(
                Chain::filter("output", Hook::Output, priority::FILTER)
                    .rule(Rule::new().accept())
                    .rule(Rule::new().jump("nowhere")),
            );
            let error = bad.apply().unwrap_err().to_string();
            assert!(
                error.starts_with("the kernel refused to add rule 2 of chain output"),
                "{error}"
            );
            good.verify().unwrap();
        })
        .unwrap();
}

#[tokio::test]
async fn a_large_table_goes_in_at_once() {
    netns()
        .await
        .run_blocking(|| {
            let rules = (0..2000_u32).map(|i| {
                let address = Ipv4Addr::from(u32::from(SERVICE) + i);
                Rule::new()
                    .destination(address)
                    .port(Protocol::Tcp, 80)
                    .dnat((Ipv4Addr::LOCALHOST, 80).into())
            });
            let table = Table::new(Family::Ipv4, "test")
                .chain(Chain::nat("output", Hook::Output, priority::DSTNAT).rules(rules));
            table.apply().unwrap();
            table.verify().unwrap();
        })
        .unwrap();
}

#[test]
fn cidrs_are_parsed_strictly() {
    assert_eq!("10.0.0.0/8".parse(), Ok(Cidr::new([10, 0, 0, 0], 8)));
    assert_eq!("10.1.2.3".parse(), Ok(Cidr::new([10, 1, 2, 3], 32)));
    for wrong in ["", "10.0.0.0/33", "10.0.0/8", "x", "10.0.0.0/", "::1/129"] {
        assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
    }
    assert_eq!(
        Cidr::new([10, 255, 3, 4], 9).bytes(),
        (vec![10, 128, 0, 0], vec![255, 128, 0, 0])
    );
}
