//! Predictions for files and texts that are in no split.

use std::path::{Path, PathBuf};

use luthier_data::{Chain, Limits, SampleKey, picture::decode_file, transforms::Scratch};
use luthier_model::{Input, Tokens};
use luthier_plan::streams;
use serde::Serialize;
use tch::Tensor;

use crate::answer;
use crate::feed::pictures;
use crate::head_loss::HeadLoss;
use crate::runner::Runner;
use crate::{TrainError, rows, texts};

/// What the model says about one file.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    /// The file
    pub path: PathBuf,
    /// Probability of each class of each of [`Runner::known_heads`], or why the file could not be read
    pub result: Result<Vec<Vec<f32>>, String>,
}

/// A head, and what it tells apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownHead {
    /// Its name; empty where there is one
    pub name: String,
    /// Class names in label order
    pub classes: Vec<String>,
}

/// What the model says about one text.
#[derive(Debug, Clone, Serialize)]
pub struct TextPrediction {
    /// The text
    pub text: String,
    /// Tokens of it that were used
    pub tokens: usize,
    /// Probability of each class; none for a text without a token
    pub probabilities: Option<Vec<f32>>,
}

/// What the model says about one row of a table.
#[derive(Debug, Clone, Serialize)]
pub struct RowPrediction {
    /// Line of the row, or its number in a Parquet file; the first is 1
    pub line: u64,
    /// Probability of each class, or the targets of a regression in their own units; or why the row can't be used
    pub result: Result<Vec<f64>, String>,
}

impl Runner {
    /// Answers for the rows of a file with the feature columns of the training table; targets are not looked at.
    pub fn predict_rows(&self, path: &Path) -> Result<Vec<RowPrediction>, TrainError> {
        let Some(table) = &self.plan.table else {
            return Err(TrainError::State("the run has no table".into()));
        };
        let (lines, x, bad) = rows::read_rows(&self.plan, table, path)?;
        let width = i64::try_from(table.width()).unwrap_or(i64::MAX);
        let x = Tensor::f_from_slice(&x)?.f_view([lines.len() as i64, width])?.f_to_device(self.device)?;
        let per_batch = i64::try_from(self.plan.recipe.train.batch_size).unwrap_or(1).max(1);
        let mut predictions = Vec::with_capacity(lines.len());
        for (part, start) in lines.chunks(per_batch as usize).zip((0..).step_by(per_batch as usize)) {
            let input = Input::Rows(x.f_narrow(0, start, part.len() as i64)?);
            let answers = tch::no_grad(|| {
                let outputs = self.forward_input(&input, false)?;
                if table.targets.is_empty() { self.probabilities(&outputs) } else { answer::rows(&outputs) }
            })?;
            for (line, row) in part.iter().zip(answers) {
                let mut numbers: Vec<f64> = row.into_iter().map(f64::from).collect();
                for (number, target) in numbers.iter_mut().zip(&table.targets) {
                    *number = target.scale.undo(*number);
                }
                predictions.push(RowPrediction { line: *line, result: Ok(numbers) });
            }
        }
        predictions.extend(bad.into_iter().map(|(line, why)| RowPrediction { line, result: Err(why) }));
        predictions.sort_by_key(|prediction| prediction.line);
        Ok(predictions)
    }

    /// Probability of each class, row by row.
    fn probabilities(&self, outputs: &Tensor) -> Result<Vec<Vec<f32>>, TrainError> {
        if self.plan.recipe.contrastive.is_some() {
            return Err(TrainError::NoAnswers);
        }
        let first = self.objective.first_outputs(outputs)?;
        answer::rows(&self.objective.first().probabilities(&first)?)
    }

    /// Probabilities for texts, and how many texts were longer than the run's `max_length` and cut. One that has no
    /// token, because it is empty, has no answer.
    pub fn predict_texts(&self, texts: &[String]) -> Result<(Vec<TextPrediction>, usize), TrainError> {
        let max_length = self.plan.text.as_ref().map_or(u64::MAX, |text| text.max_length);
        let (_, tokenizer) = texts::open(&self.plan.recipe, Path::new(&self.plan.base))?;
        let (ids, cut) = texts::encode(&tokenizer, max_length, texts)?;
        let per_batch = usize::try_from(self.plan.recipe.train.batch_size).unwrap_or(1).max(1);
        let known: Vec<usize> = (0..texts.len()).filter(|at| !ids[*at].is_empty()).collect();
        let mut answers = vec![None; texts.len()];
        for part in known.chunks(per_batch) {
            let mut packed = Tokens::pack(&part.iter().map(|at| &ids[*at]).collect::<Vec<_>>())?;
            packed.ids = packed.ids.f_to_device(self.device)?;
            let input = Input::Tokens(packed);
            let rows = tch::no_grad(|| self.probabilities(&self.forward_input(&input, false)?))?;
            for (at, row) in part.iter().zip(rows) {
                answers[*at] = Some(row);
            }
        }
        let zipped = texts.iter().zip(&ids).zip(answers);
        let answers = zipped
            .map(|((text, ids), probabilities)| TextPrediction {
                text: text.clone(),
                tokens: ids.len(),
                probabilities,
            })
            .collect();
        Ok((answers, cut))
    }

    /// The heads of the model, whatever stream trained them.
    pub fn known_heads(&self) -> Vec<KnownHead> {
        if self.plan.model.heads.is_empty() {
            return vec![KnownHead { name: String::new(), classes: self.plan.data.classes.clone() }];
        }
        let tasks = || streams::all(&self.plan).flat_map(|stream| &stream.data.tasks);
        let classes = |name: &String| {
            tasks().find(|task| task.head == *name).map(|task| task.classes.clone()).unwrap_or_default()
        };
        let heads = self.plan.model.heads.iter();
        heads.map(|(name, _)| KnownHead { name: name.clone(), classes: classes(name) }).collect()
    }

    /// Probability of each class of each head, sample by sample.
    fn of_all_heads(&self, input: &Input) -> Result<Vec<Vec<Vec<f32>>>, TrainError> {
        if self.plan.model.heads.is_empty() {
            let only = self.probabilities(&self.forward_input(input, false)?)?;
            return Ok(only.into_iter().map(|row| vec![row]).collect());
        }
        let outputs = self.forward_all_heads(input)?;
        let (mut all, mut first): (Vec<Vec<Vec<f32>>>, i64) = (Vec::new(), 0);
        for (name, classes) in &self.plan.model.heads {
            let count = i64::try_from(*classes).unwrap_or(i64::MAX);
            let loss =
                self.plan.recipe.model.heads.get(name).map(|head| head.loss.clone()).unwrap_or_default();
            let loss = HeadLoss::new(&loss, &[], count as usize, count, self.device);
            let own = outputs.f_narrow(1, first, count)?;
            let rows = answer::rows(&loss.probabilities(&own)?)?;
            all.resize_with(rows.len(), Vec::new);
            all.iter_mut().zip(rows).for_each(|(sample, row)| sample.push(row));
            first += count;
        }
        Ok(all)
    }

    /// Probabilities for pictures, with the recipe's evaluation chain. A file that cannot be read is an answer, not an
    /// error.
    pub fn predict(&self, files: &[PathBuf]) -> Result<Vec<Prediction>, TrainError> {
        let data = &self.plan.recipe.data;
        let chain = Chain::new(data.eval_transform())?;
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
                let input = Input::Pictures(input);
                tch::no_grad(|| self.of_all_heads(&input))?
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
