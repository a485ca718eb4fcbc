#!/usr/bin/env python3
"""Memory of computing and clustering the features of a whole data set, from 1,000 to 50,000 pictures.

    benches/peers/features.py [COUNT…]

Trains PCL on rendered scenes of 32 pixels until the first prototypes are there, and reads from the kernel, twenty times a second, how
much the engine holds: memory of its own (anonymous), and with mapped pages, which the system can take back. The bar is a flat peak:
what a sample takes by itself is its path, its places in the lists of loaders and its clusters, some hundred and fifty bytes, and
blocks of k-means grow to full size up to some ten thousand pictures.
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from run import ENV, LUTHIER, THREADS

# bytes of its own that each picture more may take
BAR = 400

RECIPE = """
name = "features"
task = "contrastive"
[data]
train = "{folder}"
workers = {threads}
[data.transform]
train = [ {{ op = "RandomResizedCrop", size = 32 }}, {{ op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }} ]
eval = [ {{ op = "Resize", size = [32, 32] }}, {{ op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }} ]
[model]
arch = "resnet18"
weights = "none"
[contrastive]
dim = 128
queue = 256
momentum = 0.99
temperature = 0.2
[contrastive.prototypes]
clusters = [50, 100]
warmup_epochs = 0
[optim]
type = "SGD"
lr = 0.03
[train]
epochs = 1
batch_size = 64
drop_last = true
"""


def memory(pid):
    """Anonymous and whole resident memory of a process in MiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Rss") or line.startswith("VmRSS"))
    mib = {key: int(value.split()[0]) / 1024 for key, value in fields.items()}
    return mib["RssAnon"], mib["VmRSS"]


def watch(process, peaks, stop):
    while not stop.is_set():
        try:
            now = memory(process.pid)
        except (OSError, KeyError):
            return
        peaks[:] = [max(pair) for pair in zip(peaks, now)]
        time.sleep(0.05)


def measured(count, work):
    folder = work / f"scenes-{count}"
    subprocess.run([LUTHIER, "data", "render", "scenes", "--out", folder, "--count", str(count), "--size", "32", "-q"], check=True)
    recipe = work / f"{count}.toml"
    recipe.write_text(RECIPE.format(folder=folder, threads=THREADS))
    words = [LUTHIER, "train", str(recipe), "--json", "--threads", str(THREADS), "--out", str(work / f"run-{count}")]
    begin = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENV)
    peaks, stop = [0.0, 0.0], threading.Event()
    watcher = threading.Thread(target=watch, args=(process, peaks, stop))
    watcher.start()
    for line in process.stdout:
        event = json.loads(line)
        if event.get("event") == "clustered":
            break
    else:
        sys.exit("error: the run ended before there were prototypes")
    stop.set()
    watcher.join()
    process.kill()
    process.wait()
    return *peaks, time.perf_counter() - begin


def main():
    counts = [int(word) for word in sys.argv[1:]] or [1000, 20000, 50000]
    print(f"{datetime.date.today()}  features and prototypes of a whole set, ResNet-18, 32 px, {THREADS} threads, {os.cpu_count()} cores")
    found = {}
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        for count in counts:
            own, whole, seconds = found[count] = measured(count, Path(work))
            print(f"  {count:6} pictures   {own:6.0f} MiB of its own, {whole:6.0f} MiB with mapped files, {seconds:.0f} s until the first prototypes", flush=True)
    first, last = found[counts[0]], found[counts[-1]]
    print(f"  growth from {counts[0]} to {counts[-1]}: {100 * (last[0] / first[0] - 1):.1f} % of its own, {100 * (last[1] / first[1] - 1):.1f} % with mapped files")
    if len(counts) > 1:
        each = (last[0] - first[0]) * 2**20 / (counts[-1] - counts[0])
        print(f"  {each:.0f} bytes of its own for each picture more; the bar is {BAR}: {'met' if each <= BAR else 'missed'}")


if __name__ == "__main__":
    main()
