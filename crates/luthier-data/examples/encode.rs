//! Tokenizes the lines of a file and prints the seconds, once for each line of standard input: the Luthier half of
//! `benches/peers/tokens.py`. With the word `ids` on a line it prints the ids of each text instead.
//!
//!     encode TOKENIZER FILE REPEATS THREADS
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::{error::Error, path::Path, time::Instant};

use luthier_data::{EncodeOptions, TextTokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [tokenizer, file, repeats, threads] = args.as_slice() else {
        return Err("TOKENIZER FILE REPEATS THREADS".into());
    };
    let tokenizer = TextTokenizer::open(Path::new(tokenizer))?;
    let file = std::fs::read_to_string(file)?;
    let lines: Vec<&str> = file.lines().collect();
    let texts = lines.repeat(repeats.parse()?);
    let options = EncodeOptions { threads: threads.parse()?, ..EncodeOptions::default() };
    for word in std::io::stdin().lines() {
        if word?.trim() == "ids" {
            for ids in tokenizer.encode_all(&lines, options)?.ids {
                let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
                println!("{}", ids.join(" "));
            }
            continue;
        }
        let began = Instant::now();
        let encoded = tokenizer.encode_all(&texts, options)?;
        let seconds = began.elapsed().as_secs_f64();
        println!("{seconds} {}", encoded.ids.iter().map(Vec::len).sum::<usize>());
    }
    Ok(())
}
