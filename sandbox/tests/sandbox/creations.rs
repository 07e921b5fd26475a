//! What `kubectl create` is asked to create, and what must come of it.

/// Words that create something, the object they create, and fields that must be as they say: typed creates are sent as
/// protobuf.
pub type Creation = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

pub const ALL: &[Creation] = &[
    (
        "deployment d --image=busybox --replicas=0 --port=80 -- sleep 9",
        "deployment/d",
        &[
            (".spec.replicas", "0"),
            (".spec.template.spec.containers[0].ports[0].containerPort", "80"),
            (".spec.template.spec.restartPolicy", "Always"),
            (".spec.strategy.rollingUpdate.maxSurge", "25%"),
        ],
    ),
    (
        "configmap c --from-literal=a=b --from-literal=empty=",
        "configmap/c",
        &[(".data", r#"{"a":"b","empty":""}"#)],
    ),
    (
        "secret generic s --from-literal=a=b",
        "secret/s",
        &[(".data.a", "Yg=="), (".type", "Opaque")],
    ),
    (
        "secret docker-registry r --docker-server=x --docker-username=u --docker-password=p",
        "secret/r",
        &[(".type", "kubernetes.io/dockerconfigjson")],
    ),
    ("serviceaccount a", "serviceaccount/a", &[(".metadata.name", "a")]),
    (
        "namespace n",
        "namespace/n",
        &[(".status.phase", "Active"), (".spec.finalizers[0]", "kubernetes")],
    ),
    (
        "role r --verb=get,list --resource=pods,deployments.apps --resource-name=x",
        "role/r",
        &[
            (".rules[*].resources[0]", "pods deployments"),
            (".rules[0].resourceNames[0]", "x"),
        ],
    ),
    (
        "rolebinding b --role=r --serviceaccount=default:a --user=u",
        "rolebinding/b",
        &[
            (".subjects[*].name", "u a"),
            (".subjects[0].apiGroup", "rbac.authorization.k8s.io"),
        ],
    ),
    (
        "clusterrole cr --verb=get --non-resource-url=/x",
        "clusterrole/cr",
        &[(".rules[0].nonResourceURLs[0]", "/x")],
    ),
    (
        "clusterrolebinding cb --clusterrole=cr --group=g",
        "clusterrolebinding/cb",
        &[(".roleRef.name", "cr")],
    ),
    (
        "service clusterip s1 --tcp=80:8080",
        "service/s1",
        &[(".spec.ports[0].targetPort", "8080"), (".spec.type", "ClusterIP")],
    ),
    (
        "service nodeport s2 --tcp=80:http",
        "service/s2",
        &[(".spec.ports[0].targetPort", "http")],
    ),
    (
        "service externalname s3 --external-name=example.com",
        "service/s3",
        &[(".spec.externalName", "example.com")],
    ),
    (
        "service clusterip s4 --clusterip=None --tcp=80",
        "service/s4",
        &[(".spec.clusterIP", "None")],
    ),
    (
        "job j --image=busybox -- /bin/true",
        "job/j",
        &[
            (".spec.template.spec.restartPolicy", "Never"),
            (".spec.backoffLimit", "6"),
        ],
    ),
    (
        "cronjob cj --image=busybox --schedule=*/5_*_*_*_* -- date",
        "cronjob/cj",
        &[
            (".spec.schedule", "*/5 * * * *"),
            (".spec.concurrencyPolicy", "Allow"),
        ],
    ),
    (
        "quota q --hard=pods=10,limits.cpu=2",
        "quota/q",
        &[(".spec.hard.pods", "10"), (".spec.hard.limits\\.cpu", "2")],
    ),
    (
        "ingress i --rule=a.b/x=s1:80",
        "ingress/i",
        &[(".spec.rules[0].http.paths[0].backend.service.port.number", "80")],
    ),
    (
        "poddisruptionbudget p --selector=app=web --max-unavailable=50%",
        "pdb/p",
        &[(".spec.maxUnavailable", "50%")],
    ),
    (
        "priorityclass pc --value=0 --description=x",
        "priorityclass/pc",
        &[(".value", "0")],
    ),
];
