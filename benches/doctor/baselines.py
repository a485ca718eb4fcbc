"""Two doctors to beat: the fixed thresholds that SageMaker Debugger and UMLAUT publish, and one to whom all are sick.

The thresholds are the published ones, applied to what our runs write down. Rules that need something we don't write
(activations of every unit, kernels of a GPU) are left out.
"""

import csv
import math
from functools import lru_cache

from work import lines


@lru_cache
def extent(path):
    """Smallest, largest and mean feature of the first 500 rows; whether anything is not finite."""
    with open(path) as file:
        rows = [[float(cell or "nan") for cell in row[:-1]] for row, _ in zip(csv.reader(file), range(500))]
    cells = [cell for row in rows for cell in row]
    finite = [cell for cell in cells if math.isfinite(cell)]
    return min(finite), max(finite), len(finite) < len(cells)


@lru_cache
def balance(path):
    """Largest class over smallest."""
    with open(path) as file:
        labels = [row[-1] for row in csv.reader(file)]
    counts = [labels.count(label) for label in set(labels)]
    return max(counts) / min(counts)


def fixed_thresholds(made, run, data):
    """What the published rules say of a recipe and its run: their names and our categories, in the order of severity."""
    steps = [e for e in lines(run / "metrics.jsonl") if e.get("event") == "step"]
    epochs = [e for e in lines(run / "metrics.jsonl") if e.get("event") == "epoch"]
    evals = [e for e in lines(run / "metrics.jsonl") if e.get("event") == "eval" and e.get("split") == "valid"]
    looks = lines(run / "monitor.jsonl")
    losses = [number(e.get("loss")) for e in steps]
    words = made["model"]["layers"]
    acts = [layer["act"] for layer in words if "act" in layer and layer["act"] != "identity"]
    train = data / f"{made['data']['set']}-train.csv"
    found = []

    def say(when, name, category):
        if when:
            found.append((name, category))

    classes = made["task"] == "classification"
    low, high, holes = extent(train)
    scaled = made["data"].get("scale", "none") != "none"
    # errors
    say(holes, "UMLAUT NaN in input", "data")
    say(any(not math.isfinite(loss) for loss in losses), "SageMaker ExplodingTensor, UMLAUT NaN loss", "loss")
    say(not scaled and (low < -1 or high > 1), "UMLAUT input outside [-1, 1]", "data")
    say(classes and made["loss"].get("input") == "probabilities" and made["model"].get("output") not in ("softmax", "sigmoid"), "UMLAUT missing softmax before the loss", "output")
    say(classes and made["loss"]["type"] == "cross_entropy" and made["loss"].get("input", "logits") == "logits" and made["model"].get("output") == "softmax", "UMLAUT softmax before a loss on logits", "output")
    say(not acts and len(words) > 1, "UMLAUT no activation between layers", "activation")
    rate = made["optim"]["lr"]
    say(rate > 0.01 or rate < 1e-7, "UMLAUT rate above .01 or below 1e-7", "optimizer")
    # warnings
    for tensor, history in by_tensor(looks).items():
        if not tensor.endswith("weight"):
            continue
        say(any(point["norm"] == 0 for point in history), f"SageMaker AllZero {tensor}", "init")
        # ours are norms, theirs a mean of absolute values: the norm over the root of the size is the larger of the two
        say(history and history[-1]["grad"] < 1e-7, f"SageMaker VanishingGradient {tensor}", "activation")
        ratios = [point["update"] / point["norm"] for point in history if point["norm"] > 0]
        say(any(ratio > 10 for ratio in ratios), f"SageMaker WeightUpdateRatio {tensor} > 10", "optimizer")
        say(any(ratio < 1e-8 for ratio in ratios), f"SageMaker WeightUpdateRatio {tensor} < 1e-8", "optimizer")
        say(any(point["update"] < 1e-5 * point["norm"] for point in history), f"SageMaker UnchangedTensor {tensor}", "optimizer")
    checks = [(losses[at - 10], losses[at]) for at in range(10, len(losses), 10)]
    say(any(now > before * 0.999 for before, now in checks), "SageMaker LossNotDecreasing by .1 % in 10 steps", "optimizer")
    say(classes and balance(train) > 10, "SageMaker ClassImbalance", "data")
    pairs = list(zip(evals, evals[1:]))
    say(any(number(b.get("loss")) > number(a.get("loss")) for a, b in pairs), "UMLAUT validation loss rises over an epoch", "regularization")
    say(epochs and evals and number(evals[-1].get("loss")) > 1.1 * number(epochs[-1].get("loss")), "SageMaker Overfit ratio .1", "regularization")
    say(any(layer.get("dropout", 0) > 0.5 for layer in words), "UMLAUT dropout above .5", "regularization")
    late = [e for e in evals if e.get("epoch", 0) >= 3]
    say(classes and any((e.get("accuracy") or 0) > 0.95 for e in late), "UMLAUT accuracy above .95", "evaluation")
    order = list(dict.fromkeys(category for _, category in found))
    return {"sick": bool(found), "order": order, "codes": [name for name, _ in found]}


def by_tensor(looks):
    made = {}
    for look in looks:
        for point in look["tensors"]:
            made.setdefault(point["name"], []).append({key: number(point[key]) for key in ("norm", "grad", "update")})
    return made


def number(item):
    """A number; not one where a run wrote none."""
    try:
        return float(item)
    except (TypeError, ValueError):
        return math.nan
