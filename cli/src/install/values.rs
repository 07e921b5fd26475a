//! What users choose about an installation. A profile comes first, then files, then single values; what was chosen is
//! kept in the cluster, so that a later `install` or `upgrade` knows it without being told again.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use k8s_openapi::api::core::v1::ConfigMap;
use mesh_api::names;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    errors::{Hint, is_forbidden, usage, with_hint},
    units, yaml,
};

/// ConfigMap in the mesh's namespace that remembers what was chosen.
pub const KEPT: &str = "mesh-install";

/// The flags that `install` and `upgrade` share.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "What to install")]
pub struct Choices {
    /// Where to start from; forgets what was chosen before
    #[arg(long, value_enum, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Values from a YAML file; may be repeated
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A single value, such as controller.replicas=3; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Image of controller and sidecars [default: the one that belongs to this program]
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Secrets by which nodes pull the image, where its registry is private
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    image_pull_secret: Vec<String>,
    /// Name that identities begin with: spiffe://NAME/… [default: cluster.local]
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// One controller; enough for most clusters
    #[default]
    Default,
    /// Talks more about what it does, and asks for little
    Demo,
    /// Three controllers on different nodes, kept from being evicted together
    Ha,
    /// As little memory as possible
    Minimal,
}

impl Profile {
    fn values(self) -> Value {
        let resources = |cpu: &str, memory: &str, limit: &str| json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}});
        match self {
            Self::Default => json!({}),
            Self::Demo => {
                json!({"controller": {"logLevel": "debug", "resources": resources("10m", "32Mi", "256Mi")}})
            }
            Self::Ha => {
                json!({"controller": {"replicas": 3, "spread": true, "resources": resources("100m", "64Mi", "512Mi")}})
            }
            Self::Minimal => json!({"controller": {"resources": resources("10m", "24Mi", "128Mi")}}),
        }
    }
}

/// Everything that can be chosen, with what holds when nobody says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Values {
    pub image: String,
    pub trust_domain: String,
    /// How long workload certificates last; they are renewed at about two thirds of it.
    pub certificate_lifetime: String,
    /// Secrets by which nodes pull the image: the mesh's namespace needs them, and every one in which sidecars run.
    pub image_pull_secrets: Vec<String>,
    pub controller: Controller,
    pub proxy: Proxy,
    pub tracing: Tracing,
}

/// What holds for sidecars whose pods do not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Proxy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Where the spans of calls go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tracing {
    /// `host:port` of a collector that speaks OpenTelemetry's protocol over gRPC; empty: spans go nowhere.
    pub collector: String,
    /// Calls that begin a trace where they belong to none yet.
    pub sampling_percentage: f64,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            collector: String::new(),
            sampling_percentage: 1.0,
        }
    }
}

/// As containers have them: amounts by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Controller {
    pub replicas: u32,
    pub log_level: String,
    /// Replicas on different nodes, and never all evicted at once.
    pub spread: bool,
    pub resources: Value,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Value>,
    /// Such as system-cluster-critical: what is evicted last when a node runs short.
    pub priority_class_name: String,
    pub pod_annotations: BTreeMap<String, String>,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            image: names::image(),
            trust_domain: names::TRUST_DOMAIN.into(),
            certificate_lifetime: "24h".into(),
            image_pull_secrets: Vec::new(),
            controller: Controller::default(),
            proxy: Proxy::default(),
            tracing: Tracing::default(),
        }
    }
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            replicas: 1,
            log_level: "info".into(),
            spread: false,
            resources: json!({"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: String::new(),
            pod_annotations: BTreeMap::new(),
        }
    }
}

/// What somebody has chosen: only what differs from the defaults, so that these can change with a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    pub profile: Profile,
    #[serde(default)]
    pub values: Value,
    /// Version that installed it.
    #[serde(default)]
    pub version: String,
}

