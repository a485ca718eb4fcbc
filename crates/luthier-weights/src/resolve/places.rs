//! Where caches are, as the environment says.

use std::path::PathBuf;

/// Caches, and how to reach the hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Places {
    /// The hub cache, shared with `huggingface_hub`: `models--owner--name/snapshots/…`.
    pub hub: PathBuf,
    /// The hub's address, where it is not the public one.
    pub endpoint: Option<String>,
    /// For private and gated models.
    pub token: Option<String>,
    /// Whether the network must not be used.
    pub offline: bool,
    /// Weights from packages: a folder for each package.
    pub packages: PathBuf,
}

// by hand: a token must not end up in a log
impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places")
            .field("hub", &self.hub)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .field("packages", &self.packages)
            .finish()
    }
}

impl Places {
    /// As the environment says, with the variables that `huggingface_hub` uses: `HF_HUB_CACHE`, `HF_HOME`,
    /// `HF_ENDPOINT`, `HF_TOKEN` (or the token file, at `HF_TOKEN_PATH`), `HF_HUB_OFFLINE`; and
    /// `XDG_CACHE_HOME`.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// As [`Places::from_env`], with variables given.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Self {
        let get =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let path = |name: &str| get(name).map(PathBuf::from);
        let home = path("HOME").or_else(|| path("USERPROFILE")).unwrap_or_default();
        let cache = path("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
        let hub_home = path("HF_HOME").unwrap_or_else(|| cache.join("huggingface"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| hub_home.join("token"));
        let from_file = || {
            let token = std::fs::read_to_string(token_file).ok()?.trim().to_owned();
            Some(token).filter(|token| !token.is_empty())
        };
        Self {
            hub: path("HF_HUB_CACHE").unwrap_or_else(|| hub_home.join("hub")),
            endpoint: get("HF_ENDPOINT").map(|address| address.trim_end_matches('/').to_owned()),
            token: get("HF_TOKEN").or_else(from_file),
            offline: get("HF_HUB_OFFLINE")
                .is_some_and(|value| matches!(&value.to_uppercase()[..], "1" | "ON" | "YES" | "TRUE")),
            packages: cache.join("luthier").join("weights"),
        }
    }
}
