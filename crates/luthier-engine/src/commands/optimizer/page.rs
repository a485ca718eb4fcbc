//! Opened optimizers as a page to read.

use luthier::show::words;
use luthier::text::{Align, count, number, table};
use luthier::voice::Look;
use luthier_train::{OpenedOptimizer, Remembered};

use super::{Opened, group_of};

/// The page: for each optimizer its defaults, its groups, and every tensor.
pub fn of(opened: &Opened, look: &Look) -> String {
    let updates = opened.plan.length.updates;
    let mut text = format!("after update {} of {updates}\n", opened.update);
    for optimizer in &opened.optimizers {
        text += &format!("\n{}", one(opened, optimizer, look));
    }
    text
}

fn one(opened: &Opened, optimizer: &OpenedOptimizer, look: &Look) -> String {
    let plan = opened.plan_of(&optimizer.stream);
    let (rule, arguments) = words::call(&plan.recipe.optim.rule, "type");
    let stream =
        if optimizer.stream.is_empty() { String::new() } else { format!(" of stream {}", optimizer.stream) };
    let steps = count(optimizer.steps, "update done", "updates done");
    let mut text = format!("{rule}{stream}, {steps}\n  {arguments}\n\nparam_groups\n");
    let mut rows = vec![["", "lr", "base lr", "weight decay", "tensors"].map(str::to_owned).to_vec()];
    for group in &plan.groups {
        rows.push(vec![
            group.name.clone(),
            number(group.lr * optimizer.factor),
            number(group.lr),
            number(group.weight_decay),
            group.tensors.to_string(),
        ]);
    }
    text += &table(&rows, &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right], "  ");
    text += "\nstate\n";
    text += &states(opened, optimizer, look);
    text
}

/// One tensor a line: norms of its values, its last gradient, its last step, and of what is remembered of it.
fn states(opened: &Opened, optimizer: &OpenedOptimizer, look: &Look) -> String {
    let kinds: Vec<&str> = optimizer
        .tensors
        .first()
        .map(|first| first.state.iter().map(|state| state.kind).collect())
        .unwrap_or_default();
    let plan = opened.plan_of(&optimizer.stream);
    let titles = ["", "group", "norm", "gradient", "step", "step/norm"].map(str::to_owned);
    let mut rows =
        vec![titles.into_iter().chain(kinds.iter().map(|kind| title(kind, look))).collect::<Vec<_>>()];
    let absent = look.sign("–", "-").to_owned();
    let figure = |value: Option<f64>| value.map_or_else(|| absent.clone(), number);
    for tensor in &optimizer.tensors {
        let seen = opened.seen(&optimizer.stream, &tensor.name);
        let ratio = seen.map(|seen| seen.update / seen.norm).filter(|ratio| ratio.is_finite());
        let mut row = vec![
            tensor.name.clone(),
            group_of(plan, &tensor.name).unwrap_or_default().to_owned(),
            number(tensor.norm),
            figure(seen.map(|seen| seen.grad)),
            figure(seen.map(|seen| seen.update)),
            figure(ratio),
        ];
        row.extend(
            tensor.state.iter().map(|state| number(comparable(tensor, state.kind, state.norm, state.mean))),
        );
        rows.push(row);
    }
    let mut align = vec![Align::Right; rows[0].len()];
    align[..2].fill(Align::Left);
    let mut text = table(&rows, &align, "  ");
    text += "\n  norms are L2 over all elements of a tensor; gradient and step are this update's, before clipping";
    text += if kinds.iter().any(|kind| is_square(kind)) {
        ";\n  averages of squares are told by the root of their sum, which is the gradient that they stand for\n"
    } else {
        "\n"
    };
    text
}

/// Averages of squared gradients; `torch.optim` calls them so.
fn is_square(kind: &str) -> bool {
    kind == "exp_avg_sq" || kind == "square_avg"
}

fn title(kind: &str, look: &Look) -> String {
    if is_square(kind) { format!("{}{kind}", look.sign("√", "sqrt ")) } else { kind.to_owned() }
}

/// What is remembered, on the scale of the gradient's norm.
fn comparable(tensor: &Remembered, kind: &str, norm: f64, mean: f64) -> f64 {
    if is_square(kind) { (mean * tensor.elements as f64).max(0.0).sqrt() } else { norm }
}
