"""Decode + RandomResizedCrop(224) + flip + normalise of photos: Luthier's loader against torchvision's DataLoader.

    python benches/peers/loader.py FOLDER [--workers 1 2] [--repeats 5]

Both read the same files with the same number of workers, in turns, in one run. torchvision's workers are started before
the clock is; Luthier's threads are started within its first epoch, and its start is not counted for either.
Printed per number of workers: milliseconds per photo (medians over the repeats) and torchvision's over Luthier's for

    first   the first epoch with nothing kept (`cache_mib = 0`): files are checked and read through
    cold    every photo decoded anew in every epoch, nothing kept but where the pieces of each file begin
    cached  epochs after the first, decoded pictures kept (the default)
    job     five epochs from the start with the default cache: what a fine-tuning run sees
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import torch
from torchvision import datasets, transforms

REPO = Path(__file__).resolve().parents[2]
EPOCHS = 5
EXCLUDE = "imageNotFound.gif"


def peer(folder, workers):
    """Epochs of the DataLoader as its users write it, as a function that runs one and returns seconds and photos."""
    chain = transforms.Compose(
        [
            transforms.RandomResizedCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    wanted = lambda path: path.endswith(datasets.folder.IMG_EXTENSIONS)
    data = datasets.ImageFolder(folder, chain, is_valid_file=wanted)
    loader = torch.utils.data.DataLoader(data, 32, shuffle=True, num_workers=workers, persistent_workers=True)

    def epoch():
        began = time.perf_counter()
        seen = sum(len(labels) for _, labels in loader)
        return time.perf_counter() - began, seen

    epoch()
    return epoch


def build():
    """Builds Luthier's half and returns its path."""
    command = ["cargo", "build", "--release", "--quiet", "--package", "luthier-data", "--example", "load_epochs"]
    subprocess.run(command, check=True, cwd=REPO)
    return str(REPO / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/load_epochs")


def ours(binary, folder, workers, cache_mib):
    """Milliseconds per photo of each epoch."""
    command = [binary, folder, str(workers), str(EPOCHS), str(cache_mib), EXCLUDE]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    epochs = [line.split() for line in lines if line]
    return [float(seconds) / int(seen) * 1e3 for seconds, seen in epochs]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--binary", help="the built example `load_epochs`; built if not given")
    parser.add_argument("--json", action="store_true", help="print every measurement")
    args = parser.parse_args()
    torch.set_num_threads(1)
    binary = args.binary or build()

    for workers in args.workers:
        theirs = peer(args.folder, workers)
        seen = {"torchvision": [], "first": [], "cold": [], "cached": [], "job": [], "torchvision job": []}
        for _ in range(args.repeats):
            epochs = [seconds / count * 1e3 for seconds, count in (theirs() for _ in range(EPOCHS))]
            seen["torchvision"].append(statistics.median(epochs))
            seen["torchvision job"].append(sum(epochs))
            cold = ours(binary, args.folder, workers, 0)
            cached = ours(binary, args.folder, workers, 1024)
            seen["first"].append(cold[0])
            seen["cold"].append(statistics.median(cold))
            seen["cached"].append(statistics.median(cached[1:]))
            seen["job"].append(sum(cached))
        middle = {name: statistics.median(values) for name, values in seen.items()}
        print(f"workers {workers}: torchvision {middle['torchvision']:.2f} ms a photo")
        for name, peer_name in (("first", "torchvision"), ("cold", "torchvision"), ("cached", "torchvision"), ("job", "torchvision job")):
            each = middle[name] / (EPOCHS if name == "job" else 1)
            print(f"  {name:6} {each:.2f} ms a photo, {middle[peer_name] / middle[name]:.1f}x")
        if args.json:
            print(json.dumps({"workers": workers} | seen))


if __name__ == "__main__":
    main()
