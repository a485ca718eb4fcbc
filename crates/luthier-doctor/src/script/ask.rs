//! What rules ask of a script.

use super::{Call, Loop, Scope, Script};

/// The last part of a dotted name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Schedules of `torch.optim.lr_scheduler` and of `transformers`.
const SCHEDULES: &[&str] = &[
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "LinearLR",
    "PolynomialLR",
    "OneCycleLR",
    "CyclicLR",
    "ReduceLROnPlateau",
    "LambdaLR",
    "SequentialLR",
    "get_scheduler",
    "get_linear_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_constant_schedule_with_warmup",
];

/// Optimizers of `torch.optim` and of what people use beside it.
const OPTIMIZERS: &[&str] = &[
    "SGD",
    "Adam",
    "AdamW",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "NAdam",
    "RAdam",
    "LBFGS",
    "Lion",
    "LAMB",
    "Adafactor",
];

impl Call {
    /// The name of what is called, without what it belongs to.
    pub fn short(&self) -> &str {
        last(&self.callee)
    }

    /// What the method is called of: `optimizer` of `optimizer.step`.
    pub fn of(&self) -> &str {
        self.callee.rsplit_once('.').map_or("", |(of, _)| of)
    }

    /// The text of an argument, by keyword or by place.
    pub fn arg(&self, name: &str, at: usize) -> Option<&str> {
        let named = self.args.iter().find(|arg| arg.name.as_deref() == Some(name));
        let placed = || self.args.get(at).filter(|arg| arg.name.is_none());
        named.or_else(placed).map(|arg| arg.text.as_str())
    }

    /// It makes an optimizer.
    pub fn is_optimizer(&self) -> bool {
        OPTIMIZERS.contains(&self.short()) && !self.args.is_empty() && !self.to.is_empty()
    }

    /// It makes a schedule of the learning rate.
    pub fn is_schedule(&self) -> bool {
        SCHEDULES.contains(&self.short()) && !self.to.is_empty()
    }
}

impl Loop {
    /// It counts epochs.
    pub fn counts_epochs(&self) -> bool {
        let words = format!("{} {}", self.target, self.over).to_lowercase();
        words.contains("epoch") && (self.over.contains("range(") || self.target.is_empty())
    }
}

impl Script {
    /// Calls that make optimizers.
    pub fn optimizers(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.is_optimizer())
    }

    /// The call that made what a name stands for, the last one before others of it.
    pub fn made(&self, name: &str, kind: fn(&Call) -> bool) -> Option<&Call> {
        let same = |call: &&Call| call.to.iter().any(|to| to == name || last(to) == last(name));
        self.calls.iter().filter(|call| kind(call)).find(same)
    }

    /// Calls of `optimizer.step()`: of something that was made an optimizer, or is called one.
    pub fn updates(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| {
            let known = || self.made(call.of(), Call::is_optimizer).is_some();
            let named = || last(call.of()).to_lowercase().contains("optim");
            match call.short() {
                "step" if call.of().to_lowercase().contains("scaler") => !call.args.is_empty(),
                "step" => known() || named(),
                _ => false,
            }
        })
    }

    /// Calls of `loss.backward()`.
    pub fn backwards(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.short() == "backward")
    }

    /// The loop that a piece of code stands in directly.
    pub fn inner_loop(&self, scope: &Scope) -> Option<usize> {
        scope.loops.last().copied()
    }

    /// Whether a loop goes over batches: it trains or looks at data, and does not count epochs.
    pub fn over_batches(&self, index: usize) -> bool {
        let Some(this) = self.loops.get(index) else { return false };
        !this.counts_epochs()
    }

    /// Loops over batches in which a backward pass is made.
    pub fn training_loops(&self) -> Vec<usize> {
        let loops = self.backwards().filter_map(|call| self.inner_loop(&call.scope));
        let mut loops: Vec<usize> = loops.filter(|index| self.over_batches(*index)).collect();
        loops.sort_unstable();
        loops.dedup();
        loops
    }

    /// Calls that stand in a loop, inner ones included.
    pub fn within(&self, index: usize) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.scope.loops.contains(&index))
    }

    /// A number that a text stands for: itself, a name that was given one, or the default of an option.
    pub fn number(&self, text: &str) -> Option<f64> {
        literal(text).or_else(|| {
            let given: Vec<f64> = self
                .assigned
                .iter()
                .filter(|assigned| assigned.name == text && !assigned.added)
                .filter_map(|assigned| literal(&assigned.value))
                .collect();
            match given[..] {
                [one] => Some(one),
                [] => self.option(text),
                _ => None,
            }
        })
    }

    /// The default of `args.lr`, from `add_argument("--lr", default=…)`.
    fn option(&self, text: &str) -> Option<f64> {
        let (of, name) = text.rsplit_once('.')?;
        let options = ["args", "opt", "opts", "config", "cfg", "FLAGS"];
        if !options.contains(&of) {
            return None;
        }
        let flag = |call: &&Call| {
            call.short() == "add_argument"
                && call.args.iter().any(|arg| {
                    let word = arg.text.trim_matches(['"', '\'']).trim_start_matches('-');
                    arg.name.is_none() && word.replace('-', "_") == name
                })
        };
        literal(self.calls.iter().find(flag)?.arg("default", usize::MAX)?)
    }

    /// The script begins with weights that were trained before.
    pub fn pretrained(&self) -> Option<&Call> {
        self.calls.iter().find(|call| {
            let named = |name: &str| call.args.iter().find(|arg| arg.name.as_deref() == Some(name));
            let on = named("pretrained").is_some_and(|arg| arg.text == "True");
            let weights =
                named("weights").is_some_and(|arg| arg.text != "None" && !arg.text.contains("class"));
            let model = weights && !call.short().contains("Loss") && !call.short().contains("Sampler");
            // tokenizers and the like have no weights
            let other = ["Tokenizer", "Processor", "FeatureExtractor", "Config"];
            let hub = call.short() == "from_pretrained" && !other.iter().any(|word| call.of().contains(word));
            hub || on || model || call.short() == "get_peft_model"
        })
    }
}

/// A number as Python writes it.
fn literal(text: &str) -> Option<f64> {
    let text = text.trim().replace('_', "");
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if plain {
        return text.parse().ok();
    }
    // `10**-3`, `3 * 1e-4`
    if let Some((base, power)) = text.split_once("**") {
        return Some(literal(base)?.powf(literal(power)?));
    }
    let (a, b) = text.split_once('*')?;
    Some(literal(a)? * literal(b)?)
}