impl Chosen {
    /// What the cluster remembers, if there is a mesh that was installed so.
    pub async fn kept(cluster: &Cluster) -> Result<Option<Self>> {
        let found = cluster
            .api::<ConfigMap>(&cluster.mesh_namespace)
            .get_opt(KEPT)
            .await
            .context("cannot read what was chosen before")?;
        let text = found.and_then(|c| c.data?.remove("values.yaml"));
        text.map(|text| {
            serde_yaml::from_str(&text)
                .with_context(|| format!("config map {KEPT} cannot be understood"))
                .hint("`meshctl install --profile default` starts anew")
        })
        .transpose()
    }

    /// The object that makes the cluster remember.
    pub fn config_map(&self, namespace: &str) -> Result<Value> {
        Ok(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": KEPT, "namespace": namespace},
            "data": {"values.yaml": serde_yaml::to_string(self)?}
        }))
    }

    /// What results, with this version's defaults.
    pub fn values(&self) -> Result<Values> {
        let mut all = self.profile.values();
        json_patch::merge(&mut all, &self.values);
        let values: Values = serde_json::from_value(all).map_err(|e| {
            let which = self
                .misfit()
                .map_or("the values do".into(), |name| format!("{name} does"));
            usage(format!("{which} not fit: {e}"))
        })?;
        if values.controller.replicas == 0 {
            return Err(usage("controller.replicas must be 1 or more"));
        }
        let lifetime = units::duration(&values.certificate_lifetime).map_err(usage)?;
        if lifetime < Duration::from_mins(1) {
            return Err(usage("certificateLifetime must be a minute or more"));
        }
        if let Some(bad) = values
            .image_pull_secrets
            .iter()
            .find(|name| !units::is_name(name))
        {
            return Err(usage(format!("imagePullSecrets: `{bad}` is no name of a secret")));
        }
        let tracing = &values.tracing;
        let is_address = |c: &str| {
            let read = c.parse::<http::uri::Authority>();
            read.is_ok_and(|a| a.port_u16().is_some() && !a.host().is_empty() && !c.contains('@'))
        };
        if !tracing.collector.is_empty() && !is_address(&tracing.collector) {
            let bad = &tracing.collector;
            return Err(usage(format!(
                "tracing.collector: `{bad}` is not HOST:PORT, such as otel-collector.observability:4317"
            )));
        }
        if !(0.0..=100.0).contains(&tracing.sampling_percentage) {
            return Err(usage("tracing.samplingPercentage must be from 0 to 100"));
        }
        if values.trust_domain.is_empty() || values.image.is_empty() {
            return Err(usage("trustDomain and image must not be empty"));
        }
        Ok(values)
    }
}

impl Chosen {
    /// The first value that does not fit by itself, as `--set` names it.
    fn misfit(&self) -> Option<String> {
        fn leaves(value: &Value, path: &str, all: &mut Vec<(String, Value)>) {
            match value.as_object() {
                Some(fields) => fields.iter().for_each(|(name, below)| {
                    let dot = if path.is_empty() { "" } else { "." };
                    leaves(below, &format!("{path}{dot}{name}"), all);
                }),
                None => all.push((path.to_owned(), value.clone())),
            }
        }
        let mut all = Vec::new();
        leaves(&self.values, "", &mut all);
        all.into_iter().find_map(|(path, leaf)| {
            let alone = path.rsplit('.').fold(leaf, |below, name| json!({ name: below }));
            let mut values = self.profile.values();
            json_patch::merge(&mut values, &alone);
            serde_json::from_value::<Values>(values).is_err().then_some(path)
        })
    }
}

