"""Recipes as dictionaries: made from a few words, changed by dotted keys, written as TOML."""

import copy
import json
import re

import data

ACTS = {"relu", "leaky_relu", "gelu", "tanh", "sigmoid", "elu", "softmax", "identity"}


def layers(words):
    """`"64 relu d.2 bn conv8k5 pool2 flat classes"` as the list that `model.layers` takes."""
    made = []
    for word in words.split():
        conv = re.fullmatch(r"conv(\d+)k(\d+)", word)
        if word in ACTS:
            made.append({"act": word})
        elif word.isdigit() or word in ("classes", "targets"):
            made.append({"linear": int(word) if word.isdigit() else word})
        elif word in ("bn", "ln"):
            made.append({"batch_norm" if word == "bn" else "layer_norm": True})
        elif conv:
            made.append({"conv": int(conv[1]), "kernel": int(conv[2])})
        elif word.startswith("d."):
            made.append({"dropout": float("0" + word[1:])})
        elif word.startswith("pool"):
            made.append({"max_pool": int(word[4:])})
        elif word == "flat":
            made.append({"flatten": True})
        elif word == "picture":
            made.append({"unflatten": [1, 28, 28]})
        else:
            raise ValueError(f"what is `{word}`?")
    return made


def recipe(name, net, *, task="classification", loss=None, optim=("SGD", 0.1), batch=32, epochs=4, init="he_normal", **more):
    """A recipe on the set `name`. `more` are dotted keys with `__` for the dot."""
    made = {
        "name": "case",
        "task": task,
        "data": {"set": name},
        "model": {"arch": "sequential", "layers": layers(net), "init": {"weights": init, "bias": 0.0}},
        "loss": {"type": loss or ("mse" if task == "regression" else "cross_entropy")},
        "optim": {"type": optim[0], "lr": optim[1]},
        "train": {
            "epochs": epochs,
            "batch_size": batch,
            # a checkpoint costs more than an epoch of these runs: only the last is needed
            "checkpoint": {"every": {"epochs": epochs}, "keep": 1},
        },
        "eval": {"metric": "r2" if task == "regression" else "accuracy", "every": {"epochs": max(1, epochs // 25)}},
    }
    return changed(made, {key.replace("__", "."): value for key, value in more.items()})


def changed(made, delta):
    """The recipe with some dotted keys set, and those taken out that are set to None."""
    made = copy.deepcopy(made)
    for key, value in delta.items():
        *path, last = re.findall(r"[^.\[\]]+", key)
        table = made
        for step in path:
            table = table[int(step)] if isinstance(table, list) else table.setdefault(step, {})
        if value is None:
            table.pop(last, None)
        elif isinstance(table, list):
            table[int(last)] = value
        else:
            if last == "epochs" and path == ["train"]:
                made["train"]["checkpoint"] = {"every": {"epochs": value}, "keep": 1}
                made["eval"]["every"] = {"epochs": max(1, value // 25)}
            table[last] = layers(value) if key == "model.layers" and isinstance(value, str) else value
    return made


def value(item):
    """A TOML value."""
    if isinstance(item, dict):
        return "{ " + ", ".join(f"{key} = {value(entry)}" for key, entry in item.items()) + " }"
    if isinstance(item, list):
        return "[" + ", ".join(value(entry) for entry in item) + "]"
    return json.dumps(item)


def text(made, folder, seed):
    """The recipe as TOML; its data set is written to `folder` if it is not there."""
    made = copy.deepcopy(made)
    name = made["data"].pop("set")
    features, targets = data.write(name, folder)
    columns = list(range(features, features + targets))
    paths = {part: str(folder / f"{name}-{part}.csv") for part in ("train", "valid")}
    made["data"] = {"format": "csv", **paths, "header": False, "target": columns if targets > 1 else columns[0], **made["data"]}
    made["seed"] = seed
    lines = [f"{key} = {value(item)}" for key, item in made.items() if not isinstance(item, dict)]
    for key, table in made.items():
        if isinstance(table, dict) and table:
            lines += ["", f"[{key}]"] + [f"{name} = {value(item)}" for name, item in table.items()]
    return "\n".join(lines) + "\n"
