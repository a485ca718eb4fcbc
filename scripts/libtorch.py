#!/usr/bin/env python3
"""Finds or installs libtorch and points `.libtorch` at it.

In this order:
  1. `LIBTORCH`               a libtorch folder of yours (include/ and lib/)
  2. `LIBTORCH_USE_PYTORCH=1` the PyTorch of the active Python (also the CUDA path)
  3. the user's cache folder  kept from an earlier clone
  4. the wheel, by pip        downloaded once, checked by SHA-256, CPU libraries only

Python is the downloader here and nothing else: nothing of Luthier runs in it.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "2.13.0"
ROOT = Path(__file__).resolve().parent.parent
LINK = ROOT / ".libtorch"

# The wheel for one fixed Python version, so that one hash serves whatever Python the user has.
TORCH = {
    "x86_64": (
        ["manylinux_2_28_x86_64"],
        "796633c4cdf0fe2cdced72d8f88f22e73dbcfce83132763162f6d4bff13b820b",
    ),
    "aarch64": (
        ["manylinux_2_28_aarch64"],
        "572df8be8ffb4599c88cbd6a0726f1f854f4da65d2e3c09f0e2c2283333cd6d4",
    ),
}
# libtorch_cpu needs these two at load time on x86-64, even without a GPU.
NVIDIA = [
    (
        "nvidia-cuda-runtime==13.0.96",
        ["manylinux2014_x86_64", "manylinux_2_17_x86_64"],
        "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    ),
    (
        "nvidia-cuda-cupti==13.0.85",
        ["manylinux_2_25_x86_64"],
        "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    ),
]
GPU_ONLY = ("libtorch_cuda", "libtorch_python", "libtorch_nvshmem", "libc10_cuda", "libcaffe2_nvrtc")


def stop(what, hint):
    sys.exit(f"error: {what}\n\nhint: {hint}")


def say(text):
    print(text, file=sys.stderr, flush=True)


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "luthier"


def check_tools():
    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++") or os.environ.get("CXX")):
        stop("no C++ compiler found", "`apt-get install g++` (or your system's equivalent), then run this again")
    if not shutil.which("cargo"):
        stop("no Rust toolchain found", "install Rust 1.89 or newer (`cargo` must be on the PATH), then run this again")


def check_version(folder, version, origin):
    if version.split("+")[0] != VERSION:
        stop(
            f"{origin} is libtorch {version.split('+')[0]}, but Luthier is built for {VERSION}",
            f"unset it to let the set-up install {VERSION}, or point it to a {VERSION} folder",
        )
    if not (folder / "include" / "ATen").is_dir() or not (folder / "lib").is_dir():
        stop(f"{origin} ({folder}) holds no `include/ATen` and `lib`", "point it to the folder that has both")
    return folder


def version_of(folder):
    for name in ("build-version", "version.py"):
        path = folder / name
        if path.exists():
            text = path.read_text()
            if name == "build-version":
                return text.strip()
            for line in text.splitlines():
                if line.startswith("__version__"):
                    return line.split("=", 1)[1].strip().strip("'\"")
    return VERSION  # no version file: the compiler will tell


def from_environment():
    if os.environ.get("LIBTORCH_USE_PYTORCH"):
        code = "import torch, pathlib; print(torch.__version__); print(pathlib.Path(torch.__file__).parent)"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if found.returncode:
            stop(
                "`LIBTORCH_USE_PYTORCH` is set, but this Python has no PyTorch",
                f"`pip install torch=={VERSION}`, or unset it to let the set-up fetch libtorch alone",
            )
        version, folder = found.stdout.split("\n")[:2]
        return check_version(Path(folder), version, "the active Python's PyTorch")
    given = os.environ.get("LIBTORCH")
    if given and Path(given).resolve() != LINK.resolve():
        folder = Path(given)
        if not folder.is_dir():
            stop(f"`LIBTORCH` is set to `{given}`, which is not a folder", "correct it, or unset it")
        return check_version(folder.resolve(), version_of(folder), "`LIBTORCH`")
    return None


def fetch(requirement, platforms, digest, into):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off"]
    command += ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--abi", "none"]
    for name in platforms:
        command += ["--platform", name]
    done = subprocess.run(command + ["--dest", str(into), requirement], capture_output=True, text=True)
    if done.returncode:
        if "No module named pip" in done.stderr:
            stop("Python has no pip", "`apt-get install python3-pip python3-venv`, then run this again")
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["pip said nothing"]
        stop(f"`{requirement}` could not be downloaded: {last[0]}", "check the network, then run this again")
    stem = requirement.split("==")[0].replace("-", "_")
    wheel = next(into.glob(f"{stem}-*.whl"))
    seen = hashlib.sha256()
    with open(wheel, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            seen.update(block)
    if seen.hexdigest() != digest:
        stop(
            f"`{wheel.name}` has SHA-256 {seen.hexdigest()}, expected {digest}",
            "the download was altered or cut short; run this again, and if it stays so, do not use it",
        )
    return wheel


def unpack(wheel, into, wanted):
    """Takes the members `wanted` gives a new name for."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            name = wanted(member.filename)
            if name is None or member.is_dir():
                continue
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


def torch_member(name):
    if name.startswith("torch/include/"):
        return name[len("torch/"):]
    if name.startswith("torch/lib/") and name.count("/") == 2 and ".so" in name:
        return None if name.rsplit("/", 1)[1].startswith(GPU_ONLY) else name[len("torch/"):]
    # manylinux wheels for Arm carry their private libraries beside the package
    if name.startswith("torch.libs/"):
        return name
    return None


def nvidia_member(name):
    # libtorch_cpu looks for these below `../../nvidia`; beside it serves as well
    wanted = ("libcudart.so.", "libcupti.so.")
    base = name.rsplit("/", 1)[-1]
    return f"lib/{base}" if base.startswith(wanted) else None


def install():
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in TORCH:
        stop(
            f"no libtorch download is known for {platform.system()} on {machine}",
            f"install PyTorch {VERSION} in Python and set `LIBTORCH_USE_PYTORCH=1`",
        )
    home = cache_dir() / f"libtorch-{VERSION}-cpu"
    if (home / "build-version").exists():
        return home
    cache_dir().mkdir(parents=True, exist_ok=True)
    say(f"libtorch {VERSION} is not in {cache_dir()}: downloading it once (530 MB, kept for every clone)")
    work = Path(tempfile.mkdtemp(prefix="libtorch-", dir=cache_dir()))
    try:
        new = work / "new"
        platforms, digest = TORCH[machine]
        wheel = fetch(f"torch=={VERSION}", platforms, digest, work)
        say("unpacking the CPU libraries and headers")
        unpack(wheel, new, torch_member)
        wheel.unlink()
        if machine == "x86_64":
            for requirement, platforms, digest in NVIDIA:
                unpack(fetch(requirement, platforms, digest, work), new, nvidia_member)
        # written last: a folder with this file is a whole one
        (new / "build-version").write_text(VERSION + "\n")
        try:
            new.rename(home)
        except OSError:
            if not (home / "build-version").exists():  # another clone was first: use its copy
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return home


def main():
    check_tools()
    try:
        folder = from_environment() or install()
    except OSError as error:
        stop(f"libtorch could not be kept in {cache_dir()}: {error}", "free some space, or set `XDG_CACHE_HOME`")
    if not (LINK.is_symlink() and Path(os.readlink(LINK)) == folder):
        temporary = ROOT / f".libtorch.{os.getpid()}"
        temporary.symlink_to(folder)
        temporary.rename(LINK)
    print(folder)


if __name__ == "__main__":
    main()
