//! Ranks that are threads of one process: to the store and the group, they are as far apart as machines.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use luthier_torch::{Group, NormState, Reducer, Store, TorchError, grad};
use tch::{Device, Kind, Tensor};

const LONG: Duration = Duration::from_secs(60);

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Runs `each` on so many ranks and returns what they came to, in order.
fn ranks<T: Send>(size: u32, timeout: Duration, each: impl Fn(Rc<Group>) -> T + Sync) -> Vec<T> {
    let port = free_port();
    std::thread::scope(|scope| {
        let run = |rank: u32| {
            let each = &each;
            scope.spawn(move || {
                let store = Store::open("127.0.0.1", port, rank, size, LONG).unwrap();
                each(Rc::new(Group::join(Rc::new(store), "gloo", rank, size, timeout).unwrap()))
            })
        };
        let threads: Vec<_> = (0..size).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn tensors_are_broadcast_and_summed_and_bytes_gathered() {
    let said = ranks(3, LONG, |group| {
        let rank = group.rank();
        let mut tensor = Tensor::full([2, 3], f64::from(rank), (Kind::Float, Device::Cpu));
        group.sum(&tensor).unwrap();
        assert_eq!(tensor.sum(Kind::Float).double_value(&[]), 18.0);
        // not row by row: the values arrive all the same
        let turned = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]).tr() * f64::from(rank + 1);
        group.broadcast(&turned, 2).unwrap();
        assert_eq!(turned.double_value(&[2, 1]), 15.0);
        let _ = tensor.zero_();
        group.barrier().unwrap();
        group.gather("r".repeat(rank as usize).as_bytes()).unwrap()
    });
    for all in said {
        assert_eq!(all, [b"".to_vec(), b"r".to_vec(), b"rr".to_vec()]);
    }
}

#[test]
fn gradients_are_sums_over_the_ranks_and_unused_parameters_have_none() {
    let params = || {
        let fill =
            |value: f64| Tensor::full([400, 400], value, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        [fill(0.5), fill(0.25), fill(2.0)]
    };
    // the first parameter on every rank, the second on rank 1 alone, the third on none
    let loss = |rank: u32, [a, b, _]: &[Tensor; 3]| {
        let loss = (a * f64::from(rank + 1)).sum(Kind::Float);
        if rank == 1 { loss + (b * 3.0).sum(Kind::Float) } else { loss }
    };
    ranks(3, LONG, |group| {
        let params = params();
        let reducer = Reducer::new(Rc::clone(&group), &params, 500_000).unwrap();
        for _ in 0..3 {
            for param in &params {
                luthier_torch::clear_grad(param).unwrap();
            }
            // a pass that is not exchanged, and one that is, with the gradients of both
            loss(group.rank(), &params).backward();
            let traffic = reducer.backward(&loss(group.rank(), &params)).unwrap();
            assert!(traffic.buckets >= 2 && traffic.bytes == 3 * 400 * 400 * 4, "{traffic:?}");
            let value = |at: usize| grad(&params[at]).unwrap().map(|grad| grad.double_value(&[7, 7]));
            assert_eq!(value(0), Some(12.0));
            assert_eq!(value(1), Some(6.0));
            assert_eq!(value(2), None);
        }
    });
}

#[test]
fn passes_of_another_loss_are_forgotten() {
    ranks(2, LONG, |group| {
        let fill = |value: f64| Tensor::full([10], value, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let params = [fill(0.5), fill(0.25)];
        let reducer = Reducer::new(Rc::clone(&group), &params, 1 << 20).unwrap();
        for _ in 0..2 {
            // another stream's loss goes through the second parameter, and is no part of the update
            (&params[0] + &params[1]).sum(Kind::Float).backward();
            for param in &params {
                luthier_torch::clear_grad(param).unwrap();
            }
            reducer.begin().unwrap();
            reducer.backward(&(&params[0] * 2.0).sum(Kind::Float)).unwrap();
            assert_eq!(grad(&params[0]).unwrap().map(|grad| grad.double_value(&[3])), Some(4.0));
            assert!(grad(&params[1]).unwrap().is_none());
        }
    });
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Store::open("127.0.0.1", port, 0, 2, LONG).unwrap_err();
    assert_eq!(error.to_string(), format!("the port {port} is in use"));
}

#[test]
fn ranks_that_do_not_come_are_said() {
    let short = Duration::from_millis(1500);
    let error = Store::open("127.0.0.1", free_port(), 0, 3, short).unwrap_err();
    assert_eq!(error.to_string(), "only 1/3 ranks came in time");
    let error = Store::open("127.0.0.1", free_port(), 1, 3, short).unwrap_err();
    assert!(matches!(error, TorchError::NoMaster { .. }), "{error}");
}

#[test]
fn a_backend_that_is_not_there_is_said() {
    let store = Store::open("127.0.0.1", free_port(), 0, 1, LONG).unwrap();
    let error = Group::join(Rc::new(store), "nccl", 0, 1, LONG).unwrap_err();
    assert_eq!(error.to_string(), "this libtorch has no `nccl` backend");
}

#[test]
fn a_rank_that_leaves_or_hangs_ends_the_wait_of_the_others() {
    let began = Instant::now();
    let said = ranks(2, Duration::from_secs(3), |group| {
        if group.rank() == 1 {
            return None; // leaves: the connection closes
        }
        Some(group.sums(&[1.0]).unwrap_err())
    });
    assert!(matches!(said[0], Some(TorchError::RankLost(_))), "{said:?}");
    let said = ranks(2, Duration::from_secs(2), |group| {
        if group.rank() == 1 {
            std::thread::sleep(Duration::from_secs(4)); // hangs
            return None;
        }
        Some(group.sums(&[1.0]).unwrap_err())
    });
    assert!(matches!(said[0], Some(TorchError::RankLost(_))), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// Output, gradient of the input, of scale and shift, and running statistics.
type Normed = [Tensor; 6];

fn norm_of(x: &Tensor, state: impl Fn(&Tensor, NormState<'_>) -> Tensor) -> Normed {
    let filled = |value: f64| Tensor::full([5], value, (Kind::Float, Device::Cpu));
    let (weight, bias) = (filled(1.5).set_requires_grad(true), filled(-0.5).set_requires_grad(true));
    let (mean, var) = (filled(0.25), filled(2.0));
    let x = x.detach().set_requires_grad(true);
    let own = NormState {
        weight: &weight,
        bias: &bias,
        running_mean: &mean,
        running_var: &var,
        momentum: 0.1,
        eps: 1e-5,
    };
    let y = state(&x, own);
    (y.square() * y.sin()).sum(Kind::Float).backward();
    [y.detach(), x.grad(), weight.grad(), bias.grad(), mean.shallow_clone(), var.shallow_clone()]
}

#[test]
fn norms_over_ranks_are_those_of_one_batch() {
    let x =
        || (Tensor::arange(7 * 5 * 3 * 2, (Kind::Float, Device::Cpu)).view([7, 5, 3, 2]) * 0.7).sin() + 10.0;
    let whole = norm_of(&x(), |x, state| {
        let (mean, var) = (Some(state.running_mean), Some(state.running_var));
        x.batch_norm(Some(state.weight), Some(state.bias), mean, var, true, state.momentum, state.eps, false)
    });
    // of other sizes, and one rank has none
    let bounds = [(0, 4), (4, 0), (4, 3)];
    let parts = ranks(3, LONG, |group| {
        let (begin, length) = bounds[group.rank() as usize];
        norm_of(&x().narrow(0, begin, length), |x, state| group.batch_norm(x, state).unwrap().unwrap())
    });
    let off = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
    for at in [0, 1] {
        let joined = Tensor::cat(&[&parts[0][at], &parts[1][at], &parts[2][at]], 0);
        assert!(off(&joined, &whole[at]) < 1e-4, "{at}: {}", off(&joined, &whole[at]));
    }
    for at in [2, 3] {
        let summed = &parts[0][at] + &parts[1][at] + &parts[2][at];
        assert!(off(&summed, &whole[at]) < 1e-3, "{at}: {}", off(&summed, &whole[at]));
    }
    for part in &parts {
        assert!(off(&part[4], &whole[4]) < 1e-5 && off(&part[5], &whole[5]) < 1e-5);
    }
}

#[test]
fn one_value_on_all_ranks_has_no_statistics() {
    let said = ranks(2, LONG, |group| {
        let x = Tensor::ones([i64::from(group.rank() == 0), 5], (Kind::Float, Device::Cpu));
        let ones = Tensor::ones([5], (Kind::Float, Device::Cpu));
        let state = NormState {
            weight: &ones,
            bias: &ones,
            running_mean: &ones.copy(),
            running_var: &ones.copy(),
            momentum: 0.1,
            eps: 1e-5,
        };
        group.batch_norm(&x, state).unwrap().is_none()
    });
    assert_eq!(said, [true, true]);
}
