//! Predictions for files that are in no split.

use std::path::PathBuf;

use luthier_data::{Chain, Limits, SampleKey, picture::decode_file, transforms::Scratch};
use serde::Serialize;

use crate::TrainError;
use crate::evaluate::probabilities;
use crate::feed::pictures;
use crate::runner::Runner;

/// What the model says about one file.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    /// The file
    pub path: PathBuf,
    /// Probability of each class, or why the file could not be read
    pub result: Result<Vec<f32>, String>,
}

impl Runner {
    /// Probabilities for pictures, with the recipe's evaluation chain. A file that cannot be read is an answer, not an
    /// error.
    pub fn predict(&self, files: &[PathBuf]) -> Result<Vec<Prediction>, TrainError> {
        let data = &self.plan.recipe.data;
        let chain = Chain::new(&data.transform.eval)?;
        let (height, width) = chain.output_size()?;
        let limits = Limits { max_megapixels: data.max_megapixels };
        let mut scratch = Scratch::default();
        let mut predictions = Vec::new();
        let per_batch = usize::try_from(self.plan.recipe.train.batch_size).unwrap_or(1).max(1);
        for part in files.chunks(per_batch) {
            let each = height as usize * width as usize * 3;
            let mut pixels = Vec::with_capacity(part.len() * each);
            let mut read = Vec::new();
            for path in part {
                match decode_file(path, limits) {
                    Ok(picture) => {
                        let start = pixels.len();
                        pixels.resize(start + each, 0.0);
                        let key = SampleKey { seed: self.plan.recipe.seed, epoch: 0, index: 0, view: 0 };
                        chain.apply(&picture, key, &mut scratch, &mut pixels[start..])?;
                        read.push(None);
                    }
                    Err(error) => read.push(Some(error.to_string())),
                }
            }
            let good = read.iter().filter(|why| why.is_none()).count();
            let mut rows = if good == 0 {
                Vec::new()
            } else {
                let shape = [good as i64, i64::from(height), i64::from(width), 3];
                let input = pictures(&pixels, shape)?.f_to_device(self.device)?;
                tch::no_grad(|| probabilities(&self.forward(&input, false)?))?
            }
            .into_iter();
            for (path, why) in part.iter().zip(read) {
                let result = match why {
                    None => rows.next().ok_or_else(|| "the model gave no answer".to_string()),
                    Some(why) => Err(why),
                };
                predictions.push(Prediction { path: path.clone(), result });
            }
        }
        Ok(predictions)
    }
}