impl Choices {
    /// What was chosen before, changed by what is chosen now.
    pub fn on_top_of(&self, kept: Option<Chosen>) -> Result<Chosen> {
        let mut chosen = match (self.profile, kept) {
            (None, Some(kept)) => kept.moved_to_this_version(),
            (profile, _) => Chosen {
                profile: profile.unwrap_or_default(),
                values: json!({}),
                version: String::new(),
            },
        };
        names::VERSION.clone_into(&mut chosen.version);
        for file in &self.files {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let value =
                yaml::parse(&text, 1).with_context(|| format!("{} is not valid YAML", file.display()))?;
            if !(value.is_object() || value.is_null()) {
                return Err(usage(format!("{} holds no values", file.display())));
            }
            if value.is_object() {
                json_patch::merge(&mut chosen.values, &value);
            }
        }
        for assignment in &self.set {
            json_patch::merge(&mut chosen.values, &assigned(assignment)?);
        }
        if let Some(image) = &self.image {
            chosen.values["image"] = json!(image);
        }
        if !self.image_pull_secret.is_empty() {
            chosen.values["imagePullSecrets"] = json!(self.image_pull_secret);
        }
        if let Some(domain) = &self.trust_domain {
            chosen.values["trustDomain"] = json!(domain);
        }
        chosen.values()?;
        Ok(chosen)
    }
}

impl Chosen {
    /// An image that was pinned to the version of then is meant to move along.
    fn moved_to_this_version(mut self) -> Self {
        let pinned = self.values["image"]
            .as_str()
            .and_then(|image| image.strip_suffix(&format!(":{}", self.version)))
            .map(|repository| format!("{repository}:{}", names::VERSION));
        if let Some(image) = pinned {
            self.values["image"] = json!(image);
        }
        self
    }
}

/// The mesh's trust domain; the usual one where there is no mesh, or where this user may not know.
pub async fn trust_domain(cluster: &Cluster) -> Result<String> {
    match Chosen::kept(cluster).await {
        Ok(Some(chosen)) => Ok(chosen.values()?.trust_domain),
        Ok(None) => Ok(names::TRUST_DOMAIN.to_owned()),
        Err(error) if is_forbidden(&error) => Ok(names::TRUST_DOMAIN.to_owned()),
        Err(error) => Err(error),
    }
}

/// Fails when a mesh would get other identities than it has.
pub fn require_same_domain(before: Option<&Chosen>, now: &Values) -> Result<()> {
    let Some(before) = before.and_then(|b| b.values().ok()) else {
        return Ok(());
    };
    if before.trust_domain == now.trust_domain {
        return Ok(());
    }
    Err(with_hint(
        anyhow!(
            "the mesh's trust domain is {}; it is part of every identity and cannot become {}",
            before.trust_domain,
            now.trust_domain
        ),
        "to change it, uninstall the mesh and install it again",
    ))
}

