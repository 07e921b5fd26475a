//! What a proxy is sent, and what it is not sent again.

use mesh_api::wire;

use super::session::{Session, SessionError};
use crate::model::tests::{SHOP, caller, objects, snapshot};
use crate::model::{Snapshot, Subscriber};

const WEB: &str = "10.96.0.10:80";

fn client() -> Subscriber {
    Subscriber {
        pod: "web-5d-a".into(),
        ..caller()
    }
}

fn names(message: &wire::ControllerMessage) -> Vec<&str> {
    message.resources.iter().map(|r| r.name.as_str()).collect()
}

const ROUTE: &str = "
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: web}]
  rules: [{backendRefs: [{name: web-v2, port: 80}]}]
";

#[test]
fn sends_deltas_in_an_order_that_can_be_applied() {
    let (plain, routed) = (Snapshot::build(&objects(SHOP)), snapshot(ROUTE));
    let mut session = Session::new(client(), &wire::Hello::default()).unwrap();
    let first = session.update(&plain).unwrap();
    assert_eq!((first.sequence, names(&first)), (1, vec!["inbound", "behaviour"]));
    session.subscribe(WEB).unwrap();
    let second = session.update(&plain).unwrap();
    assert_eq!(names(&second), ["backend/shop/web:80", "target/10.96.0.10:80"]);
    assert!(session.update(&plain).is_none(), "nothing has changed");
    let third = session.update(&routed).unwrap();
    assert_eq!(
        (third.sequence, names(&third)),
        (3, vec!["backend/shop/web-v2:80", "target/10.96.0.10:80"])
    );
    let back = session.update(&plain).unwrap();
    assert_eq!(
        (names(&back), &back.removed[..]),
        (
            vec!["target/10.96.0.10:80"],
            &["backend/shop/web-v2:80".to_owned()][..]
        )
    );
    session.unsubscribe(WEB).unwrap();
    assert!(!session.may_send(), "four messages are on their way");
    assert_eq!(session.acknowledge(3).len(), 6);
    assert!(session.may_send() && session.waits_for_acknowledgement());
    let last = session.update(&plain).unwrap();
    assert_eq!(last.removed, ["backend/shop/web:80", "target/10.96.0.10:80"]);
}

#[test]
fn resumes_with_what_the_proxy_holds() {
    let plain = Snapshot::build(&objects(SHOP));
    let mut before = Session::new(client(), &wire::Hello::default()).unwrap();
    before.subscribe(WEB).unwrap();
    let sent = before.update(&plain).unwrap();
    let mut known: Vec<wire::Known> = sent
        .resources
        .iter()
        .map(|r| wire::Known {
            name: r.name.clone(),
            version: r.version,
        })
        .collect();
    let hello = wire::Hello {
        known: known.clone(),
        targets: vec![WEB.into()],
        ..wire::Hello::default()
    };
    assert!(
        Session::new(client(), &hello).unwrap().update(&plain).is_none(),
        "nothing is sent twice"
    );
    let changed = Session::new(client(), &hello)
        .unwrap()
        .update(&snapshot(ROUTE))
        .unwrap();
    assert_eq!(
        names(&changed),
        ["backend/shop/web-v2:80", "target/10.96.0.10:80"]
    );
    known.push(wire::Known {
        name: "target/1.2.3.4:5".into(),
        version: 7,
    });
    let hello = wire::Hello { known, ..hello };
    let message = Session::new(client(), &hello).unwrap().update(&plain).unwrap();
    assert_eq!(
        message.removed,
        ["target/1.2.3.4:5"],
        "what nobody follows any more goes"
    );
}

#[test]
fn a_pod_that_is_not_known_yet_keeps_its_inbound_view() {
    let hello = wire::Hello {
        known: vec![wire::Known {
            name: "inbound".into(),
            version: 1,
        }],
        ..wire::Hello::default()
    };
    let mut session = Session::new(caller(), &hello).unwrap();
    assert!(session.update(&Snapshot::build(&objects(SHOP))).is_none());
}

#[test]
fn refuses_nonsense() {
    let mut session = Session::new(client(), &wire::Hello::default()).unwrap();
    assert_eq!(
        session.subscribe("web:80"),
        Err(SessionError::NotAnAddress("web:80".into()))
    );
    let result =
        (0..=10_000u32).try_for_each(|n| session.subscribe(&format!("10.0.{}.{}:1", n / 256, n % 256)));
    assert_eq!(result, Err(SessionError::TooManyTargets));
}
