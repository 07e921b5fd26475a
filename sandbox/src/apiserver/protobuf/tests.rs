use super::*;

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn number(field: u64, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(field << 3, &mut out);
    varint(value as u64, &mut out);
    out
}

fn bytes(field: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    varint(field << 3 | 2, &mut out);
    varint(value.as_ref().len() as u64, &mut out);
    out.extend_from_slice(value.as_ref());
    out
}

fn envelope(version: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let meta = [bytes(1, version), bytes(2, kind)].concat();
    [
        MAGIC,
        &bytes(1, meta),
        &bytes(2, body),
        &bytes(3, ""),
        &bytes(4, ""),
    ]
    .concat()
}

/// Metadata as Go writes it: every field that is no pointer, also the empty ones.
fn metadata(name: &str) -> Vec<u8> {
    let empty = [2, 3, 4, 5, 6].map(|field| bytes(field, "")).concat();
    bytes(1, [bytes(1, name), empty, number(7, 0), bytes(8, "")].concat())
}

#[test]
fn empty_fields_are_left_out_unless_they_were_meant() {
    let container = [
        bytes(1, "c"),
        bytes(2, "busybox"),
        bytes(5, ""),
        bytes(8, ""),
        bytes(14, ""),
        number(16, 0),
        bytes(15, number(6, 0)),
    ]
    .concat();
    let volume = [bytes(1, "tmp"), bytes(2, bytes(2, bytes(1, "")))].concat();
    let spec = [
        bytes(1, volume),
        bytes(2, container),
        bytes(3, ""),
        number(4, 0),
        bytes(6, ""),
        number(11, 0),
    ]
    .concat();
    let pod = [metadata("p"), bytes(2, spec), bytes(3, bytes(1, ""))].concat();
    assert_eq!(
        decode(&envelope("v1", "Pod", &pod)),
        Ok(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                "containers": [{
                    "name": "c", "image": "busybox", "securityContext": {"readOnlyRootFilesystem": false},
                }],
            },
        }))
    );
}

#[test]
fn special_types_become_what_json_calls_them() {
    let quantity = |text: &str| bytes(2, bytes(1, text));
    let limits = bytes(1, [bytes(1, "cpu"), quantity("100m")].concat());
    let container = [bytes(1, "c"), bytes(8, limits)].concat();
    let decoded = decode(&envelope("v1", "Pod", &bytes(2, bytes(2, container)))).unwrap();
    let container = &decoded["spec"]["containers"][0];
    assert_eq!(container["resources"], json!({"limits": {"cpu": "100m"}}));
    let budget = bytes(2, bytes(1, [number(1, 0), number(2, 3), bytes(3, "")].concat()));
    let decoded = decode(&envelope("policy/v1", "PodDisruptionBudget", &budget)).unwrap();
    assert_eq!(decoded["spec"], json!({"minAvailable": 3}));
    let data = [bytes(1, "k"), bytes(2, [0xff, 0])].concat();
    let decoded = decode(&envelope("v1", "Secret", &bytes(2, data))).unwrap();
    assert_eq!(decoded["data"], json!({"k": "/wA="}));
    let time = [number(1, 1_700_000_000), number(2, 5000)].concat();
    let lease = bytes(2, [number(2, 0), bytes(4, time)].concat());
    let decoded = decode(&envelope("coordination.k8s.io/v1", "Lease", &lease)).unwrap();
    assert_eq!(
        decoded["spec"],
        json!({"leaseDurationSeconds": 0, "renewTime": "2023-11-14T22:13:20.000005Z"})
    );
    let review = bytes(2, bytes(5, [bytes(1, "k"), bytes(2, bytes(1, "v"))].concat()));
    let decoded = decode(&envelope(
        "authorization.k8s.io/v1",
        "SubjectAccessReview",
        &review,
    ))
    .unwrap();
    assert_eq!(decoded["spec"]["extra"], json!({"k": ["v"]}));
    let managed = bytes(
        17,
        [bytes(1, "m"), bytes(7, bytes(1, "{\"f:data\":{}}"))].concat(),
    );
    let decoded = decode(&envelope("v1", "ConfigMap", &bytes(1, managed))).unwrap();
    assert_eq!(
        decoded["metadata"]["managedFields"],
        json!([{"manager": "m", "fieldsV1": {"f:data": {}}}])
    );
}

#[test]
fn nonsense_is_refused() {
    assert_eq!(decode(b"{}"), Err(ProtobufError::Magic));
    let unknown = decode(&envelope("v1", "Thing", &[]));
    assert!(matches!(unknown, Err(ProtobufError::Unknown { .. })));
    assert!(decode(&envelope("v1", "Pod", &[0x0a, 0x7f])).is_err());
    assert!(decode(&envelope("v1", "Pod", &[0x08, 1])).is_err());
    assert!(decode(&envelope("v1", "Pod", &bytes(1, bytes(1, [0xff])))).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for (version, kind) in [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "DeleteOptions")] {
            let _ = decode(&envelope(version, kind, &body));
        }
        let _ = decode(&[MAGIC, &body].concat());
    }
}