/// `a.b=1` as `{"a": {"b": 1}}`; `\.` is a dot within a name.
fn assigned(text: &str) -> Result<Value> {
    let (path, value) = text
        .split_once('=')
        .filter(|(path, _)| !path.is_empty())
        .ok_or_else(|| {
            usage(format!(
                "`{text}` sets nothing; write KEY=VALUE, such as controller.replicas=3"
            ))
        })?;
    let value =
        yaml::parse(value, 1).map_err(|_| usage(format!("the value of `{text}` cannot be understood")))?;
    let path = path.replace("\\.", "\0");
    Ok(path
        .rsplit('.')
        .fold(value, |inner, name| json!({name.replace('\0', "."): inner})))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn choices(line: &str) -> Choices {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            choices: Choices,
        }
        let words = std::iter::once("x").chain(line.split_whitespace());
        <Line as clap::Parser>::try_parse_from(words).unwrap().choices
    }

    #[test]
    fn later_choices_win() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "controller: {{replicas: 5, logLevel: warn}}").unwrap();
        let line = format!(
            "--profile ha -f {} --set controller.replicas=2 --set controller.nodeSelector.kubernetes\\.io/os=linux",
            file.path().display()
        );
        let values = choices(&line).on_top_of(None).unwrap().values().unwrap();
        assert_eq!(
            (values.controller.replicas, values.controller.log_level.as_str()),
            (2, "warn")
        );
        assert!(values.controller.spread, "the profile's");
        assert_eq!(values.controller.node_selector["kubernetes.io/os"], "linux");
    }

    #[test]
    fn what_was_chosen_stays_and_a_profile_starts_anew() {
        let before = choices("--profile ha --set controller.logLevel=debug")
            .on_top_of(None)
            .unwrap();
        let again = choices("").on_top_of(Some(before.clone())).unwrap();
        assert_eq!(again, before);
        let anew = choices("--profile default").on_top_of(Some(before)).unwrap();
        assert_eq!(anew.values().unwrap(), Values::default());
    }

    #[test]
    fn a_pinned_image_moves_with_the_version_and_others_stay() {
        for (image, version, want) in [
            ("reg/mesh:0.0.9", "0.0.9", format!("reg/mesh:{}", names::VERSION)),
            ("reg/mesh:stable", "0.0.9", "reg/mesh:stable".to_owned()),
        ] {
            let kept = Chosen {
                values: json!({"image": image}),
                version: version.into(),
                ..Chosen::default()
            };
            assert_eq!(
                choices("").on_top_of(Some(kept)).unwrap().values().unwrap().image,
                want
            );
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (line, told) in [
            ("--set controller.replicaz=3", "unknown field `replicaz`"),
            (
                "--set controller.logLevel=info --set controller.replicas=many",
                "controller.replicas does not fit",
            ),
            ("--set controller.replicas=0", "1 or more"),
            ("--set certificateLifetime=5s", "a minute or more"),
            ("--set certificateLifetime=long", "is no duration"),
            ("--set tracing.collector=jaeger", "is not HOST:PORT"),
            ("--set tracing.collector=http://jaeger:4317", "is not HOST:PORT"),
            ("--set tracing.samplingPercentage=101", "from 0 to 100"),
            ("--set nothing", "KEY=VALUE"),
            ("--image-pull-secret My_Secret", "is no name of a secret"),
            (
                "--set proxy.resources.limit.cpu=1",
                "proxy.resources.limit.cpu does not fit",
            ),
        ] {
            let error = choices(line).on_top_of(None).unwrap_err();
            assert!(error.to_string().contains(told), "{line}: {error}");
            assert_eq!(crate::errors::code(&error), 2);
        }
    }

    /// The values there are, as parsing names them to whoever writes another; so none can be forgotten.
    fn all(path: &[&str], found: &mut Vec<String>) {
        let nonsense = path
            .iter()
            .rev()
            .fold(json!({"?": 1}), |inner, name| json!({ *name: inner }));
        let refused = serde_json::from_value::<Values>(nonsense).map_err(|e| e.to_string());
        match &refused {
            Err(why) if why.starts_with("unknown field `?`, expected") => {
                for name in why.split('`').skip(3).step_by(2) {
                    all(&[path, &[name]].concat(), found);
                }
            }
            _ => found.push(path.join(".")),
        }
    }

    #[test]
    fn every_value_is_documented_and_no_other() {
        let page = include_str!("../../../docs/configuration.md");
        let (_, section) = page.split_once("\n## Values\n").unwrap();
        let table = section.split("\n| profile |").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut documented: Vec<String> = rows
            .filter_map(|row| Some(row.split('`').next()?.to_owned()))
            .collect();
        let mut there = Vec::new();
        all(&[], &mut there);
        documented.sort_unstable();
        there.sort_unstable();
        assert_eq!(documented, there);
    }

    #[test]
    fn the_trust_domain_stays() {
        let before = choices("--trust-domain a").on_top_of(None).unwrap();
        require_same_domain(Some(&before), &before.values().unwrap()).unwrap();
        assert!(require_same_domain(Some(&before), &Values::default()).is_err());
        require_same_domain(None, &Values::default()).unwrap();
    }
}
