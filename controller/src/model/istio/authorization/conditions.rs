//! The conditions of a rule on the wire.

use mesh_api::{
    istio::{
        AuthorizationPolicy,
        authorization::{Operation, Source, When},
    },
    wire::{self, Attribute, string_match::Kind},
};

use crate::model::{report::Findings, sound, text::string_match};

pub struct Reader<'a> {
    pub object: &'a AuthorizationPolicy,
    pub trust_domain: &'a str,
    /// What is not understood is left out of a rule that refuses; a rule that admits goes with it.
    pub closed_by_dropping: bool,
    pub findings: &'a mut Findings,
}

/// `None`: can never match.
type All = Option<Vec<wire::Condition>>;

impl Reader<'_> {
    /// Whether there is a field directly below `path` that we do not know.
    pub fn unknown_besides(&self, path: &str, known: &[&str]) -> bool {
        self.object
            .ignored
            .iter()
            .filter_map(|f| f.strip_prefix(path)?.strip_prefix('.'))
            .any(|rest| {
                let field = rest.split(['.', '[']).next().unwrap_or_default();
                !known.contains(&field)
            })
    }

    pub fn source(&mut self, path: &str, source: &Source) -> All {
        let mut all = Vec::new();
        let mut understood = !self
            .object
            .ignored
            .iter()
            .any(|f| f.starts_with(&format!("{path}.")));
        all.extend(condition(
            Attribute::RequestPrincipal,
            patterns(&source.request_principals),
            patterns(&source.not_request_principals),
        ));
        all.extend(condition(
            Attribute::Principal,
            self.principals(&source.principals),
            self.principals(&source.not_principals),
        ));
        all.extend(condition(
            Attribute::Namespace,
            patterns(&source.namespaces),
            patterns(&source.not_namespaces),
        ));
        let accounts = |list: &[String]| -> Vec<wire::StringMatch> {
            list.iter().map(|account| self.account(account)).collect()
        };
        all.extend(condition(
            Attribute::Principal,
            accounts(&source.service_accounts),
            accounts(&source.not_service_accounts),
        ));
        let blocks = [
            ("ipBlocks", &source.ip_blocks, &source.not_ip_blocks),
            (
                "remoteIpBlocks",
                &source.remote_ip_blocks,
                &source.not_remote_ip_blocks,
            ),
        ];
        for (field, values, not) in blocks {
            let place = format!("spec.{path}.source.{field}");
            match self.networks(&place, Attribute::SourceAddress, values, not) {
                Ok(found) => all.extend(found),
                Err(()) => understood = false,
            }
        }
        (understood || self.closed_by_dropping).then_some(all)
    }

    pub fn operation(&mut self, path: &str, operation: &Operation) -> All {
        let mut all = Vec::new();
        let mut understood = !self
            .object
            .ignored
            .iter()
            .any(|f| f.starts_with(&format!("{path}.")));
        let mut no_templates = Vec::new();
        let mut paths = |list: &[String]| -> Vec<wire::StringMatch> {
            let list = list.iter();
            list.filter_map(|path| {
                if !(path.contains("{*}") || path.contains("{**}")) {
                    return Some(pattern(path));
                }
                match sound::template(path) {
                    Ok(()) => Some(string_match(Kind::Template(path.clone()))),
                    Err(why) => {
                        no_templates.push(why);
                        None
                    }
                }
            })
            .collect()
        };
        let (paths, not_paths) = (paths(&operation.paths), paths(&operation.not_paths));
        for why in no_templates {
            self.findings
                .unsupported(format!("spec.{path}.operation.paths: {why}"));
            understood = false;
        }
        all.extend(condition(
            Attribute::Host,
            operation.hosts.iter().map(|text| host(text)).collect(),
            operation.not_hosts.iter().map(|text| host(text)).collect(),
        ));
        all.extend(condition(
            Attribute::Port,
            patterns(&operation.ports),
            patterns(&operation.not_ports),
        ));
        all.extend(condition(
            Attribute::Method,
            patterns(&operation.methods),
            patterns(&operation.not_methods),
        ));
        all.extend(condition(
            Attribute::Path,
            if understood { paths } else { Vec::new() },
            if understood { not_paths } else { Vec::new() },
        ));
        (understood || self.closed_by_dropping).then_some(all)
    }

    /// `Err`: not understood.
    pub fn when(&mut self, path: &str, when: &When) -> Result<wire::Condition, ()> {
        let place = format!("spec.{path}");
        let mut values = when.values.clone();
        let mut not = when.not_values.clone();
        let attribute = match when.key.as_str() {
            "source.ip" | "remote.ip" => {
                let found = self.networks(&place, Attribute::SourceAddress, &values, &not)?;
                return found.ok_or(());
            }
            "destination.ip" => {
                let found = self.networks(&place, Attribute::DestinationAddress, &values, &not)?;
                return found.ok_or(());
            }
            "source.namespace" => Attribute::Namespace,
            "source.principal" => {
                let (values, not) = (self.principals(&values), self.principals(&not));
                return condition(Attribute::Principal, values, not).ok_or(());
            }
            "source.serviceAccount" => {
                let condition = condition(
                    Attribute::Principal,
                    values.iter().map(|a| self.account(a)).collect(),
                    not.iter().map(|a| self.account(a)).collect(),
                );
                return condition.ok_or(());
            }
            "destination.port" => Attribute::Port,
            "connection.sni" => Attribute::ServerName,
            "request.auth.principal" => Attribute::RequestPrincipal,
            "request.auth.audiences" => Attribute::RequestAudience,
            "request.auth.presenter" => Attribute::RequestPresenter,
            key if key.starts_with("request.auth.claims[") => {
                let Some(claim) = claim(key) else {
                    self.findings.unsupported(format!("{place}.key: {key}"));
                    return Err(());
                };
                let found = condition(Attribute::Claim, patterns(&values), patterns(&not));
                return found.map(|found| wire::Condition { claim, ..found }).ok_or(());
            }
            key => {
                let header = key
                    .strip_prefix("request.headers[")
                    .and_then(|k| k.strip_suffix(']'));
                let Some(header) = header else {
                    self.findings.unsupported(format!("{place}.key: {key}"));
                    return Err(());
                };
                if let Err(why) = sound::header_name(header) {
                    self.findings.unsupported(format!("{place}.key: {why}"));
                    return Err(());
                }
                let mut found = condition(Attribute::Header, patterns(&values), patterns(&not)).ok_or(())?;
                found.header = header.to_lowercase();
                return Ok(found);
            }
        };
        values.retain(|v| !v.is_empty());
        not.retain(|v| !v.is_empty());
        condition(attribute, patterns(&values), patterns(&not)).ok_or_else(|| {
            self.findings
                .unsupported(format!("{place}: neither values nor notValues"));
        })
    }

    /// `cluster.local` stands for whatever the mesh's trust domain is, as in every example there is.
    fn principals(&self, list: &[String]) -> Vec<wire::StringMatch> {
        let here = |text: &String| match text.strip_prefix("cluster.local/") {
            Some(rest) => format!("{}/{rest}", self.trust_domain),
            None => text.clone(),
        };
        list.iter().map(|text| pattern(&here(text))).collect()
    }

    /// `account` of the policy's namespace, or `namespace/account`.
    fn account(&self, written: &str) -> wire::StringMatch {
        let (namespace, account) = written
            .split_once('/')
            .unwrap_or((self.object.namespace(), written));
        string_match(Kind::Exact(format!(
            "{}/ns/{namespace}/sa/{account}",
            self.trust_domain
        )))
    }

    /// `Err` where an entry is no network.
    fn networks(
        &mut self,
        place: &str,
        attribute: Attribute,
        values: &[String],
        not: &[String],
    ) -> Result<Option<wire::Condition>, ()> {
        let mut wrong = false;
        let mut read = |list: &[String]| -> Vec<String> {
            let mut found = Vec::new();
            for block in list {
                if let Some(network) = network(block) {
                    found.push(network);
                } else {
                    let mistake = format!("{place}: {block:?} is neither an address nor a CIDR");
                    self.findings.unsupported(mistake);
                    wrong = true;
                }
            }
            found
        };
        let (networks, not_networks) = (read(values), read(not));
        if wrong {
            return Err(());
        }
        Ok(
            (!networks.is_empty() || !not_networks.is_empty()).then(|| wire::Condition {
                attribute: attribute.into(),
                networks,
                not_networks,
                ..wire::Condition::default()
            }),
        )
    }
}

