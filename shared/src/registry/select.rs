//! Which configured registry a host name means.

use std::collections::{BTreeMap, HashMap};

use super::{RegistryClient, RegistryConfig, RegistryError};

/// Finds a configured registry by the host that an event or a person names. It never introduces one.
#[derive(Debug, Clone, Default)]
pub struct RegistrySelector {
    names: HashMap<String, String>,
}

impl RegistrySelector {
    /// From the sections `[registries.NAME]`. Where several claim a host, the first in order of name has it.
    pub fn new(registries: &BTreeMap<String, RegistryConfig>) -> Self {
        let mut names = HashMap::new();
        for (name, config) in registries {
            for host in std::iter::once(&config.host).chain(&config.aliases) {
                names.entry(without_default_port(canonical_host(host), config.plain_http)).or_insert(name.clone());
            }
        }
        let with_ports: Vec<(String, String)> = names
            .iter()
            .filter(|(host, _)| !has_port(host))
            .map(|(host, name)| {
                let port = if registries.get(name).is_some_and(|config| config.plain_http) { 80 } else { 443 };
                (format!("{host}:{port}"), name.clone())
            })
            .collect();
        names.extend(with_ports);
        Self { names }
    }

    /// Configured name of the registry at `host`: compared without case, with the default port or without it, all of
    /// Docker Hub's names being one.
    pub fn select(&self, host: &str) -> Option<&str> {
        self.names.get(&canonical_host(host)).map(String::as_str)
    }
}

/// A client for each configured registry.
#[derive(Debug)]
pub struct Registries {
    clients: BTreeMap<String, RegistryClient>,
    selector: RegistrySelector,
}

impl Registries {
    /// From the sections `[registries.NAME]`.
    ///
    /// # Errors
    /// The first section that cannot be used.
    pub fn new(registries: &BTreeMap<String, RegistryConfig>) -> Result<Self, RegistryError> {
        let clients = registries.iter().map(|(name, config)| Ok((name.clone(), RegistryClient::new(name, config)?)));
        Ok(Self {
            clients: clients.collect::<Result<_, RegistryError>>()?,
            selector: RegistrySelector::new(registries),
        })
    }

    /// The client for the configured name `name`.
    pub fn by_name(&self, name: &str) -> Option<&RegistryClient> {
        self.clients.get(name)
    }

    /// The client for the registry at `host`.
    pub fn select(&self, host: &str) -> Option<&RegistryClient> {
        self.selector.select(host).and_then(|name| self.by_name(name))
    }
}

/// A host in lower case; Docker Hub by its one name, `docker.io`.
pub(super) fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_suffix(":443").unwrap_or(&host) {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "docker.io".to_owned(),
        _ => host,
    }
}

fn without_default_port(host: String, plain_http: bool) -> String {
    let port = if plain_http { ":80" } else { ":443" };
    host.strip_suffix(port).map(str::to_owned).unwrap_or(host)
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector() -> RegistrySelector {
        let config = |host: &str| RegistryConfig::anonymous(host);
        RegistrySelector::new(&BTreeMap::from([
            ("hub".to_owned(), config("docker.io")),
            (
                "main".to_owned(),
                RegistryConfig { aliases: vec!["Mirror.Example:443".to_owned()], ..config("r.example") },
            ),
            ("local".to_owned(), RegistryConfig { plain_http: true, ..config("localhost:80") }),
            ("odd".to_owned(), config("[::1]:5000")),
        ]))
    }

    #[test]
    fn a_host_selects_by_name_alias_case_and_default_port() {
        let selector = selector();
        for (host, name) in [
            ("r.example", "main"),
            ("R.Example:443", "main"),
            ("mirror.example", "main"),
            ("localhost", "local"),
            ("localhost:80", "local"),
            ("[::1]:5000", "odd"),
            ("docker.io", "hub"),
            ("index.docker.io", "hub"),
            ("registry-1.docker.io:443", "hub"),
        ] {
            assert_eq!(selector.select(host), Some(name), "{host}");
        }
        for host in ["r.example:80", "localhost:443", "evil.example", "", "r.example.evil.example", "[::1]"] {
            assert_eq!(selector.select(host), None, "{host}");
        }
    }

    #[test]
    fn a_host_that_two_claim_goes_to_the_first_name() {
        let config = RegistryConfig::anonymous("r.example");
        let both = BTreeMap::from([("b".to_owned(), config.clone()), ("a".to_owned(), config)]);
        assert_eq!(RegistrySelector::new(&both).select("r.example"), Some("a"));
    }
}
