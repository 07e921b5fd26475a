use mesh_api::wire::{self, Resource, resource::Kind};

use super::*;

const WEB: &str = "10.96.0.7:80";

fn target(version: u64, kind: Option<wire::target::Kind>) -> Resource {
    let kind = Some(Kind::Target(wire::Target { kind }));
    Resource {
        name: format!("target/{WEB}"),
        version,
        kind,
    }
}

fn unknown() -> Option<wire::target::Kind> {
    Some(wire::target::Kind::Unknown(wire::Unknown {}))
}

#[tokio::test]
async fn a_destination_is_asked_for_once_and_waits_for_its_answer() {
    let (directory, mut wanted) = Directory::new(None);
    let first = directory.target(WEB.parse().unwrap()).unwrap();
    let mapped = directory
        .target("[::ffff:10.96.0.7]:80".parse().unwrap())
        .unwrap();
    assert!(Arc::ptr_eq(&first, &mapped));
    assert_eq!(wanted.try_recv().unwrap(), Wanted::Subscribe(WEB.into()));
    assert!(wanted.try_recv().is_err());

    let (known, ()) = tokio::join!(first.known(), async {
        assert!(directory.apply(vec![target(7, unknown())], &[]).is_empty());
    });
    assert!(matches!(*known.unwrap(), Target::Unknown));
    assert_eq!(directory.versions(), [(format!("target/{WEB}"), 7)]);
}

#[test]
fn what_does_not_parse_is_rejected_and_the_last_good_one_stays() {
    let (directory, _wanted) = Directory::new(None);
    let subscription = directory.target(WEB.parse().unwrap()).unwrap();
    directory.apply(vec![target(1, unknown())], &[]);
    let rejected = directory.apply(vec![target(2, None)], &[]);
    assert_eq!(rejected.len(), 1);
    assert_eq!(directory.rejected(), rejected);
    assert!(subscription.current().is_some());
    assert_eq!(
        directory.versions(),
        [(format!("target/{WEB}"), 1)],
        "so that version 2 is not taken for known"
    );
    directory.apply(vec![target(3, unknown())], &[]);
    assert!(directory.rejected().is_empty());
}

#[test]
fn removal_takes_effect() {
    let (directory, _wanted) = Directory::new(None);
    let subscription = directory.target(WEB.parse().unwrap()).unwrap();
    let backend = Resource {
        name: "backend/a/b:80".into(),
        version: 1,
        kind: Some(Kind::Backend(<_>::default())),
    };
    directory.apply(vec![backend, target(1, unknown())], &[]);
    let handle = directory.backend("backend/a/b:80");
    assert!(handle.current().is_some());
    directory.apply(Vec::new(), &[format!("target/{WEB}"), "backend/a/b:80".into()]);
    assert!(subscription.current().is_none() && handle.current().is_none());
    assert!(directory.versions().is_empty());
}

#[test]
fn the_first_inbound_makes_configured() {
    let (directory, _wanted) = Directory::new(None);
    assert!(directory.inbound().is_none());
    let inbound = wire::Inbound {
        workload: "deploy/web".into(),
        ..Default::default()
    };
    let resource = Resource {
        name: "inbound".into(),
        version: 1,
        kind: Some(Kind::Inbound(inbound)),
    };
    directory.apply(vec![resource], &[]);
    assert!(*directory.configured.borrow());
    assert_eq!(directory.inbound().as_ref().unwrap().workload, "deploy/web");
}

#[test]
fn resumption_names_what_is_held() {
    let (directory, _wanted) = Directory::new(None);
    directory.target(WEB.parse().unwrap()).unwrap();
    directory.apply(vec![target(9, unknown())], &[]);
    let (known, targets) = directory.hello();
    assert_eq!(
        known,
        [Known {
            name: format!("target/{WEB}"),
            version: 9
        }]
    );
    assert_eq!(targets, [WEB]);
}

#[test]
fn what_is_in_use_is_kept_and_the_rest_given_up_in_time() {
    let (directory, mut wanted) = Directory::new(None);
    let subscription = directory.target(WEB.parse().unwrap()).unwrap();
    wanted.try_recv().unwrap();
    let in_use = subscription.used();
    let later = unix_now() + UNUSED + 10;
    directory.give_up_unused(later);
    assert!(!subscription.retired());
    drop(in_use);
    directory.give_up_unused(unix_now() + UNUSED - 10);
    assert!(!subscription.retired());
    directory.give_up_unused(later);
    assert!(subscription.retired());
    assert_eq!(wanted.try_recv().unwrap(), Wanted::Unsubscribe(WEB.into()));
    let anew = directory.target(WEB.parse().unwrap()).unwrap();
    assert!(!Arc::ptr_eq(&subscription, &anew));
}

#[test]
fn the_number_of_destinations_is_bounded() {
    let (directory, _wanted) = Directory::new(None);
    for i in 0..MOST as u32 {
        directory
            .target(SocketAddr::new(std::net::Ipv4Addr::from(i).into(), 1))
            .unwrap();
    }
    assert_eq!(
        directory.target(WEB.parse().unwrap()).unwrap_err(),
        NoTarget::TooMany
    );
}