fn condition(
    attribute: Attribute,
    values: Vec<wire::StringMatch>,
    not_values: Vec<wire::StringMatch>,
) -> Option<wire::Condition> {
    (!values.is_empty() || !not_values.is_empty()).then(|| wire::Condition {
        attribute: attribute.into(),
        values,
        not_values,
        ..wire::Condition::default()
    })
}

fn patterns(list: &[String]) -> Vec<wire::StringMatch> {
    list.iter().map(|text| pattern(text)).collect()
}

/// A host, whatever the port: `a.example`, `a.example:*` and `a.example:80` are the same to us.
fn host(text: &str) -> wire::StringMatch {
    let is_port = |port: &str| port == "*" || (!port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    let name = match text.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => text,
    };
    wire::StringMatch {
        ignore_case: true,
        ..pattern(name)
    }
}

/// The names in `request.auth.claims[a][b]`, from the outermost in.
fn claim(key: &str) -> Option<Vec<String>> {
    let names = key.strip_prefix("request.auth.claims[")?.strip_suffix(']')?;
    let names: Vec<String> = names.split("][").map(str::to_owned).collect();
    names.iter().all(|name| !name.is_empty()).then_some(names)
}

/// `abc`, `abc*`, `*abc`, or `*` for whatever is there.
fn pattern(text: &str) -> wire::StringMatch {
    string_match(if text == "*" {
        Kind::Present(true)
    } else if let Some(suffix) = text.strip_prefix('*') {
        Kind::Suffix(suffix.to_owned())
    } else if let Some(prefix) = text.strip_suffix('*') {
        Kind::Prefix(prefix.to_owned())
    } else {
        Kind::Exact(text.to_owned())
    })
}

/// A network in CIDR form; a single address is a network of one.
fn network(text: &str) -> Option<String> {
    if let Ok(network) = text.parse::<ipnet::IpNet>() {
        return Some(network.to_string());
    }
    let address: std::net::IpAddr = text.parse().ok()?;
    Some(ipnet::IpNet::from(address).to_string())
}
