//! Keys of earlier batches, the oldest of which make room (MoCo).

use rand::RngExt;
use tch::{Device, Tensor};

use crate::ContrastError;
use crate::checks::shaped;
use crate::error::refused;
use crate::geometry::normalize;
use crate::random::{Purpose, rng};

/// A ring of keys on the unit sphere.
#[derive(Debug)]
pub struct Queue {
    keys: Tensor,
    next: i64,
}

impl Queue {
    /// `length` random directions of `width` numbers, as MoCo begins with.
    ///
    /// # Errors
    /// A length that is no multiple of the batch, or nothing at all.
    pub fn new(
        length: i64,
        width: i64,
        batch: i64,
        seed: u64,
        device: Device,
    ) -> Result<Self, ContrastError> {
        if length < 1 || width < 1 || batch < 1 {
            return Err(refused(
                format!("a queue of {length} keys of {width} numbers for batches of {batch} holds nothing"),
                "all three are 1 or more",
            ));
        }
        if length % batch != 0 {
            return Err(refused(
                format!("a queue of {length} keys is no multiple of the batch of {batch}"),
                "round the queue down to whole batches, so that a batch replaces exactly one",
            ));
        }
        let mut rng = rng(seed, 0, Purpose::Queue);
        let count = (length * width) as usize;
        let mut floats = Vec::with_capacity(count + 1);
        while floats.len() < count {
            // Box & Muller 1958: two normal numbers of two uniform ones
            let (radius, angle) = (
                (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt(),
                std::f64::consts::TAU * rng.random::<f64>(),
            );
            floats.push((radius * angle.cos()) as f32);
            floats.push((radius * angle.sin()) as f32);
        }
        let keys = Tensor::f_from_slice(&floats[..count])?.f_view([length, width])?;
        Ok(Queue { keys: normalize(&keys)?.f_to_device(device)?, next: 0 })
    }

    /// All keys, `[K, d]`; the order says nothing.
    pub fn keys(&self) -> &Tensor {
        &self.keys
    }

    /// Puts the keys of a batch `[N, d]` over the oldest ones.
    ///
    /// # Errors
    /// Keys of another width, or more than the queue holds.
    pub fn enqueue(&mut self, keys: &Tensor) -> Result<(), ContrastError> {
        let (length, width) = (self.keys.size()[0], self.keys.size()[1]);
        shaped(keys, "keys", None, width)?;
        let rows = keys.size()[0];
        if rows > length {
            return Err(refused(
                format!("{rows} keys for a queue of {length}"),
                "take a queue of several batches; MoCo's has 256 of them",
            ));
        }
        let keys = keys.f_detach()?;
        // the last batch of an epoch may be short: what no longer fits at the end goes to the beginning
        let first = rows.min(length - self.next);
        self.keys.f_narrow(0, self.next, first)?.f_copy_(&keys.f_narrow(0, 0, first)?)?;
        self.keys.f_narrow(0, 0, rows - first)?.f_copy_(&keys.f_narrow(0, first, rows - first)?)?;
        self.next = (self.next + rows) % length;
        Ok(())
    }

    /// What a checkpoint keeps: the keys and where the next ones go.
    pub fn state(&self) -> (&Tensor, i64) {
        (&self.keys, self.next)
    }

    /// Takes back what [`Queue::state`] gave.
    ///
    /// # Errors
    /// The state of a queue of another size.
    pub fn restore(&mut self, keys: &Tensor, next: i64) -> Result<(), ContrastError> {
        let size = self.keys.size();
        shaped(keys, "the checkpoint's keys", Some(size[0]), size[1])?;
        if !(0..size[0]).contains(&next) {
            return Err(refused(
                format!("the checkpoint's queue goes on at key {next} of {}", size[0]),
                "the checkpoint is damaged: resume from the one before it",
            ));
        }
        self.keys.f_copy_(keys)?;
        self.next = next;
        Ok(())
    }
}

/// How many keys of its own a sample meets in the queue on average, when every epoch shuffles `samples` anew: false
/// negatives, which it is pushed away from. About `length / samples − ½` for queues longer than the set.
pub fn false_negatives(length: u64, samples: u64) -> f64 {
    if samples == 0 {
        return 0.0;
    }
    // `epoch` epochs ago the sample came `epoch · N + t` keys ago, where t, the difference of two uniform places, is
    // distributed as a triangle over −N … N
    let reach = length as f64 / samples as f64;
    let within = |x: f64| match x {
        x if x <= -1.0 => 0.0,
        x if x >= 1.0 => 1.0,
        x if x <= 0.0 => (1.0 + x).powi(2) / 2.0,
        x => 1.0 - (1.0 - x).powi(2) / 2.0,
    };
    (1..).map(|epoch| reach - f64::from(epoch)).take_while(|x| *x > -1.0).map(within).sum()
}
