//! Compiles the shim against the libtorch that torch-sys links, and bakes its folder into what is built, so that
//! nobody sets `LD_LIBRARY_PATH`.

use std::path::{Path, PathBuf};

const SOURCES: [&str; 7] = [
    "src/shim.cpp",
    "src/fused.cpp",
    "src/packed.cpp",
    "src/dropout.cpp",
    "src/nearest.cpp",
    "src/norms.cpp",
    "src/ranks.cpp",
];

fn main() {
    for file in SOURCES.iter().chain(&["src/guarded.h", "gloo"]) {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    if let Err(why) = build() {
        println!("cargo::error={why}");
    }
}

fn build() -> Result<(), String> {
    // torch-sys has looked at LIBTORCH, LIBTORCH_LIB and LIBTORCH_USE_PYTORCH already; this is what it decided.
    let lib = std::env::var_os("DEP_TCH_LIBTORCH_LIB")
        .map(PathBuf::from)
        .ok_or("torch-sys named no libtorch; run `make setup` (or `python3 scripts/libtorch.py`)")?;
    let lib = lib.canonicalize().map_err(|error| {
        format!(
            "no libtorch in `{}` ({error}); run `make setup` (or `python3 scripts/libtorch.py`)",
            lib.display()
        )
    })?;
    let include = match std::env::var_os("LIBTORCH_INCLUDE") {
        Some(root) => Path::new(&root).join("include"),
        None => lib.parent().unwrap_or(&lib).join("include"),
    };
    if !include.join("ATen/ATen.h").is_file() {
        return Err(format!(
            "no libtorch headers in `{}`; run `make setup` (or `python3 scripts/libtorch.py`)",
            include.display()
        ));
    }
    println!("cargo::metadata=lib_dir={}", lib.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());

    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let mut shim = cc::Build::new();
    // `at::parallel_for` is a template: without OpenMP in this build it is a plain loop. The runtime has to be libtorch's own,
    // since two of them have two pools of threads.
    // Other compilers than GCC would want a runtime of their own.
    let gnu = shim.cpp(true).get_compiler().is_like_gnu();
    let openmp = openmp(&lib).filter(|_| gnu);
    if openmp.is_some() {
        shim.flag("-fopenmp");
    }
    shim.std("c++20")
        .warnings(false)
        .include("gloo")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", Some(abi.as_str()))
        .files(SOURCES)
        .try_compile("luthier_torch_shim")
        .map_err(|error| {
            format!(
                "the C++ shim did not compile; is a C++20 compiler installed (`apt install g++`)? {error}"
            )
        })?;
    // after what needs it: linkers leave out libraries that nothing before them asked for
    if let Some(runtime) = openmp {
        println!("cargo::rustc-link-search=native={}", lib.display());
        println!("cargo::rustc-link-lib=dylib:+verbatim={runtime}");
    }
    Ok(())
}

/// The file of GNU's OpenMP that libtorch brings, under whatever name the wheel's makers gave it.
fn openmp(lib: &Path) -> Option<String> {
    let names =
        std::fs::read_dir(lib).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("libgomp") && name.contains(".so")).min()
}
