//! What makes embeddings of features: a linear layer, or MoCo v2's two, and further heads behind it.

use tch::Tensor;

use crate::layers::Linear;
use crate::{Builder, ModelError};

/// How embeddings are made of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectionSpec {
    /// A hidden layer with a ReLU before the last, as wide as the features
    pub mlp: bool,
    /// A head behind the last layer
    pub a: bool,
    /// A head behind that, or behind the last layer
    pub b: bool,
}

impl ProjectionSpec {
    /// A path through the heads as [`Flow::heads`](crate::Flow::heads) asks for it.
    pub fn path(a: bool, b: bool) -> usize {
        (usize::from(a) * THROUGH_A) | (usize::from(b) * THROUGH_B)
    }
}

const THROUGH_A: usize = 1;
const THROUGH_B: usize = 2;

/// Features to embeddings. The layers are called as in MoCo's checkpoints: `fc`, or `fc.0` and `fc.2`; the heads behind
/// them `fc.a` and `fc.b`.
#[derive(Debug)]
pub(crate) struct Projection {
    hidden: Option<Linear>,
    last: Linear,
    a: Option<Linear>,
    b: Option<Linear>,
}

impl Projection {
    /// `features` numbers to `dim`, below `name`.
    pub(crate) fn new(
        place: &mut Builder<'_>,
        name: &str,
        features: i64,
        dim: i64,
        spec: ProjectionSpec,
    ) -> Result<Self, ModelError> {
        let (hidden, last) = if spec.mlp {
            let mut place = place.at(name);
            let hidden = Linear::new(place.at(0), features, features)?;
            (Some(hidden), Linear::new(place.at(2), features, dim)?)
        } else {
            (None, Linear::new(place.at(name), features, dim)?)
        };
        let mut place = place.at(name);
        let a = spec.a.then(|| Linear::new(place.at("a"), dim, dim)).transpose()?;
        let b = spec.b.then(|| Linear::new(place.at("b"), dim, dim)).transpose()?;
        Ok(Projection { hidden, last, a, b })
    }

    /// Features `[N, features]` to the embeddings of each path that is asked for, side by side; those of the last layer
    /// where none is. A head that is not there is passed by.
    pub(crate) fn forward(&self, x: &Tensor, paths: Option<&[usize]>) -> Result<Tensor, ModelError> {
        let hidden = self.hidden.as_ref().map(|hidden| Ok::<_, ModelError>(hidden.forward(x)?.f_relu()?));
        let last = self.last.forward(hidden.transpose()?.as_ref().unwrap_or(x))?;
        let through = |head: &Option<Linear>, x: &Tensor| match head {
            Some(head) => Ok::<_, ModelError>(head.forward(x)?.f_relu()?),
            None => Ok(x.shallow_clone()),
        };
        let paths = paths.unwrap_or(&[0]);
        let first = paths.iter().any(|path| path & THROUGH_A != 0).then(|| through(&self.a, &last));
        let first = first.transpose()?;
        let mut outputs = Vec::with_capacity(paths.len());
        for path in paths {
            let x = first.as_ref().filter(|_| path & THROUGH_A != 0).unwrap_or(&last);
            outputs.push(if path & THROUGH_B == 0 { x.shallow_clone() } else { through(&self.b, x)? });
        }
        Ok(if outputs.len() == 1 { outputs.remove(0) } else { Tensor::f_cat(&outputs, 1)? })
    }
}
