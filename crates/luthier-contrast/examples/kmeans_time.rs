//! Seconds and inertia of k-means, for benches/peers/kmeans.py.
//!
//!     cargo run --release -p luthier-contrast --example kmeans_time FILE WIDTH CLUSTERS ITERATIONS THREADS
//!
//! FILE holds rows of fp32; the first rows are the initial centres. Ends with a line for each line that it reads.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "its output is what it is for")]

use std::time::Instant;

use luthier_contrast::{KMeans, kmeans, plus_plus};
use tch::{Kind, Tensor};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments[at].parse::<u64>().unwrap();
    let (width, clusters, iterations) = (number(1) as i64, number(2) as i64, number(3));
    luthier_torch::set_threads(number(4) as usize).unwrap();
    let bytes = std::fs::read(&arguments[0]).unwrap();
    let rows = Tensor::from_data_size(&bytes, &[bytes.len() as i64 / 4 / width, width], Kind::Float);
    let start = rows.narrow(0, 0, clusters);
    for line in std::io::stdin().lines() {
        let began = Instant::now();
        if line.unwrap() == "start" {
            let start = plus_plus(&rows, clusters, 1).unwrap();
            println!("{} {}", began.elapsed().as_secs_f64(), start.size()[0]);
            continue;
        }
        let found = kmeans(&rows, &start, KMeans { iterations, spherical: false }).unwrap();
        println!("{} {} {}", began.elapsed().as_secs_f64(), found.inertia, found.iterations);
    }
}
