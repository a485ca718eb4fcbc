#!/usr/bin/env python3
"""Luthier beside PyTorch, in one run: A and B take turns, medians are printed as ratios.

    make bench                     everything
    benches/peers/run.py CASE…     resnet18, start, loader, tokens

A ratio above 1 means that Luthier is faster (or smaller). Keep the output, dated, in benches/results/.
"""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LUTHIER = os.environ.get("LUTHIER", str(ROOT / "target" / "release" / "luthier"))
THREADS = 2
ENV = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}

RECIPE = """
name = "bench"
task = "image-classification"
[data]
train = "{data}"
workers = {threads}
[data.transform]
train = [
  {{ op = "RandomResizedCrop", size = {size} }},
  {{ op = "RandomHorizontalFlip" }},
  {{ op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }},
]
eval = [ {{ op = "Resize", size = [{size}, {size}] }} ]
[model]
arch = "resnet18"
weights = "none"
[optim]
type = "SGD"
lr = 0.01
weight_decay = 0.001
groups = [ {{ match = "fc.*", lr_scale = 10 }} ]
[train]
epochs = {epochs}
batch_size = {batch}
"""


def photos():
    """The sample photos where they are, rendered scenes of a photo's size elsewhere."""
    base = os.environ.get("LUTHIER_SHARED_DATA")
    folder = (Path(base) if base else ROOT.parent / "shared" / "data") / "ants-bees" / "train"
    if folder.is_dir():
        return folder, "244 photos of ants and bees"
    keep = tempfile.mkdtemp(prefix="luthier-bench-")
    folder = Path(keep) / "scenes"
    command = [LUTHIER, "data", "render", "scenes", "--out", folder, "--count", "244", "--seed", "1", "--size", "400", "-q"]
    subprocess.run(command, check=True)
    return folder, "244 rendered scenes of 400 px (the photos are not here)"


def output_of(command, env=ENV):
    """Runs a command and returns its standard output."""
    done = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    out, err = done.communicate()
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}\n{err}")
    return out


def luthier_steps(folder, epochs, batch, size, work):
    recipe = work / "bench.toml"
    recipe.write_text(RECIPE.format(data=folder, epochs=epochs, batch=batch, size=size, threads=THREADS))
    run = Path(tempfile.mkdtemp(dir=work)) / "run"
    usage = work / "usage"
    command = [sys.executable, str(HERE / "peak.py"), str(usage), LUTHIER, "train", str(recipe), "--json", "--threads", str(THREADS)]
    out = output_of([*command, "--out", str(run)])
    events = [json.loads(line) for line in out.splitlines()]
    steps = [event for event in events if event.get("event") == "step_end"]
    return [step["seconds"] for step in steps if step["count"] == batch], float(usage.read_text())


# what `luthier` sets for its engine; PyTorch gains by it as well, though nobody's script sets it
MALLOC = ("glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=8589934592:"
          "glibc.malloc.top_pad=67108864")


def torch_steps(variant, folder, epochs, batch, work):
    usage = work / "usage"
    env = {**ENV, "GLIBC_TUNABLES": MALLOC} if variant == "malloc" else ENV
    variant = "best" if variant == "malloc" else variant
    command = [sys.executable, str(HERE / "peak.py"), str(usage), sys.executable, str(HERE / "resnet18_torch.py")]
    out = output_of([*command, variant, str(folder), str(epochs), str(batch), str(THREADS)], env)
    rows = [json.loads(line) for line in out.splitlines()]
    return [row["seconds"] for row in rows if row.get("count") == batch], float(usage.read_text())


