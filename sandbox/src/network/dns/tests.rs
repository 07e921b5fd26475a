use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use serde_json::{from_value, json};

use super::{super::zone::tests::example, answer::Transport, *};

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn ask(zone: &Zone, question: &Message) -> Message {
    match answer::reply(zone, &question.to_vec().unwrap(), Transport::Udp) {
        Reply::Answer(answer) => Message::from_vec(&answer).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn query(name: &str, kind: RecordType) -> Message {
    ask(&example(), &question(name, kind))
}

fn texts(message: &Message) -> Vec<String> {
    message.answers.iter().map(|r| r.data.to_string()).collect()
}

#[test]
fn an_answer_is_authoritative_short_lived_and_in_the_askers_spelling() {
    let answer = query("Web.shop.SVC.cluster.local.", RecordType::A);
    assert_eq!(texts(&answer), ["10.96.0.80"]);
    assert_eq!(answer.metadata.id, 77);
    assert!(
        answer.metadata.authoritative
            && answer.metadata.recursion_available
            && answer.metadata.recursion_desired
    );
    assert_eq!(answer.answers[0].ttl, 5);
    assert_eq!(answer.answers[0].name.to_ascii(), "Web.shop.SVC.cluster.local.");
    assert_eq!(answer.queries[0].name().to_ascii(), "Web.shop.SVC.cluster.local.");
    assert!(answer.edns.is_none());
}

#[test]
fn no_such_name_and_no_such_record_are_told_apart() {
    let missing = query("no.shop.svc.cluster.local.", RecordType::A);
    assert_eq!(missing.metadata.response_code, ResponseCode::NXDomain);
    let without = query("web.shop.svc.cluster.local.", RecordType::AAAA);
    assert_eq!(without.metadata.response_code, ResponseCode::NoError);
    for answer in [missing, without] {
        assert!(answer.answers.is_empty());
        let RData::SOA(soa) = &answer.authorities[0].data else {
            panic!("{answer:?}")
        };
        assert_eq!(soa.minimum, 5, "or else it is remembered too long");
    }
    // What resolvers try first for outside names, by their search list.
    let searched = query("www.example.com.shop.svc.cluster.local.", RecordType::A);
    assert_eq!(searched.metadata.response_code, ResponseCode::NXDomain);
}

#[test]
fn ports_come_with_the_addresses_of_their_hosts() {
    let answer = query("_sql._tcp.db.shop.svc.cluster.local.", RecordType::SRV);
    assert_eq!(
        texts(&answer),
        [
            "0 100 6543 10-244-0-4.db.shop.svc.cluster.local.",
            "0 100 6543 db-0.db.shop.svc.cluster.local."
        ]
    );
    let more: Vec<_> = answer
        .additionals
        .iter()
        .map(|r| format!("{} {}", r.name, r.data))
        .collect();
    assert_eq!(
        more,
        [
            "10-244-0-4.db.shop.svc.cluster.local. 10.244.0.4",
            "db-0.db.shop.svc.cluster.local. 10.244.0.2"
        ]
    );
}

#[test]
fn an_alias_answers_whatever_was_asked() {
    assert_eq!(
        texts(&query("ext.shop.svc.cluster.local.", RecordType::AAAA)),
        ["example.com."]
    );
}

#[test]
fn addresses_of_ours_have_names() {
    let answer = query("80.0.96.10.in-addr.arpa.", RecordType::PTR);
    assert_eq!(texts(&answer), ["web.shop.svc.cluster.local."]);
}

#[test]
fn other_names_are_for_others_and_fail_if_nobody_knows() {
    for name in [
        "example.com.",
        "cluster.example.",
        "local.",
        "8.8.8.8.in-addr.arpa.",
    ] {
        let question = question(name, RecordType::A).to_vec().unwrap();
        match answer::reply(&example(), &question, Transport::Udp) {
            Reply::Forward(failure) => {
                let failure = Message::from_vec(&failure).unwrap();
                assert_eq!(failure.metadata.response_code, ResponseCode::ServFail, "{name}");
                assert_eq!(failure.metadata.id, 77);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn nonsense_gets_a_short_answer_or_none() {
    let zone = example();
    let reply = |bytes: &[u8]| answer::reply(&zone, bytes, Transport::Udp);
    assert!(matches!(reply(b""), Reply::Nothing));
    assert!(matches!(reply(b"hello"), Reply::Nothing));
    let mut answered = question("web.shop.svc.cluster.local.", RecordType::A);
    answered.metadata.message_type = MessageType::Response;
    assert!(
        matches!(reply(&answered.to_vec().unwrap()), Reply::Nothing),
        "or two servers could talk for ever"
    );
    let mut cut = question("web.shop.svc.cluster.local.", RecordType::A)
        .to_vec()
        .unwrap();
    cut.truncate(20);
    let Reply::Answer(answer) = reply(&cut) else {
        panic!("no answer")
    };
    let answer = Message::from_vec(&answer).unwrap();
    assert_eq!(
        (answer.metadata.id, answer.metadata.response_code),
        (77, ResponseCode::FormErr)
    );
}

/// A headless service with so many endpoints that they do not fit into a datagram.
fn crowded() -> Zone {
    let service = json!({"metadata": {"name": "many", "namespace": "shop"}, "spec": {"clusterIP": "None"}});
    let endpoints: Vec<_> = (0..200)
        .map(|i| json!({"addresses": [format!("10.244.1.{i}")]}))
        .collect();
    let slice = json!({
        "metadata": {"name": "many-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "many"}},
        "addressType": "IPv4", "endpoints": endpoints,
    });
    Zone::new(
        &[Arc::new(from_value(service).unwrap())],
        &[Arc::new(from_value(slice).unwrap())],
    )
}

#[test]
fn long_answers_are_cut_for_datagrams() {
    let mut question = question("many.shop.svc.cluster.local.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    question.set_edns(edns);
    let answer = ask(&crowded(), &question);
    assert!(answer.metadata.truncation && answer.answers.is_empty());
    assert!(answer.edns.is_some(), "who speaks EDNS is answered so");
}

#[tokio::test]
async fn the_server_answers_datagrams_and_connections() {
    let server = Server::bind(Ipv4Addr::LOCALHOST, 0).await.unwrap();
    let address = server.udp.local_addr().unwrap();
    let zone = watch::Sender::new(Arc::new(Zone::default()));
    let receiver = zone.subscribe();
    let serving = tokio::spawn(async move { server.serve(receiver).await });

    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    udp.connect(address).await.unwrap();
    let mut buffer = [0; 4096];
    let mut codes = Vec::new();
    for _ in 0..2 {
        let question = question("many.shop.svc.cluster.local.", RecordType::A);
        udp.send(&question.to_vec().unwrap()).await.unwrap();
        let length = timeout(IDLE, udp.recv(&mut buffer)).await.unwrap().unwrap();
        let answer = Message::from_vec(&buffer[..length]).unwrap();
        codes.push((answer.metadata.response_code, answer.metadata.truncation));
        zone.send_replace(Arc::new(crowded()));
    }
    assert_eq!(
        codes,
        [(ResponseCode::NXDomain, false), (ResponseCode::NoError, true)]
    );

    let mut tcp = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let question = question("many.shop.svc.cluster.local.", RecordType::A)
            .to_vec()
            .unwrap();
        tcp.write_u16(question.len() as u16).await.unwrap();
        tcp.write_all(&question).await.unwrap();
        let mut answer = vec![0; usize::from(tcp.read_u16().await.unwrap())];
        tcp.read_exact(&mut answer).await.unwrap();
        assert_eq!(Message::from_vec(&answer).unwrap().answers.len(), 200);
    }
    serving.abort();
}

#[test]
fn resolvers_are_the_hosts_without_ourselves() {
    let text = "# comment\nsearch example.com\nnameserver 10.96.0.10\nnameserver 192.0.2.1\n nameserver ::1\nnameserver x\n";
    let found = resolvers(text, Ipv4Addr::new(10, 96, 0, 10).into());
    assert_eq!(found, [IpAddr::from([192, 0, 2, 1]), "::1".parse().unwrap()]);
}
