//! Whether what a model gives fits what is learned.

use luthier_plan::PlanError;
use luthier_recipe::{Loss, Recipe, Task};

/// Refuses outputs that no arithmetic could compare with the classes or targets. Notes what is odd about the others.
///
/// `wanted` is the number of classes, or of target columns; `head` the layer that makes the outputs.
pub(crate) fn check(
    recipe: &Recipe,
    wanted: u64,
    outputs: i64,
    head: &str,
) -> Result<Vec<String>, PlanError> {
    let outputs = outputs.unsigned_abs();
    let key = if head.is_empty() { "model.layers".to_owned() } else { format!("model.layers[{head}]") };
    if recipe.task == Task::Regression {
        if outputs == wanted {
            return Ok(Vec::new());
        }
        let columns = if wanted == 1 { "target column" } else { "target columns" };
        let what = format!("the model gives {outputs} numbers for {wanted} {columns}");
        return Err(PlanError::at(key, what).help("end with `{ linear = \"targets\" }`"));
    }
    let softmax_loss = matches!(recipe.loss, Loss::CrossEntropy { .. });
    let two = outputs == 1 && wanted <= 2 && !softmax_loss;
    if outputs < wanted && !two {
        let what = format!("the model gives {outputs} numbers for {wanted} classes");
        let help = if wanted == 2 && softmax_loss {
            "end with `{ linear = \"classes\" }`; one output tells two classes apart with `loss.type = \"bce\"`"
        } else {
            "end with `{ linear = \"classes\" }`"
        };
        return Err(PlanError::at(key, what).help(help));
    }
    if outputs > wanted {
        return Ok(vec![format!(
            "the model gives {outputs} numbers for {wanted} classes: the last {} are never right",
            outputs - wanted
        )]);
    }
    Ok(Vec::new())
}
