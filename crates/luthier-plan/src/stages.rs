//! Which parameters train when.

use luthier_recipe::Stage;

use crate::{Length, Patterns, Plan, PlanError, StagePlan, TensorPlan};

/// The stages of a run; one that takes it whole where the recipe has none.
///
/// # Errors
/// A pattern matches nothing that the model trains, or a stage trains nothing.
pub fn plan(stages: &[Stage], length: &Length, tensors: &[TensorPlan]) -> Result<Vec<StagePlan>, PlanError> {
    if stages.is_empty() {
        let whole = StagePlan {
            name: String::new(),
            first_epoch: 0,
            epochs: length.epochs,
            lr_scale: 1.0,
            resting: Vec::new(),
            prefix: None,
        };
        return Ok(vec![whole]);
    }
    let mut planned = Vec::with_capacity(stages.len());
    let mut first_epoch = 0;
    for (index, stage) in stages.iter().enumerate() {
        let resting = resting(stage, &format!("stages[{index}]"), tensors)?;
        if tensors.iter().filter(|tensor| tensor.trainable).count() == resting.len() {
            let what = format!("stage `{}` trains nothing", stage.name);
            return Err(PlanError::at(format!("stages[{index}].freeze"), what)
                .help("freeze fewer parameters, or name some in `train`"));
        }
        planned.push(StagePlan {
            name: stage.name.clone(),
            first_epoch,
            epochs: stage.epochs,
            lr_scale: stage.lr_scale,
            resting,
            prefix: None,
        });
        first_epoch += stage.epochs;
    }
    Ok(planned)
}

/// Tensors that the model trains and this stage does not.
fn resting(stage: &Stage, key: &str, tensors: &[TensorPlan]) -> Result<Vec<usize>, PlanError> {
    let (patterns, key, trains) = if stage.train.is_empty() {
        (&stage.freeze, format!("{key}.freeze"), false)
    } else {
        (&stage.train, format!("{key}.train"), true)
    };
    let matcher = Patterns::over_trained(patterns, &key, tensors)?;
    let trainable = || tensors.iter().enumerate().filter(|(_, tensor)| tensor.trainable);
    // without a pattern, everything trains
    let trained = |tensor: &TensorPlan| matcher.first(&tensor.name).is_some() == trains;
    Ok(trainable().filter(|(_, tensor)| !trained(tensor)).map(|(index, _)| index).collect())
}

/// Multiplies the factor of every update by its stage's.
pub fn scale(stages: &[StagePlan], length: &Length, factors: &mut [f64]) {
    for stage in stages {
        let updates = |epochs: u64| (epochs * length.updates_per_epoch) as usize;
        let (first, end) = (updates(stage.first_epoch), updates(stage.first_epoch + stage.epochs));
        for factor in factors.iter_mut().take(end).skip(first) {
            *factor *= stage.lr_scale;
        }
    }
}

impl Plan {
    /// Index of the stage that an epoch belongs to; the last for an epoch after the end.
    pub fn stage_of(&self, epoch: u64) -> usize {
        let after = |stage: &StagePlan| epoch < stage.first_epoch + stage.epochs;
        self.stages.iter().position(after).unwrap_or(self.stages.len().saturating_sub(1))
    }
}
