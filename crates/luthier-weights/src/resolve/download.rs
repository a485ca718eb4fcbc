//! Fetching from the hub into the cache, with the hub's own client.

use super::{
    Places,
    hub::{Model, shards_of},
};
use crate::{error::WeightsError, shards::CANDIDATES};
use hf_hub::{
    Cache, Repo, RepoType,
    api::sync::{ApiBuilder, ApiError, ApiRepo},
};
use std::path::PathBuf;

const RETRIES: usize = 3;

/// Downloads the model's best form of weights, its `config.json` and the files of its tokenizer.
pub(super) fn download(model: &Model, places: &Places) -> Result<(), WeightsError> {
    let mut builder = ApiBuilder::from_cache(Cache::new(places.hub.clone()))
        .with_token(places.token.clone())
        .with_progress(false)
        .with_retries(RETRIES);
    if let Some(endpoint) = &places.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let failed = |error| explain(model, places, &error);
    let api = builder.build().map_err(failed)?;
    let repo = api.repo(Repo::with_revision(model.name.clone(), RepoType::Model, model.revision.clone()));

    let files: Vec<String> =
        repo.info().map_err(failed)?.siblings.into_iter().map(|file| file.rfilename).collect();
    let Some(best) = CANDIDATES.into_iter().find(|name| files.iter().any(|file| file == name)) else {
        return Err(WeightsError::HubRefused {
            repo: model.shown(),
            why: format!("it has none of `{}`", CANDIDATES.join("`, `")),
        });
    };
    let get = |name: &str| fetch(&repo, model, name).map_err(failed);
    let beside = ["config.json"].into_iter().chain(super::TOKENIZER_FILES);
    for name in beside.filter(|name| files.iter().any(|file| file == name)) {
        get(name)?;
    }
    for shard in shards_of(&get(best)?)? {
        get(&shard)?;
    }
    Ok(())
}

fn fetch(repo: &ApiRepo, model: &Model, name: &str) -> Result<PathBuf, ApiError> {
    tracing::info!(model = model.shown(), file = name, "fetching from the hub");
    repo.get(name)
}

fn explain(model: &Model, places: &Places, error: &ApiError) -> WeightsError {
    let refused = |why: &str| WeightsError::HubRefused { repo: model.shown(), why: why.to_owned() };
    match status(error) {
        Some(401) if places.token.is_none() => refused("it does not exist, or wants a token"),
        Some(401) => refused("it does not exist, or the token is not valid"),
        Some(403) => refused("the token's account has no access to it"),
        Some(404) => refused("it does not exist"),
        _ => model.missing(places, &format!("the hub could not be reached: {error}")),
    }
}

fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(code) => Some(code),
            _ => None,
        },
        ApiError::TooManyRetries(error) => status(error),
        _ => None,
    }
}
