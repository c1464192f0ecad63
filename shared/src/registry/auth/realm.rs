//! Where a token service may be. A registry names its token service itself, in an answer that anybody on the way
//! to a wrong address could have written; so we go only to hosts that belong to the configured registry.

use reqwest::Url;

/// Token services of well-known registries that are on another host.
const WELL_KNOWN: &[(&str, &str)] =
    &[("registry-1.docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com")];

/// The rule for one registry.
#[derive(Debug)]
pub(crate) struct Realms {
    registry: Url,
    token_hosts: Vec<String>,
}

impl Realms {
    /// For the registry at `registry`, with the hosts that its configuration adds.
    pub(crate) fn new(registry: Url, token_hosts: &[String]) -> Self {
        Self { registry, token_hosts: token_hosts.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// The address in `realm` if it may be called; else why not, and what to configure.
    pub(crate) fn check(&self, realm: &str) -> Result<Url, String> {
        let mut url = Url::parse(realm).map_err(|_| "the realm of its token service is not an address".to_owned())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.scheme() != "https" && !(url.scheme() == "http" && self.registry.scheme() == "http") {
            return Err(format!("its token service at {host} is not on HTTPS; no credentials were sent"));
        }
        if !self.allows(&url, &host) {
            return Err(format!(
                "its token service is on another host, {host}; no credentials were sent. \
                 If that host is right, add it to token_hosts of this registry"
            ));
        }
        // Cannot fail: an http(s) address has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(url)
    }

    fn allows(&self, url: &Url, host: &str) -> bool {
        let registry = self.registry.host_str().unwrap_or_default();
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        host == registry
            || WELL_KNOWN.contains(&(registry, host))
            || self.token_hosts.iter().any(|allowed| allowed == host || *allowed == with_port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realms(registry: &str, token_hosts: &[&str]) -> Realms {
        let hosts: Vec<String> = token_hosts.iter().map(|host| (*host).to_owned()).collect();
        Realms::new(registry.parse().unwrap(), &hosts)
    }

    #[test]
    fn only_hosts_that_belong_to_the_registry_are_called() {
        let own = realms("https://r.example:5000", &["Auth.example", "sso.example:8443"]);
        for good in [
            "https://r.example/token",
            "https://r.example:5001/t?a=b",
            "https://auth.example/t",
            "https://sso.example:8443/",
        ] {
            assert!(own.check(good).is_ok(), "{good}");
        }
        for bad in [
            "https://evil.example/token",
            "https://sso.example/",
            "http://r.example/token",
            "https://r.example.evil.example/",
            "https://r.example@evil.example/",
            "ftp://r.example/",
            "/token",
            "",
        ] {
            assert!(own.check(bad).is_err(), "{bad}");
        }
        assert!(own.check("https://evil.example/").unwrap_err().contains("token_hosts"));
    }

    #[test]
    fn plain_http_and_well_known_services() {
        assert!(realms("http://localhost:5000", &[]).check("http://localhost:5001/token").is_ok());
        assert!(realms("https://registry-1.docker.io", &[]).check("https://auth.docker.io/token").is_ok());
        assert!(realms("https://r.example", &[]).check("https://auth.docker.io/token").is_err());
    }
}
