use serde_json::{from_value, json};

use super::*;

/// A cluster with a service `web`, a headless one `db` with two named pods and one without, an alias, and a headless
/// one that nobody answers for.
pub(in super::super) fn example() -> Zone {
    let service = |name: &str, spec| {
        let service = json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec});
        Arc::new(from_value::<Service>(service).unwrap())
    };
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    let services = [
        service("web", json!({"clusterIP": "10.96.0.80", "ports": ports})),
        service(
            "db",
            json!({"clusterIP": "None", "ports": [{"name": "sql", "port": 5432}]}),
        ),
        service(
            "ext",
            json!({"type": "ExternalName", "externalName": "example.com"}),
        ),
        service("idle", json!({"clusterIP": "None"})),
    ];
    let endpoint = |address: &str, hostname: Option<&str>, ready: bool| json!({"addresses": [address], "hostname": hostname, "conditions": {"ready": ready}});
    let slice = json!({
        "metadata": {"name": "db-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4",
        "endpoints": [
            endpoint("10.244.0.2", Some("db-0"), true),
            endpoint("10.244.0.3", Some("db-1"), false),
            endpoint("10.244.0.4", None, true),
        ],
        "ports": [{"name": "sql", "protocol": "TCP", "port": 6543}],
    });
    Zone::new(&services, &[Arc::new(from_value(slice).unwrap())])
}

fn look_up(name: &str) -> Found {
    let labels: Vec<_> = name.split('.').collect();
    example().look_up(&labels)
}

fn address(last: [u8; 2]) -> Data {
    Data::Address(Ipv4Addr::new(10, 244, last[0], last[1]))
}

fn of_kind(found: Found, wanted: fn(&Data) -> bool) -> Vec<Data> {
    match found {
        Found::Records(records) => records.into_iter().filter(wanted).collect(),
        Found::Nothing => panic!("no such name"),
    }
}

fn is_address(data: &Data) -> bool {
    matches!(data, Data::Address(_))
}

#[test]
fn a_service_is_its_address() {
    let found = of_kind(look_up("web.shop.svc"), is_address);
    assert_eq!(found, [Data::Address(Ipv4Addr::new(10, 96, 0, 80))]);
}

#[test]
fn a_headless_service_is_its_ready_endpoints() {
    assert_eq!(
        of_kind(look_up("db.shop.svc"), is_address),
        [address([0, 2]), address([0, 4])]
    );
    assert_eq!(look_up("idle.shop.svc"), Found::Nothing);
}

#[test]
fn an_endpoint_is_found_by_hostname_or_dashed_address() {
    assert_eq!(look_up("db-0.db.shop.svc"), Found::Records(vec![address([0, 2])]));
    assert_eq!(
        look_up("10-244-0-4.db.shop.svc"),
        Found::Records(vec![address([0, 4])])
    );
    assert_eq!(look_up("db-1.db.shop.svc"), Found::Nothing, "it is not ready");
}

#[test]
fn named_ports_lead_to_the_service_or_to_each_endpoint() {
    let web = Data::Service {
        port: 80,
        target: "web.shop.svc".into(),
        addresses: vec![Ipv4Addr::new(10, 96, 0, 80)],
    };
    assert_eq!(look_up("_http._tcp.web.shop.svc"), Found::Records(vec![web]));
    let db = |target: &str, last| Data::Service {
        port: 6543,
        target: format!("{target}.db.shop.svc"),
        addresses: vec![Ipv4Addr::new(10, 244, 0, last)],
    };
    let found = look_up("_sql._tcp.db.shop.svc");
    assert_eq!(found, Found::Records(vec![db("10-244-0-4", 4), db("db-0", 2)]));
    for missing in [
        "_http._udp.web.shop.svc",
        "_x._tcp.web.shop.svc",
        "http.tcp.web.shop.svc",
        "_http._tcp.no.shop.svc",
    ] {
        assert_eq!(look_up(missing), Found::Nothing, "{missing}");
    }
}

#[test]
fn names_on_the_way_exist_without_records() {
    for name in ["svc", "pod", "shop.svc", "shop.pod", "_tcp.web.shop.svc"] {
        assert_eq!(look_up(name), Found::Records(Vec::new()), "{name}");
    }
    for name in [
        "x",
        "other.svc",
        "no.shop.svc",
        "a.b.c.web.shop.svc",
        "_sctp.web.shop.svc",
        "web.shop",
    ] {
        assert_eq!(look_up(name), Found::Nothing, "{name}");
    }
}

#[test]
fn pods_and_aliases() {
    assert_eq!(
        look_up("10-244-7-8.shop.pod"),
        Found::Records(vec![address([7, 8])])
    );
    assert_eq!(look_up("10-244-7.shop.pod"), Found::Nothing);
    assert_eq!(
        look_up("ext.shop.svc"),
        Found::Records(vec![Data::Alias("example.com".into())])
    );
}

#[test]
fn addresses_lead_back_to_names() {
    let zone = example();
    assert_eq!(zone.names(Ipv4Addr::new(10, 96, 0, 80)), ["web.shop.svc"]);
    assert_eq!(zone.names(Ipv4Addr::new(10, 244, 0, 2)), ["db-0.db.shop.svc"]);
    assert!(zone.names(Ipv4Addr::new(10, 244, 0, 3)).is_empty());
}
