"""Runs that are well: the bases, faults that do no harm, and a crowd of ordinary recipes with sensible settings.

Each has to reach its target, else it is dropped and counted. Whoever warns of one gives a false alarm. `warned` marks faults
that are masked by easy data: a warning is right there, an error is not.
"""

import random

from cases import BASES
from recipe import changed, recipe



def well(name, made, metric, least, warned=False):
    return {"id": name, "categories": [], "recipe": made, "metric": metric, "least": least, "warned": warned, "seen": "target", "fix": False}


def of(name, base, delta, least=None, warned=False):
    made, metric, target = BASES[base]
    return well(name, changed(made, delta), metric, target if least is None else least, warned)


def traps():
    """Harmless oddities, and faults that easy data mask."""
    return [
        of("K1-small-correct-net", "pairs", {"model.layers": "2 relu 2 tanh 1", "train.batch_size": 2}, 0.9),
        of("K3-no-activation-separable", "digits", {"model.layers": "64 identity classes"}),
        of("K4-batches-of-1", "digits", {"train.batch_size": 1, "optim.lr": 0.02, "train.epochs": 2}),
        of("K5-label-noise-20", "digits", {"data.set": "digits-noise20", "train.epochs": 5}, 0.9),
        of("K6-over-confident", "uneven", {"model.layers": "64 relu 64 relu classes", "train.epochs": 30}, 0.75),
        of("K7-frozen-first-layer", "digits", {"model.freeze": ["0.*"], "model.layers": "256 relu classes"}, 0.9, warned=True),
        of("K10-warm-up-from-0", "digits", {"schedule": {"type": "constant", "unit": "step", "warmup": {"steps": 20, "start": 0.0}}}),
        of("K12-one-epoch", "digits", {"train.epochs": 1}, 0.7),
        of("P18-tail-of-updates", "digits", {"train.grad_accum": 8, "train.epochs": 16, "optim.lr": 0.2}),
        of("P03-clip-1", "digits", {"train.clip_grad_norm": 1.0}),
        of("S-step-per-epoch", "digits", {"schedule": {"type": "StepLR", "step_size": 3, "gamma": 0.5, "unit": "epoch"}, "train.epochs": 6}),
        of("S-step-in-steps", "digits", {"schedule": {"type": "StepLR", "step_size": 94, "gamma": 0.5, "unit": "step"}}),
        of("O-relu-output-scaled-targets", "cars", {"model.output": "elu"}),
        of("O-sigmoid-scaled-targets", "cars", {"model.output": "sigmoid"}, 0.8),
        of("O18-mse-on-linear", "digits", {"loss.type": "mse", "train.epochs": 8}, 0.95, warned=True),
        of("O13-sigmoid-before-ce", "digits", {"model.output": "sigmoid", "train.epochs": 8}, warned=True),
        of("D-dropout-.9-easy", "digits", {"model.layers": "256 relu d.9 classes", "train.epochs": 8}, 0.95, warned=True),
        of("R-adam-.02-easy", "digits-adam", {"optim.lr": 0.02, "train.epochs": 10}, 0.9, warned=True),
        of("R-eps-1e-16", "digits-adam", {"optim.eps": 1e-16}, warned=True),
        of("W-l2-.1-easy", "digits", {"optim.weight_decay": 0.02}, 0.95, warned=True),
        of("X-raw-adam", "digits-adam", {"data.set": "digits-raw"}, 0.95, warned=True),
        of("L01-sum-adam", "digits-adam", {"loss.reduction": "sum"}, warned=True),
        of("I03-raw-normal-adam", "digits-adam", {"data.set": "digits-raw", "model.init": {"weights": "normal", "std": 1.0, "bias": 0.0}, "optim.lr": 0.003, "train.epochs": 10}, 0.85, warned=True),
        of("X09-scaled-twice-adam", "digits-adam", {"data.set": "digits-tiny", "optim.lr": 0.02, "train.epochs": 8}, 0.9, warned=True),
    ]


