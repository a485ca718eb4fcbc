//! The layers that a recipe lists, one after the other, with the names of `torch.nn.Sequential`: `0.weight`, `0.bias`.

mod init;
mod layer;
mod shapes;

use crate::spec::{Shape, Stack};
use crate::{Builder, Flow, Input, ModelError, Network, Part};

use layer::Module;

/// Layers in order. Each is a part of its own, so that its activations can be looked at.
pub(crate) struct Sequential {
    parts: Vec<Part>,
    modules: Vec<Module>,
    input: Shape,
    outputs: i64,
    head: String,
}

impl Sequential {
    pub(crate) fn new(mut place: Builder<'_>, stack: &Stack, classes: i64) -> Result<Self, ModelError> {
        let mut shape = stack.input;
        let (mut parts, mut modules, mut head) = (Vec::new(), Vec::new(), String::new());
        for (index, asked) in stack.layers.iter().enumerate() {
            let kind = shapes::kind(asked, index)?;
            let after = shapes::after(kind, shape, classes, index)?;
            let module = Module::new(place.at(index), kind, shape, after, &stack.init)?;
            if module.has_weights() {
                head = index.to_string();
            }
            parts.push(Part::layer(&index.to_string(), module.noisy()));
            modules.push(module);
            shape = after;
        }
        if let Some(act) = stack.output.act() {
            parts.push(Part::layer(&stack.layers.len().to_string(), false));
            modules.push(Module::Act(act));
        }
        let outputs = shapes::outputs(shape, stack.layers.len())?;
        Ok(Self { parts, modules, input: stack.input, outputs, head })
    }
}

impl Network for Sequential {
    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        let (x, wanted) = match (input, self.input) {
            (Input::Rows(x), Shape::Row(width)) => (x, vec![width]),
            (Input::Pictures(x), Shape::Picture(channels, height, width)) => {
                (x, vec![channels, height, width])
            }
            (_, Shape::Row(_)) => {
                return Err(ModelError::OtherInput { wants: "rows of a table", given: input.kind() });
            }
            _ => return Err(ModelError::OtherInput { wants: "pictures", given: input.kind() }),
        };
        let found = x.size();
        if found.first().is_none_or(|batch| *batch < 1) || found.get(1..) != Some(wanted.as_slice()) {
            return Err(ModelError::SampleShape { wanted, found });
        }
        Ok(Flow::plain(x.shallow_clone()))
    }

    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        match self.modules.get(part) {
            Some(module) => Ok(flow.with(module.forward(&flow.hidden, train)?)),
            None => Err(ModelError::NoLayers),
        }
    }

    fn outputs(&self) -> Option<(i64, String)> {
        Some((self.outputs, self.head.clone()))
    }
}
