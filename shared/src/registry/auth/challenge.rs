//! The `WWW-Authenticate` header: how a registry wants to be asked (RFC 9110 section 11.6.1).

use http_auth::ChallengeParser;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Longest header that is read, in bytes.
const MAX_HEADER: usize = 8 * 1024;

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token from the token service.
    Bearer {
        /// Address of the token service.
        realm: String,
        /// The registry's name at the token service.
        service: Option<String>,
        /// The right that the token must grant.
        scope: Option<String>,
    },
    /// User and password with every request.
    Basic,
}

impl Challenge {
    /// The first challenge that we can meet; a token is preferred to sending the password.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Self> = values.flat_map(Self::parse).collect();
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(challenges.first()).cloned()
    }

    /// Every challenge in one header that we can meet.
    fn parse(header: &str) -> Vec<Self> {
        if header.len() > MAX_HEADER {
            return Vec::new();
        }
        let known = ChallengeParser::new(header).map_while(Result::ok).filter_map(|challenge| {
            let parameter = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Self::Basic);
            }
            if !challenge.scheme.eq_ignore_ascii_case("bearer") {
                return None;
            }
            Some(Self::Bearer { realm: parameter("realm")?, service: parameter("service"), scope: parameter("scope") })
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) }
    }

    #[test]
    fn challenges_of_real_registries_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull""#;
        let expected =
            bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:library/alpine:pull"));
        assert_eq!(Challenge::parse(hub), [expected]);
        let ecr_public = r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#;
        assert_eq!(
            Challenge::parse(ecr_public),
            [bearer("https://public.ecr.aws/token/", Some("public.ecr.aws"), Some("aws"))]
        );
        assert_eq!(Challenge::parse(r#"Basic realm="Registry Realm""#), [Challenge::Basic]);
        assert_eq!(Challenge::parse(r#"Negotiate, Basic realm="x""#), [Challenge::Basic]);
        assert_eq!(Challenge::parse("Bearer error=\"invalid_token\""), []);
    }

    #[test]
    fn a_token_is_preferred_to_the_password() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=\"x\"".parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Bearer realm=\"https://r.example/token\"".parse().unwrap());
        assert_eq!(Challenge::from_headers(&headers), Some(bearer("https://r.example/token", None, None)));
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(header in "[ -~]{0,200}") {
            Challenge::parse(&header);
        }

        #[test]
        fn what_is_written_is_read(realm in "https://[a-z.]{1,20}/[a-z]{0,9}", scope in "[a-z:,/]{1,30}") {
            let header = format!("Bearer realm=\"{realm}\",scope=\"{scope}\"");
            prop_assert_eq!(Challenge::parse(&header), [bearer(&realm, None, Some(&scope))]);
        }
    }
}
