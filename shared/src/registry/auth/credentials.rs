//! What a registry's configuration says we may present.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use crate::registry::RegistryConfig;
use crate::secret::{ExposeSecret, Secret};

/// Credentials by reference. A secret is read at each login, so a rotated file is picked up without a restart.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// None: what anybody may pull.
    Anonymous,
    /// User and password, for the registry itself or its token service.
    Basic { username: String, password: Secret },
    /// A token that is sent as it is.
    Token(Secret),
}

impl Credentials {
    /// Reads them from the configuration; each secret must be there now.
    pub(crate) fn from_config(config: &RegistryConfig) -> Result<Self, String> {
        let credentials = match (&config.username, &config.password, &config.token) {
            (None, None, None) => Self::Anonymous,
            (None, None, Some(token)) => Self::Token(token.clone()),
            (Some(username), Some(password), None) if !username.contains(':') => {
                Self::Basic { username: username.clone(), password: password.clone() }
            }
            (Some(_), Some(_), None) => return Err("username must not contain a colon".to_owned()),
            (_, _, Some(_)) => return Err("set either token, or username and password".to_owned()),
            (Some(_), None, None) => return Err("username is set, password is missing".to_owned()),
            (None, Some(_), None) => return Err("password is set, username is missing".to_owned()),
        };
        credentials.header()?;
        Ok(credentials)
    }

    /// The `Authorization` that presents them; `None` for anonymous. Marked sensitive, so that it is never shown.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, String> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Basic { username, password } => {
                let password = password.resolve().map_err(|missing| format!("password: {missing}"))?;
                let pair = format!("{username}:{}", password.expose_secret());
                authorization("Basic", &STANDARD.encode(pair)).map(Some)
            }
            Self::Token(token) => {
                let token = token.resolve().map_err(|missing| format!("token: {missing}"))?;
                authorization("Bearer", token.expose_secret()).map(Some)
            }
        }
    }

    /// What an operator should look at when these were refused.
    pub(crate) fn remedy(&self, registry: &str) -> String {
        match self {
            Self::Anonymous => format!(
                "it may not exist, or it needs credentials: set registries.{registry}.username and \
                 registries.{registry}.password"
            ),
            Self::Basic { username, .. } => format!(
                "the credentials of user {username:?} were refused: check registries.{registry}.username and \
                 registries.{registry}.password, and that this user may pull it"
            ),
            Self::Token(_) => format!("the token was refused: check registries.{registry}.token"),
        }
    }
}

/// `Authorization: SCHEME VALUE`, marked sensitive.
pub(crate) fn authorization(scheme: &str, value: &str) -> Result<HeaderValue, String> {
    let header = HeaderValue::from_str(&format!("{scheme} {value}"));
    let mut header = header.map_err(|_| "a token holds characters that no header may carry".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretString;

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::Value(SecretString::from(text.to_owned())))
    }

    #[test]
    fn half_a_login_is_an_error_that_names_the_other_half() {
        let config = RegistryConfig { username: Some("ci".to_owned()), ..RegistryConfig::anonymous("r.example") };
        assert!(Credentials::from_config(&config).unwrap_err().contains("password is missing"));
        let config = RegistryConfig { password: secret("x"), token: secret("y"), ..config };
        assert!(Credentials::from_config(&config).unwrap_err().contains("either token"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let config = RegistryConfig {
            username: Some("ci".to_owned()),
            password: secret("hunter2"),
            ..RegistryConfig::anonymous("r.example")
        };
        let credentials = Credentials::from_config(&config).unwrap();
        let header = credentials.header().unwrap().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic Y2k6aHVudGVyMg==");
        let shown = format!("{credentials:?} {header:?} {}", credentials.remedy("r"));
        assert!(!shown.contains("hunter2") && !shown.contains("Y2k6"), "{shown}");
    }
}
