"""Faults with a known cause: a healthy base, and what is changed in it.

The first category of a case is the cause; the others are accepted as well, because they name the same thing from another
side or cure it. `fix` is false where no change of a recipe can help: the data themselves are wrong.
"""

from recipe import changed, recipe

REG = {"task": "regression"}
DEEP = "32 relu 32 relu 32 relu 32 relu 32 relu 32 relu classes"

# name: the recipe, the metric that judges it, and what it must reach
BASES = {
    "xor": (recipe("xor", "4 tanh 1", loss="bce", optim=("Adam", 0.05), batch=4, epochs=500, init="xavier_normal"), "accuracy", 1.0),
    "quad": (recipe("quad", "50 relu 30 relu targets", **REG, optim=("SGD", 0.03), epochs=300, data__scale="standardize", data__scale_target="standardize"), "r2", 0.93),
    "quartic": (recipe("quartic", "50 sigmoid 50 elu targets", **REG, optim=("Adam", 0.003), batch=400, epochs=600, init="xavier_normal", data__scale="standardize", data__scale_target="standardize"), "r2", 0.93),
    "square": (recipe("square", "5 sigmoid targets", **REG, optim=("SGD", 0.01), batch=21, epochs=1000, init="xavier_normal"), "r2", 0.75),
    "negative": (recipe("negative", "4 relu targets", **REG, optim=("SGD", 0.05), batch=10, epochs=300), "r2", 0.6),
    "iris": (recipe("iris", "8 relu classes", optim=("Adam", 0.005), batch=5, epochs=40, data__scale="standardize"), "accuracy", 0.95),
    "digits": (recipe("digits", "64 relu classes"), "accuracy", 0.97),
    "digits-deep": (recipe("digits", DEEP, epochs=6), "accuracy", 0.93),
    "digits-adam": (recipe("digits", "64 relu classes", optim=("Adam", 0.001), epochs=5), "accuracy", 0.97),
    "digits-cnn": (recipe("digits", "picture conv8k5 relu pool2 conv16k3 relu pool2 flat 64 relu classes", optim=("SGD", 0.05)), "accuracy", 0.97),
    "digits-bn": (recipe("digits", "64 bn relu 64 bn relu classes", optim=("SGD", 0.05)), "accuracy", 0.95),
    "digits-hard": (recipe("digits-hard", "128 relu classes", optim=("Adam", 0.001), epochs=12), "accuracy", 0.55),
    "cars": (recipe("cars", "64 relu 64 relu targets", **REG, optim=("Adam", 0.001), epochs=60, data__scale="standardize", data__scale_target="minmax", optim__weight_decay=1e-5), "r2", 0.85),
    "cars-sgd": (recipe("cars", "64 relu 64 relu targets", **REG, optim=("SGD", 0.02), epochs=60, data__scale="standardize", data__scale_target="standardize"), "r2", 0.85),
    "cars-signed": (recipe("cars-signed", "64 relu 64 relu targets", **REG, optim=("Adam", 0.001), epochs=60, data__scale="standardize"), "r2", 0.85),
    "cars-large": (recipe("cars-large", "64 relu 64 relu targets", **REG, optim=("Adam", 0.001), epochs=60, data__scale="standardize", data__scale_target="standardize"), "r2", 0.85),
    "line": (recipe("line", "targets", **REG, optim=("SGD", 0.01), batch=8, epochs=400), "r2", 0.95),
    "long-line": (recipe("long-line", "targets", **REG, batch=100, epochs=100, data__scale="standardize", data__scale_target="standardize"), "r2", 0.95),
    "four": (recipe("four", "targets", **REG, optim=("SGD", 0.01), batch=4, epochs=2000), "r2", 0.95),
    "wide": (recipe("wide", "targets", **REG, optim=("Adam", 0.01), epochs=30, data__scale="standardize", data__scale_target="standardize"), "r2", 0.9),
    "pairs": (recipe("pairs", "8 relu 1", loss="bce", optim=("Adam", 0.01), epochs=20), "accuracy", 0.97),
    "rings": (recipe("rings", "32 relu 32 relu 1", loss="bce", optim=("Adam", 0.005), epochs=20), "accuracy", 0.95),
    "uneven": (recipe("uneven", "16 relu classes", optim=("Adam", 0.003), epochs=15, loss__class_weights="balanced"), "balanced", 0.85),
    "bits": (recipe("bits", "32 relu 32 relu targets", **REG, optim=("Adam", 0.005), batch=32, epochs=60), "r2", 0.9),
    "autoencoder": (recipe("autoencoder", "32 relu targets", **REG, optim=("Adam", 0.003), epochs=30, model__output="sigmoid"), "r2", 0.5),
    "autoencoder-standard": (recipe("autoencoder-standard", "32 relu targets", **REG, optim=("Adam", 0.003), epochs=30), "r2", 0.7),
}


