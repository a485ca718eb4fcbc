use luthier_plan::{GroupPlan, ModelPlan, Plan, Role, TensorPlan};

use super::{Page, words};
use crate::text::{self, Align};

/// With more blocks than this, blocks that share their first name are one line.
const MOST_BLOCKS: usize = 28;
/// How many names of a list are given.
const MOST_NAMES: usize = 6;

/// The parameter table, and what loading the weights did.
pub fn model(page: &mut Page, model: &ModelPlan, groups: &[GroupPlan], verbose: u8) {
    page.section("Model", &format!("{}, weights `{}`", model.arch, model.weights));
    loading(page, model);
    if verbose > 0 {
        tensors(page, model, groups);
    } else {
        blocks(page, model, groups);
    }
    let (all, trained) = model.tensors.iter().filter(|tensor| tensor.role != Role::Buffer).fold(
        (0, 0),
        |(all, trained), tensor| {
            let scalars = scalars(tensor);
            (all + scalars, trained + if tensor.trainable { scalars } else { 0 })
        },
    );
    let share = if all == 0 { 0.0 } else { trained as f64 / all as f64 };
    page.line(&format!(
        "{} parameters, {} trained ({})",
        text::short(all),
        text::short(trained),
        text::percent(share)
    ));
}

fn loading(page: &mut Page, model: &ModelPlan) {
    let Some(load) = &model.load else {
        page.quiet("random weights");
        return;
    };
    let mut line = format!("{} loaded", text::count(load.matched as u64, "tensor", "tensors"));
    if !load.head.is_empty() {
        line.push_str(&format!("; the head starts random: {}", names(&load.head)));
    }
    page.quiet(&line);
    for (what, list) in [("not in the file", &load.missing), ("not in the model", &load.unexpected)] {
        if !list.is_empty() {
            page.line(&format!("{what}: {}", names(list)));
        }
    }
    for (name, file, model) in load.wrong_shape.iter().take(MOST_NAMES) {
        let times = page.look.sign("×", "x");
        page.line(&format!(
            "`{name}` is {} in the file and {} in the model",
            words::shape(file, times),
            words::shape(model, times)
        ));
    }
}

fn names(list: &[String]) -> String {
    let mut names: Vec<String> = list.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    if let Some(more) = list.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

fn scalars(tensor: &TensorPlan) -> u64 {
    tensor.shape.iter().map(|size| size.unsigned_abs()).product()
}

/// Parameters of one block: neighbours whose names begin alike.
struct Block<'a> {
    name: String,
    parameters: Vec<&'a TensorPlan>,
}

fn blocks(page: &mut Page, model: &ModelPlan, groups: &[GroupPlan]) {
    let mut blocks = gather(model, block_name);
    if blocks.len() > MOST_BLOCKS {
        blocks = gather(model, |name| name.split('.').next().unwrap_or(name));
    }
    let mut rows = vec![["block", "tensors", "scalars", "lr"].map(|title| page.dim(title)).to_vec()];
    for block in &blocks {
        let count: u64 = block.parameters.iter().map(|tensor| scalars(tensor)).sum();
        let shape = match block.parameters.as_slice() {
            [one] => words::shape(&one.shape, page.look.sign("×", "x")),
            [weight, bias] if weight.role == Role::Weight && bias.role == Role::Bias => {
                format!("{} + bias", words::shape(&weight.shape, page.look.sign("×", "x")))
            }
            _ => String::new(),
        };
        let rate = rates(page, &block.parameters, groups);
        let tensors = block.parameters.len().to_string();
        rows.push(vec![block.name.clone(), tensors, text::grouped(count), rate, page.dim(&shape)]);
    }
    page.table(&rows, &[Align::Left, Align::Right, Align::Right, Align::Left, Align::Left]);
}