# data set, task, target, rows; what the outputs are
GROUND = [
    ("digits", "classification", "accuracy", 0.96, "classes", {}),
    ("digits-noise20", "classification", "accuracy", 0.88, "classes", {}),
    ("iris", "classification", "accuracy", 0.93, "classes", {"data.scale": "standardize"}),
    ("separable", "classification", "accuracy", 0.95, "classes", {}),
    ("rings", "classification", "accuracy", 0.93, "1", {"loss.type": "bce"}),
    ("pairs", "classification", "accuracy", 0.97, "classes", {}),
    ("cars", "regression", "r2", 0.8, "targets", {"data.scale": "standardize", "data.scale_target": "standardize"}),
    ("wide", "regression", "r2", 0.85, "targets", {"data.scale": "standardize", "data.scale_target": "standardize"}),
]
RATES = {"SGD": (0.03, 0.1), "momentum": (0.005, 0.02), "Adam": (0.0007, 0.003), "AdamW": (0.0007, 0.003), "RMSprop": (0.0005, 0.002)}


def drawn(index):
    """One ordinary recipe: data, widths, depth, optimizer, schedule drawn by its number."""
    rng = random.Random(1000 + index)
    name, task, metric, least, head, extra = GROUND[index % len(GROUND)]
    optimizer = rng.choice(list(RATES))
    low, high = RATES[optimizer]
    act = rng.choice(["relu", "relu", "leaky_relu", "gelu", "tanh", "elu"])
    words, width = [], rng.choice([16, 32, 64, 128])
    for _ in range(rng.choice([1, 1, 2, 3])):
        words.append(f"{width} {act}")
        if width >= 64 and rng.random() < 0.3:
            words.append(rng.choice(["d.1", "d.2"]))
    if name.startswith("digits") and rng.random() < 0.25:
        words[0] = f"{width} bn {act}"
    if name == "digits" and rng.random() < 0.2:
        words = ["picture conv8k3 relu pool2 flat", f"{width} {act}"]
    large = name.startswith("digits")
    epochs = rng.choice([5, 8]) if large else rng.choice([40, 60])
    rate = round(rng.uniform(low, high), 5)
    batch = rng.choice([16, 32, 64] if large else [8, 16, 32])
    algorithm = "SGD" if optimizer == "momentum" else optimizer
    made = recipe(name, " ".join([*words, head]), task=task, optim=(algorithm, rate), batch=batch, epochs=epochs)
    delta = dict(extra)
    if act == "tanh":
        delta["model.init.weights"] = "xavier_uniform"
    if rng.random() < 0.2:
        delta["model.init"] = None
    if optimizer == "momentum":
        delta["optim.momentum"] = 0.9
    if rng.random() < 0.3:
        delta["optim.weight_decay"] = 0.01 if optimizer == "AdamW" else 1e-4
    schedule = rng.choice([None, None, "cosine", "step", "warmup", "cycle"])
    if schedule == "cosine":
        delta["schedule"] = {"type": "CosineAnnealingLR", "unit": "epoch"}
    if schedule == "step":
        delta["schedule"] = {"type": "StepLR", "step_size": max(2, epochs // 2), "gamma": 0.3, "unit": "epoch"}
    if schedule == "warmup":
        delta["schedule"] = {"type": "constant", "unit": "step", "warmup": {"steps": 15, "start": 0.0}}
    if schedule == "cycle":
        delta["schedule"] = {"type": "OneCycleLR", "unit": "step", "max_lr": made["optim"]["lr"] * 2}
    if rng.random() < 0.15:
        delta["train.clip_grad_norm"] = 5.0
    return well(f"H{index:03}-{name}-{optimizer}", changed(made, delta), metric, least)


def crowd(count):
    return [drawn(index) for index in range(count)]


def bases():
    return [well(f"B-{name}", made, metric, least) for name, (made, metric, least) in BASES.items()]