def resnet18(work, rounds=2, epochs=2, batch=32):
    folder, what = photos()
    print(f"\nResNet-18, full fine-tune, batch {batch}, 224 px, {what}, loading included, {THREADS} threads")
    times = {"luthier": [], "best": [], "malloc": [], "written": []}
    peaks = {name: [] for name in times}
    for _ in range(rounds):
        for name in times:
            if name == "luthier":
                steps, peak = luthier_steps(folder, epochs, batch, 224, work)
            else:
                steps, peak = torch_steps(name, folder, epochs, batch, work)
            times[name] += steps[1:]  # the first warms up
            peaks[name].append(peak)
    mid = {name: statistics.median(values) for name, values in times.items()}
    peak = {name: statistics.median(values) for name, values in peaks.items()}
    for name, label in [("luthier", "Luthier"), ("best", "PyTorch, best tuned"),
                        ("malloc", "  and Luthier's heap"), ("written", "PyTorch, as written")]:
        print(f"  {label:22} {mid[name]:.3f} s/step   peak {peak[name]:.0f} MiB   n={len(times[name])}")
    print(f"  ratio to best tuned    {mid['best'] / mid['luthier']:.2f}x   (bar 0.95)")
    print(f"  ratio, the same heap   {mid['malloc'] / mid['luthier']:.2f}x")
    print(f"  ratio to as written    {mid['written'] / mid['luthier']:.2f}x   (bar 2.0)")
    print(f"  memory, best tuned     {peak['best'] / peak['luthier']:.2f}x   (bar 1.0)")
    print(f"  memory, as written     {peak['written'] / peak['luthier']:.2f}x")


def until_first_line(command, wanted):
    """Seconds from start to the first line of standard output that holds `wanted`; the process is then ended."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENV)
    for line in process.stdout:
        if wanted in line:
            break
    seconds = time.perf_counter() - begin
    process.kill()
    process.wait()
    return seconds


def whole(command):
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=ENV)
    return time.perf_counter() - begin


def start(work, rounds=7):
    folder = work / "small"
    subprocess.run([LUTHIER, "data", "render", "scenes", "--out", folder, "--count", "64", "--size", "64", "-q"], check=True)
    recipe = work / "start.toml"
    recipe.write_text(RECIPE.format(data=folder, epochs=1, batch=8, size=64, threads=THREADS))
    ours, theirs = [], []
    for index in range(rounds):
        out = work / f"start-{index}"
        ours.append(until_first_line(
            [LUTHIER, "train", str(recipe), "--json", "--threads", str(THREADS), "--out", str(out)], "step_end"))
        theirs.append(until_first_line(
            [sys.executable, str(HERE / "first_step_torch.py"), str(folder), str(THREADS)], "."))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"\nFrom process start to the first finished step, ResNet-18, 64 px, batch 8, warm, {THREADS} threads")
    print(f"  Luthier                {a:.3f} s   (bar 1 s)")
    print(f"  PyTorch                {b:.3f} s")
    print(f"  ratio                  {b / a:.2f}x   (bar 3.0)")
    print("\nCommands that need no tensor (bar 30 ms)")
    for words in [["--help"], ["explain", "optim.lr"], ["render", str(recipe)], ["schema"]]:
        taken = statistics.median(whole([LUTHIER, *words]) for _ in range(15))
        print(f"  luthier {words[0]:14} {taken * 1000:.1f} ms")


def loader(work):
    folder, _ = photos()
    subprocess.run([sys.executable, str(HERE / "loader.py"), str(folder)], check=True, env=ENV)


def tokens(work):
    base = os.environ.get("LUTHIER_SHARED_DATA")
    file = (Path(base) if base else ROOT.parent / "shared" / "data") / "sms-spam" / "SMSSpamCollection"
    if not file.is_file():
        print("\nTokenizing: skipped, the SMS messages are not here")
        return
    subprocess.run([sys.executable, str(HERE / "tokens.py"), str(file)], check=True)


def main():
    cases = {"resnet18": resnet18, "start": start, "loader": loader, "tokens": tokens}
    wanted = sys.argv[1:] or list(cases)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}  {cpu}, {os.cpu_count()} cores, {platform.system()}")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        for name in wanted:
            cases[name](Path(work))


if __name__ == "__main__":
    main()
