//! Ranks that are threads of one process: to the store and the group, they are as far apart as machines.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use luthier_torch::{Group, Reducer, Store, TorchError, grad};
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
