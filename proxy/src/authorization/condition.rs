//! One condition of a rule: an attribute of the call, and what it may or must not be.

use std::{borrow::Cow, cell::OnceCell, collections::HashSet, net::IpAddr};

use http::HeaderName;
use ipnet::IpNet;
use mesh_api::wire::{self, Attribute};

use super::{Asked, path, token::Claims};
use crate::config::{ConfigError, Text, bad, without_port};

/// What to do where an attribute can be read in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// One that matches is enough: for what refuses.
    Any,
    /// All must match: for what allows.
    All,
}

/// What is asked, and what was worked out for one condition and serves the next.
pub struct Question<'a> {
    asked: &'a Asked<'a>,
    paths: OnceCell<Vec<Cow<'a, str>>>,
}

impl<'a> Question<'a> {
    pub fn new(asked: &'a Asked<'a>) -> Self {
        Self {
            asked,
            paths: OnceCell::new(),
        }
    }

    /// The path, in every way it can be read.
    fn paths(&self) -> &[Cow<'a, str>] {
        let path = self.asked.http.map(|http| http.uri.path());
        self.paths
            .get_or_init(|| path.map_or_else(Vec::new, path::readings))
    }
}

#[derive(Debug)]
pub struct Condition {
    attribute: Attribute,
    header: Option<HeaderName>,
    claim: Vec<String>,
    values: Values,
    not_values: Values,
    networks: Vec<IpNet>,
    not_networks: Vec<IpNet>,
}

/// Long lists are mostly of exact values, which one look-up answers.
#[derive(Debug, Default)]
struct Values {
    exact: HashSet<String>,
    patterns: Vec<Text>,
}

impl Values {
    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    fn contain(&self, value: &str) -> bool {
        self.exact.contains(value) || self.patterns.iter().any(|p| p.matches(Some(value)))
    }
}

impl Condition {
    pub fn holds(&self, question: &Question<'_>, reading: Reading) -> bool {
        let asked = question.asked;
        let of_http = matches!(
            self.attribute,
            Attribute::Host
                | Attribute::Method
                | Attribute::Path
                | Attribute::Header
                | Attribute::RequestPrincipal
                | Attribute::RequestAudience
                | Attribute::RequestPresenter
                | Attribute::Claim
        );
        if of_http && asked.http.is_none() {
            return reading == Reading::Any;
        }
        let one = |value: Option<&str>| self.fits(value.map(Cow::Borrowed).as_slice(), reading);
        match self.attribute {
            Attribute::SourceAddress => self.holds_for_address(asked.source),
            Attribute::DestinationAddress => self.holds_for_address(asked.destination.ip()),
            Attribute::Principal => one(asked.caller.map(|c| c.principal.as_str())),
            Attribute::Namespace => one(asked.caller.map(|c| c.namespace.as_str())),
            Attribute::ServerName => one(asked.server_name),
            Attribute::Port => one(Some(&asked.destination.port().to_string())),
            Attribute::Method => one(asked.http.map(|http| http.method.as_str())),
            Attribute::Host => {
                let host = asked.http.and_then(|http| http.authority());
                one(host.map(canonical_host).as_deref())
            }
            Attribute::Path => self.fits(question.paths(), reading),
            Attribute::Header => self.fits(&self.header_readings(asked), reading),
            Attribute::RequestPrincipal => one(asked.token.and_then(Claims::principal).as_deref()),
            Attribute::RequestPresenter => one(asked.token.and_then(Claims::presenter)),
            Attribute::RequestAudience => {
                self.fits_list(&asked.token.map(Claims::audiences).unwrap_or_default())
            }
            Attribute::Claim => {
                let values = asked.token.map(|token| token.claim(&self.claim));
                self.fits_list(&values.unwrap_or_default())
            }
        }
    }

    /// Of a list one value must be wanted, and none unwanted.
    fn fits_list(&self, values: &[String]) -> bool {
        (!self.wants_something() || values.iter().any(|v| self.values.contain(v)))
            && !values.iter().any(|v| self.not_values.contain(v))
    }

    /// Is a value, read in every way it can be, one that is wanted? There is no reading where the call has none.
    fn fits(&self, readings: &[Cow<'_, str>], reading: Reading) -> bool {
        if readings.is_empty() {
            return !self.wants_something();
        }
        let fit = |value: &Cow<'_, str>| {
            (!self.wants_something() || self.values.contain(value)) && !self.not_values.contain(value)
        };
        match reading {
            Reading::Any => readings.iter().any(fit),
            Reading::All => readings.iter().all(fit),
        }
    }

    fn wants_something(&self) -> bool {
        !(self.values.is_empty() && self.networks.is_empty())
    }

    fn holds_for_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |networks: &[IpNet]| networks.iter().any(|n| n.contains(&address));
        let text = address.to_string();
        (!self.wants_something() || within(&self.networks) || self.values.contain(&text))
            && !within(&self.not_networks)
            && !self.not_values.contain(&text)
    }

    /// Several fields of one name are one list, as HTTP has it; an app may look at any of them alone.
    fn header_readings<'a>(&self, asked: &Asked<'a>) -> Vec<Cow<'a, str>> {
        let (Some(http), Some(name)) = (asked.http, &self.header) else {
            return Vec::new();
        };
        if name == http::header::HOST
            && let Some(authority) = http.authority()
        {
            return vec![Cow::Borrowed(authority)];
        }
        let fields = http.headers.get_all(name).iter();
        let mut all: Vec<_> = fields.map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        if all.len() > 1 {
            all.push(Cow::Owned(all.join(",")));
        }
        all
    }
}

impl TryFrom<wire::Condition> for Condition {
    type Error = ConfigError;

    fn try_from(c: wire::Condition) -> Result<Self, ConfigError> {
        let Ok(attribute) = Attribute::try_from(c.attribute) else {
            return bad("a condition on an attribute this proxy does not know");
        };
        let header = match attribute {
            Attribute::Header => Some(
                HeaderName::from_bytes(c.header.as_bytes())
                    .or_else(|_| bad(format!("header name {:?}", c.header)))?,
            ),
            _ => None,
        };
        let networks = |list: Vec<String>| list.iter().map(|n| network(n)).collect::<Result<Vec<_>, _>>();
        // Hosts are compared without regard to case; so are the exact ones here.
        let fold = attribute == Attribute::Host;
        Ok(Self {
            attribute,
            header,
            claim: c.claim,
            values: values(c.values, fold)?,
            not_values: values(c.not_values, fold)?,
            networks: networks(c.networks)?,
            not_networks: networks(c.not_networks)?,
        })
    }
}

/// The one spelling of a host: no port, no dot at the end, small letters.
fn canonical_host(authority: &str) -> String {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    without_port(authority).trim_end_matches('.').to_ascii_lowercase()
}

fn values(wire: Vec<wire::StringMatch>, fold: bool) -> Result<Values, ConfigError> {
    let mut values = Values::default();
    for mut value in wire {
        value.ignore_case |= fold && !matches!(value.kind, Some(wire::string_match::Kind::Exact(_)));
        let text = Text::try_from(value)?;
        match text.exact() {
            Some(exact) if fold => values.exact.insert(canonical_host(exact)),
            Some(exact) => values.exact.insert(exact.to_owned()),
            None => {
                values.patterns.push(text);
                true
            }
        };
    }
    Ok(values)
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, ConfigError> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address())
        .or_else(|_| bad(format!("{text:?} is neither an address nor a network")))
}