/// Learning rate of a block's tensors: one number, or from the lowest to the highest.
fn rates(page: &Page, parameters: &[&TensorPlan], groups: &[GroupPlan]) -> String {
    let mut rates: Vec<f64> = parameters
        .iter()
        .filter_map(|tensor| tensor.group.and_then(|group| groups.get(group)).map(|group| group.lr))
        .collect();
    rates.sort_by(f64::total_cmp);
    let frozen = parameters.iter().any(|tensor| !tensor.trainable);
    match (rates.first(), rates.last()) {
        (Some(low), Some(high)) => {
            let mut text = text::number(*low);
            if low != high {
                text.push_str(&format!(" to {}", text::number(*high)));
            }
            if frozen { format!("{text}, some frozen") } else { text }
        }
        _ => page.dim("frozen"),
    }
}

fn gather<'a>(model: &'a ModelPlan, name_of: impl Fn(&'a str) -> &'a str) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    for tensor in model.tensors.iter().filter(|tensor| tensor.role != Role::Buffer) {
        let name = name_of(&tensor.name);
        match blocks.last_mut().filter(|block| block.name == name) {
            Some(block) => block.parameters.push(tensor),
            None => blocks.push(Block { name: name.to_owned(), parameters: vec![tensor] }),
        }
    }
    blocks
}

/// `layer1.0.conv1.weight` → `layer1.0`, `blocks.3.1._bn0.bias` → `blocks.3.1`, `fc.weight` → `fc`: the first name and
/// the numbers after it.
fn block_name(name: &str) -> &str {
    let mut end = name.find('.').unwrap_or(name.len());
    while let Some(part) = name.get(end + 1..).and_then(|rest| rest.split('.').next()) {
        let more = end + 1 + part.len();
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) || more == name.len() {
            break;
        }
        end = more;
    }
    name.get(..end).unwrap_or(name)
}

fn tensors(page: &mut Page, model: &ModelPlan, groups: &[GroupPlan]) {
    let titles = ["tensor", "shape", "type", "role", "scalars", "lr", "weight decay"];
    let mut rows = vec![titles.map(|title| page.dim(title)).to_vec()];
    for tensor in &model.tensors {
        let role = match tensor.role {
            Role::Weight => "weight",
            Role::Bias => "bias",
            Role::Norm => "norm",
            Role::Buffer => "buffer",
        };
        let group = tensor.group.and_then(|group| groups.get(group));
        let (rate, decay) = match group {
            Some(group) => (text::number(group.lr), text::number(group.weight_decay)),
            None if tensor.role == Role::Buffer => (String::new(), String::new()),
            None => (page.dim("frozen"), String::new()),
        };
        let shape = words::shape(&tensor.shape, page.look.sign("×", "x"));
        let count = text::grouped(scalars(tensor));
        rows.push(vec![
            tensor.name.clone(),
            shape,
            tensor.dtype.clone(),
            role.to_owned(),
            count,
            rate,
            decay,
        ]);
    }
    let align =
        [Align::Left, Align::Left, Align::Left, Align::Left, Align::Right, Align::Right, Align::Right];
    page.table(&rows, &align);
}

/// The update rule and the groups.
pub fn optimizer(page: &mut Page, plan: &Plan) {
    let (name, arguments) = words::call(&plan.recipe.optim.rule, "type");
    page.section("Optimizer", &format!("{name}  {}", page.dim(&arguments)));
    let titles = ["group", "lr", "weight decay", "tensors", "scalars"];
    let mut rows = vec![titles.map(|title| page.dim(title)).to_vec()];
    for group in &plan.groups {
        rows.push(vec![
            group.name.clone(),
            text::number(group.lr),
            text::number(group.weight_decay),
            group.tensors.to_string(),
            text::grouped(group.scalars),
        ]);
    }
    page.table(&rows, &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right]);
}

#[cfg(test)]
mod tests {
    use super::block_name;

    #[test]
    fn a_block_is_the_first_name_and_its_numbers() {
        for (name, block) in [
            ("conv1.weight", "conv1"),
            ("layer1.0.conv1.weight", "layer1.0"),
            ("blocks.3.1._bn0.bias", "blocks.3.1"),
            ("stem.0.weight", "stem.0"),
            ("scale", "scale"),
            ("list.0", "list"),
        ] {
            assert_eq!(block_name(name), block, "{name}");
        }
    }
}