def case(name, base, categories, delta, fix=True, seen="target", least=None, planted=1):
    """One fault. `seen` says what shows it: `target`, the missed target; `given`, that it is there by construction.

    `planted` is how many faults it is really: so many cures may be needed, one after the other.
    """
    made, metric, target = BASES[base]
    least = target if least is None else least
    return {"id": name, "base": base, "categories": categories.split(), "delta": delta, "fix": fix, "seen": seen, "recipe": made, "metric": metric, "least": least, "planted": planted}


SIGMOIDS = "32 sigmoid " * 6 + "classes"
FAULTS = [
    # output and loss
    case("O03-softmax-width-1", "pairs", "output loss", {"model.output": "softmax", "loss.input": "probabilities"}),
    case("O06-relu-negative-targets", "negative", "output", {"model.output": "relu"}),
    case("O07-sigmoid-targets-100", "square", "output data", {"model.output": "sigmoid"}),
    case("O08-relu-as-probabilities", "digits-cnn", "output loss", {"model.output": "relu", "loss.input": "probabilities"}),
    case("O09-relu-on-logits", "digits", "output loss", {"model.output": "relu"}),
    case("O10-softmax-twice", "digits", "loss output", {"model.output": "softmax"}),
    case("O13-sigmoid-before-ce-hard", "digits-hard", "loss output", {"model.output": "sigmoid"}),
    case("O18-mse-on-softmax", "digits", "loss output optimizer", {"model.output": "softmax", "loss.type": "mse"}),
    case("O20-sigmoid-signed-targets", "cars-signed", "output data", {"model.output": "sigmoid"}),
    case("O21-tanh-targets-47", "cars", "output data", {"model.output": "tanh", "data.scale_target": "none"}),
    # with logits and a start of the right size its rate leaves 0.85 after four epochs, four times the rate 0.998: three faults
    case("O22-log-of-logits", "digits", "loss output", {"model.layers": "512 sigmoid classes", "model.init": {"weights": "normal", "std": 1.0, "bias": 0.0}, "optim.lr": 0.05, "loss.input": "probabilities"}, planted=3),
    case("O15-logits-as-probabilities", "digits-cnn", "loss output data regularization", {"loss.input": "probabilities", "data.set": "digits-raw"}, planted=2),
    case("X33-sigmoid-standardised-picture", "autoencoder-standard", "output data", {"model.output": "sigmoid"}),
    case("R09-mae-and-slow", "xor", "optimizer loss", {"model.layers": "4 sigmoid 1", "model.output": "sigmoid", "loss.type": "mae", "optim.type": "SGD", "optim.lr": 0.05, "optim.momentum": 0.11}, planted=2),
    case("L03-mae-on-classes", "digits", "loss output", {"loss.type": "mae", "model.output": "softmax"}),
    case("L01-sum", "digits", "loss optimizer", {"loss.reduction": "sum"}),
    case("L01-sum-wide", "digits", "loss optimizer", {"model.layers": "256 relu 256 relu classes", "loss.reduction": "sum", "train.batch_size": 100}),
    case("L02-sum-of-squares", "four", "loss optimizer", {"loss.reduction": "sum"}),
    case("L08-weights-inverted", "uneven", "loss data", {"loss.class_weights": [1.8, 0.2]}),
    case("L16-smoothing-.99", "digits", "loss regularization", {"loss.label_smoothing": 0.99}),
    case("L17-class-weight-zero", "digits", "loss", {"loss.class_weights": [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}),
    # optimizer
    case("R02-rate-above-curvature", "line", "optimizer data", {"optim.lr": 0.1}),
    case("R03-raw-line", "long-line", "optimizer data", {"optim.lr": 0.5, "data.scale": "none", "data.scale_target": "none"}, planted=2),
    case("R04-rate-2", "digits", "optimizer", {"optim.lr": 2.0}),
    case("R05-adam-1", "digits-adam", "optimizer", {"optim.lr": 1.0}),
    case("R05-adam-.1", "digits-adam", "optimizer", {"optim.lr": 0.1, "train.epochs": 10}),
    case("R06-momentum-.99", "digits", "optimizer", {"optim.momentum": 0.99, "optim.lr": 0.2}),
    case("R07-rate-1e-4", "digits", "optimizer", {"optim.lr": 1e-4}),
    case("R07-adam-1e-6", "digits-adam", "optimizer", {"optim.lr": 1e-6}),
    case("R08-too-few-updates", "digits", "optimizer loop", {"train.batch_size": 1500, "optim.lr": 0.01, "optim.momentum": 0.9, "train.epochs": 5}),
    case("R08-accumulated-away", "digits", "optimizer loop", {"train.grad_accum": 47, "optim.lr": 0.05}),
    case("R10-slow-rmsprop", "wide", "optimizer data", {"optim.type": "RMSprop", "optim.lr": 1e-4}),
    case("R11-high-on-table", "cars-sgd", "optimizer", {"optim.lr": 1.0}),
    case("R11-low-on-table", "cars-sgd", "optimizer", {"optim.lr": 2e-5}),
    case("R16-eps-1", "digits-adam", "optimizer", {"optim.eps": 1.0}),
    case("R17-head-not-moving", "digits-deep", "optimizer finetune", {"optim.groups": [{"match": "[024]*", "lr": 1e-9}, {"match": "[68]*", "lr": 1e-9}, {"match": "10*", "lr": 1e-9}]}),
    case("W03-decay-1", "digits", "regularization optimizer", {"optim.weight_decay": 1.0}),
    case("W02-l2-in-adam", "digits-hard", "optimizer regularization", {"optim.weight_decay": 0.5}),
    # schedule
    case("S01-step-lr-per-batch", "digits", "schedule", {"schedule": {"type": "StepLR", "step_size": 3, "gamma": 0.5, "unit": "step"}}),
    case("S01-adam", "digits-adam", "schedule", {"schedule": {"type": "StepLR", "step_size": 3, "gamma": 0.5, "unit": "step"}}),
    case("S02-exponential-per-batch", "digits", "schedule", {"schedule": {"type": "ExponentialLR", "gamma": 0.7, "unit": "step"}}),
    case("S03-milestones-per-batch", "digits", "schedule", {"schedule": {"type": "MultiStepLR", "milestones": [2, 4], "gamma": 0.01, "unit": "step"}}),
    case("S04-warmup-longer-than-run", "digits", "schedule", {"schedule": {"type": "constant", "unit": "step", "warmup": {"steps": 20000, "start": 0.0}}}),
    case("S05-linear-to-zero-early", "cars-sgd", "schedule", {"schedule": {"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 5, "unit": "step"}}),
    case("S07-one-cycle-too-high", "digits", "optimizer schedule", {"schedule": {"type": "OneCycleLR", "max_lr": 6.0, "unit": "step"}}),
    case("S08-stops-at-once", "digits-hard", "schedule loop", {"train.early_stopping": {"patience": 0, "min_delta": 0.2}}),
    case("S09-plateau-at-once", "cars", "schedule", {"schedule": {"type": "ReduceLROnPlateau", "patience": 0, "threshold": 0.9, "factor": 0.01, "unit": "epoch"}}),
    # init and activation
    case("I02-constant", "digits", "init", {"model.init": {"weights": "constant", "value": 0.01, "bias": 0.0}}),
    case("I01-zeros", "digits", "init", {"model.init": {"weights": "zeros", "bias": 0.0}}),
    case("I04-bias-minus-20", "digits", "init activation", {"model.init": {"weights": "he_normal", "bias": -20.0}}),
    case("I06-deep-.01", "digits-deep", "init", {"model.init": {"weights": "normal", "std": 0.01, "bias": 0.0}}),
    case("I07-deep-.5", "digits-deep", "init", {"model.init": {"weights": "normal", "std": 0.5, "bias": 0.0}}),
    case("I08-large-tanh", "digits-hard", "init activation", {"model.layers": "64 tanh 64 tanh classes", "model.init": {"weights": "normal", "std": 3.0, "bias": 0.0}}),
    case("I05-normal-1-conv", "digits-cnn", "init", {"model.init": {"weights": "normal", "std": 1.0, "bias": 0.0}}),
    case("A01-six-sigmoids", "digits-deep", "activation init", {"model.layers": SIGMOIDS, "model.init.weights": "xavier_normal"}),
    case("A02-eight-tanh-small", "digits-deep", "init activation", {"model.layers": "32 tanh " * 8 + "classes", "model.init": {"weights": "normal", "std": 0.02, "bias": 0.0}}),
    case("A03-sigmoid-bits", "bits", "activation optimizer", {"model.layers": "8 sigmoid 8 sigmoid 8 sigmoid targets", "model.output": "sigmoid", "model.init": {"weights": "normal", "std": 0.05, "bias": 0.0}, "optim.type": "SGD", "optim.lr": 0.01, "train.batch_size": 50}, planted=2),
    case("A04-no-activation", "rings", "activation", {"model.layers": "32 identity 32 identity 1"}),
    case("A05-softmax-inside", "digits-deep", "activation", {"model.layers": "32 softmax 32 softmax 32 softmax classes"}),
    # normalisation and regularisation
    case("N03-batch-norm-of-2", "digits-bn", "normalization", {"train.batch_size": 2, "train.epochs": 2}),
    case("N04-norm-before-output", "cars-signed", "normalization output", {"model.layers": "64 relu targets ln"}),
    case("D01-dropout-.9", "digits-hard", "regularization", {"model.layers": "128 relu d.9 128 relu d.9 classes"}),
    case("D02-dropout-input", "cars-sgd", "regularization", {"model.layers": "d.8 64 relu d.8 64 relu d.8 targets"}),
    case("L14-dropout-and-l2", "digits-hard", "regularization optimizer", {"model.layers": "128 relu d.5 128 relu d.5 classes", "optim.type": "SGD", "optim.lr": 0.1, "optim.weight_decay": 0.1}, planted=2),
    # data and labels
    case("X01-raw-pictures", "digits", "data", {"data.set": "digits-raw"}),
    case("X02-raw-pictures-deep", "digits-deep", "data", {"data.set": "digits-raw"}),
    case("X03-raw-table", "cars-sgd", "data", {"data.scale": "none"}),
    case("X04-raw-columns", "wide", "data", {"data.scale": "none", "optim.type": "SGD", "optim.lr": 0.05}),
    case("X05-large-targets", "cars-large", "data", {"data.scale_target": "none"}),
    case("X06-raw-quartic", "quartic", "data", {"data.scale": "none", "data.scale_target": "none"}),
    case("X08-raw-and-few-updates", "digits-cnn", "data optimizer", {"data.set": "digits-raw", "train.batch_size": 750}, planted=2),
    case("X09-scaled-twice", "digits", "data", {"data.set": "digits-tiny"}),
    case("X10-valid-inverted", "digits", "data evaluation", {"data.set": "digits-valid-inverted"}, fix=False),
    case("X11-labels-divided", "digits", "labels data", {"data.set": "digits-labels-divided"}, fix=False),
    case("X12-misaligned", "digits", "labels data", {"data.set": "digits-misaligned"}, fix=False),
    case("X12-misaligned-long", "digits", "labels data", {"data.set": "digits-misaligned", "train.epochs": 20}, fix=False),
    case("X13-labels-half-wrong", "digits-adam", "labels data regularization", {"data.set": "digits-noise50", "train.epochs": 20, "model.layers": "256 relu classes"}, fix=False),
    case("X14-too-few-outputs", "digits", "labels output", {"model.layers": "64 relu 9"}),
    case("X15-contradicting", "digits-adam", "labels data regularization", {"data.set": "digits-twice", "train.epochs": 15}, fix=False),
    case("X21-nan-cell", "digits", "data", {"data.set": "digits-nan", "data.on_error": "keep"}),
    case("X23-leak", "digits-hard", "data evaluation", {"data.set": "digits-leaked"}, fix=False, seen="given"),
    case("X24-sorted", "digits", "data loop", {"data.set": "digits-sorted", "train.shuffle": False}),
    case("A03-targets-unrelated", "bits", "labels data", {"data.set": "bits-shuffled", "train.epochs": 40}, fix=False),
    case("E02-uneven", "uneven", "data evaluation loss labels", {"data.set": "uneven-slight", "loss.class_weights": "none"}, least=0.68),
    # loop, parts that are not trained
    case("P03-clip-.01", "digits", "loop optimizer", {"train.clip_grad_norm": 0.01}),
    case("P03-clip-1e-4-table", "cars-sgd", "loop optimizer", {"train.clip_grad_norm": 1e-4}),
    case("P06-hidden-frozen", "digits-deep", "finetune optimizer", {"model.train": ["12.bias"]}),
    case("P06-head-frozen", "digits-cnn", "finetune optimizer init", {"model.freeze": ["*.weight"]}),
    case("P13-average-too-slow", "digits", "loop evaluation optimizer", {"train.ema": {"decay": 0.9999}}),
    case("F15-over-fit", "digits-hard", "regularization data", {"data.set": "digits-few", "model.layers": "512 relu 512 relu classes", "train.epochs": 60}, fix=False, seen="given"),
]


def faulty(fault):
    """The recipe with its fault in."""
    return changed(fault["recipe"], fault["delta"])
