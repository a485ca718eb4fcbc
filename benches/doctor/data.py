"""The data of the doctor's bench: invented, seeded, always the same ones. A set is `<name>-train.csv` and `<name>-valid.csv`.

No file has a header line; the target stands last, but for `bits*` and `autoencoder*`, whose last columns are all targets.
"""

import csv
import threading

import numpy as np

ONE_AT_A_TIME = threading.Lock()

# strokes of ten signs, as lines between points of a 28 × 28 square: (row, column) to (row, column)
STROKES = [
    [(6, 9, 6, 19), (6, 19, 21, 19), (21, 19, 21, 9), (21, 9, 6, 9)],
    [(5, 14, 22, 14)],
    [(6, 9, 6, 19), (6, 19, 14, 19), (14, 19, 14, 9), (14, 9, 22, 9), (22, 9, 22, 19)],
    [(6, 9, 6, 19), (13, 11, 13, 19), (21, 9, 21, 19), (6, 19, 21, 19)],
    [(5, 9, 14, 9), (14, 9, 14, 20), (5, 17, 22, 17)],
    [(6, 19, 6, 9), (6, 9, 13, 9), (13, 9, 13, 19), (13, 19, 21, 19), (21, 19, 21, 9)],
    [(5, 14, 14, 8), (14, 8, 21, 9), (21, 9, 21, 18), (21, 18, 14, 18), (14, 18, 14, 8)],
    [(6, 8, 6, 20), (6, 20, 22, 11)],
    [(5, 8, 22, 20), (5, 20, 22, 8), (13, 6, 13, 22)],
    [(6, 18, 6, 10), (6, 10, 13, 10), (13, 10, 13, 18), (6, 18, 22, 18)],
]


def prototype(lines):
    """A sign as a 28 × 28 picture in [0, 1], its strokes about two pixels wide."""
    rows, columns = np.mgrid[0:28, 0:28].astype(float)
    picture = np.zeros((28, 28))
    for r0, c0, r1, c1 in lines:
        length = (r1 - r0) ** 2 + (c1 - c0) ** 2
        along = np.clip(((rows - r0) * (r1 - r0) + (columns - c0) * (c1 - c0)) / length, 0, 1)
        distance = np.hypot(rows - r0 - along * (r1 - r0), columns - c0 - along * (c1 - c0))
        picture = np.maximum(picture, np.clip(1.8 - distance, 0, 1))
    return picture


def digits(rng, count, shift=2, noise=0.08):
    """`count` pictures, moved by up to `shift` pixels, with noise: 784 numbers in [0, 1] each, and their classes."""
    signs = [prototype(lines) for lines in STROKES]
    classes = rng.permutation(np.arange(count) % 10)
    moves = rng.integers(-shift, shift + 1, (count, 2))
    pictures = np.stack([np.roll(signs[k], move, (0, 1)) for k, move in zip(classes, moves)])
    pictures = np.clip(pictures + rng.normal(0, noise, pictures.shape), 0, 1)
    return pictures.reshape(count, 784), classes


def flip(rng, labels, share, classes):
    """The labels with a share of them drawn anew from the other classes."""
    wrong = rng.random(len(labels)) < share
    return np.where(wrong, (labels + rng.integers(1, classes, len(labels))) % classes, labels)


def rings(rng, count, noise):
    """Two rings around each other: no line separates them."""
    labels = np.arange(count) % 2
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.where(labels, 1.0, 2.0) + rng.normal(0, noise, count)
    return np.c_[radius * np.cos(angle), radius * np.sin(angle)], labels


def blobs(rng, count, centres, spread):
    centres = np.asarray(centres, float)
    labels = rng.permutation(np.arange(count) % len(centres))
    return centres[labels] + rng.normal(0, spread, (count, centres.shape[1])), labels


def cars(rng, count):
    """Nine columns of very different size, and a fuel consumption of 9 to 47 that follows from them."""
    size = rng.beta(2, 3, count)
    cylinders = np.digitize(size, [0.35, 0.6]) * 2 + 4
    weight = 1600 + 3500 * size + rng.normal(0, 150, count)
    power = 45 + 180 * size + rng.normal(0, 10, count)
    displacement = 70 + 385 * size + rng.normal(0, 15, count)
    acceleration = 24 - 0.06 * power + rng.normal(0, 1, count)
    year = rng.integers(70, 83, count)
    origin = np.eye(3)[rng.integers(0, 3, count)]
    mpg = 46 - 34 * size**0.8 + 0.7 * (year - 76) + 2 * origin[:, 2] + rng.normal(0, 1.2, count)
    columns = [cylinders, displacement, power, weight, acceleration, year, origin]
    return np.column_stack(columns), np.clip(mpg, 9, 47)


def makers():
    """Name to a function of a random generator that gives train features, train targets, valid features, valid targets."""

    def both(make):
        """Train and validation part drawn by the same rule."""

        def made(rng):
            x, y, count = make(rng)
            return x[:count], y[:count], x[count:], y[count:]

        return made

    def same(make):
        """The same rows for both: what is asked is whether they can be learned."""
        return lambda rng: (lambda x, y: (x, y, x, y))(*make(rng))

    def pictures(train=1500, valid=500, times=1.0, noise=0.0, change=None, shift=2, grain=0.08):
        def made(rng):
            x, y = digits(rng, train + valid, shift, grain)
            x = np.round(x * 255) if times == 255 else x * times
            tx, ty, vx, vy = x[:train], y[:train], x[train:], y[train:]
            if noise:
                ty = flip(rng, ty, noise, 10)
            return change(rng, tx, ty, vx, vy) if change else (tx, ty, vx, vy)

        return made

    def misplaced(rng, tx, ty, vx, vy):
        return tx[rng.permutation(len(tx))], ty, vx, vy

    def holed(rng, tx, ty, vx, vy):
        tx = tx.copy()
        tx[700, 400] = np.nan
        return tx, ty, vx, vy

    def ordered(rng, tx, ty, vx, vy):
        order = np.argsort(ty, kind="stable")
        return tx[order], ty[order], vx, vy

    def divided(rng, tx, ty, vx, vy):
        return tx, ty // 10, vx, vy

    def leaked(rng, tx, ty, vx, vy):
        """Half of the validation rows are training rows."""
        rows = rng.choice(len(tx), len(vx) // 2, replace=False)
        return tx, ty, np.r_[tx[rows], vx[: len(vx) // 2]], np.r_[ty[rows], vy[: len(vx) // 2]]

    def contradicting(rng, tx, ty, vx, vy):
        """Every picture twice, the second time with another label."""
        return np.r_[tx, tx], np.r_[ty, (ty + rng.integers(1, 10, len(ty))) % 10], vx, vy

    def otherwise(rng, tx, ty, vx, vy):
        """Validation pictures white on black, training pictures black on white."""
        return tx, ty, 1 - vx, vy

    def quad(rng):
        x = np.arange(50) / 10
        y = 5 * x**2 + rng.normal(0, 1, 50) ** 3
        return x[:, None], y

    def bits(shuffled):
        def made(rng):
            x = np.array([[n >> b & 1 for b in range(8)] for n in range(256)], float)
            return x, x[rng.permutation(256)] if shuffled else x

        return made

    def uneven(rng, count=1500, share=0.1, apart=1.6):
        y = (rng.random(count) < share).astype(int)
        x = rng.normal(0, 1, (count, 4)) + apart * y[:, None]
        return x, y, count * 2 // 3

    def coded(standard):
        """Pictures of 8 × 8 whose targets are they themselves, in [0, 1] or standardised."""

        def made(rng):
            x, _ = digits(rng, 1200)
            x = x.reshape(-1, 28, 28)[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean((2, 4)).reshape(-1, 64)
            if standard:
                x = (x - x.mean(0)) / (x.std(0) + 1e-3)
            return x, x, 900

        return made

    line = lambda rng: (lambda x: (x[:, None], 3 * x + 1 + rng.normal(0, 0.3, 8)))(rng.uniform(-8, 8, 8))
    wide = lambda rng: (lambda x: (x, x @ np.array([2.0, 0.5, 1e-3, 3e-5]) + rng.normal(0, 0.5, len(x)), 400))(
        rng.normal(0, 1, (600, 4)) * np.array([1, 10, 1e3, 1e5])
    )
    long = np.arange(0, 100.0)
    four = np.arange(4.0)
    return {
        "xor": same(lambda rng: (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float), np.array([0, 1, 1, 0]))),
        "quad": same(quad),
        "quartic": same(lambda rng: (lambda x: (x[:, None], x**4))(np.arange(-100, 100, 0.5))),
        "square": same(lambda rng: (lambda x: (x[:, None], x**2))(np.arange(-10.0, 11))),
        "iris": both(lambda rng: (*blobs(rng, 300, [[5, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.1]], [0.3, 0.25, 0.25, 0.12]), 150)),
        "digits": pictures(),
        "digits-raw": pictures(times=255),
        "digits-tiny": pictures(times=1 / 255),
        "digits-noise20": pictures(noise=0.2),
        "digits-noise50": pictures(noise=0.5),
        "digits-hard": pictures(train=400, noise=0.1, shift=4, grain=0.25),
        "digits-few": pictures(train=130, noise=0.1, shift=4, grain=0.3),
        "digits-misaligned": pictures(change=misplaced),
        "digits-nan": pictures(change=holed),
        "digits-sorted": pictures(change=ordered),
        "digits-labels-divided": pictures(change=divided),
        "digits-leaked": pictures(train=300, shift=4, grain=0.45, change=leaked),
        "digits-twice": pictures(train=750, change=contradicting),
        "digits-valid-inverted": pictures(change=otherwise),
        "cars": both(lambda rng: (*cars(rng, 392), 300)),
        "cars-signed": both(lambda rng: (lambda x, y: (x, (y - 28) / 19, 300))(*cars(rng, 392))),
        "cars-large": both(lambda rng: (lambda x, y: (x, y * 1e7, 300))(*cars(rng, 392))),
        "negative": same(lambda rng: (lambda x: (x, -1.5 - 0.5 * x[:, 0] - 0.3 * x[:, 1] + rng.normal(0, 0.03, 17)))(rng.uniform(0, 1, (17, 2)))),
        "line": same(line),
        "long-line": same(lambda rng: (long[:, None], 2 * long + 4 + 10 * rng.random(100))),
        "four": same(lambda rng: (np.c_[four, four**2], 0.5 * four**2 + four + 2)),
        "wide": both(wide),
        "uneven": both(uneven),
        "uneven-slight": both(lambda rng: uneven(rng, apart=0.7)),
        "separable": both(lambda rng: (*blobs(rng, 900, [[0, 0, 0], [3, 3, 0], [0, 3, 3]], 0.6), 600)),
        "rings": both(lambda rng: (*rings(rng, 900, 0.15), 600)),
        "pairs": same(lambda rng: blobs(rng, 299, [[-1.2, -1], [1.2, 1]], 0.45)),
        "bits": same(bits(False)),
        "bits-shuffled": same(bits(True)),
        "autoencoder": both(coded(False)),
        "autoencoder-standard": both(coded(True)),
    }


def write(name, folder):
    """Writes a set unless it is there; its numbers of features and of targets."""
    paths = [folder / f"{name}-{part}.csv" for part in ("train", "valid")]
    with ONE_AT_A_TIME:
        if not all(path.exists() for path in paths):
            # parts of a family hold the same pictures, so that only their fault tells them apart
            rng = np.random.default_rng(sum(map(ord, name.split("-")[0])))
            tx, ty, vx, vy = makers()[name](rng)
            write_rows(paths[0], tx, ty)
            write_rows(paths[1], vx, vy)
    with open(paths[0]) as file:
        columns = file.readline().count(",") + 1
    targets = {"bits": 8, "autoencoder": 64}.get(name.split("-")[0], 1)
    return columns - targets, targets


def write_rows(path, x, y):
    y = np.asarray(y).reshape(len(x), -1)
    whole = np.issubdtype(y.dtype, np.integer)
    draft = path.with_suffix(".part")
    with open(draft, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        for features, targets in zip(x, y):
            told = [f"{v:.6g}" for v in features]
            rows.writerow(told + [int(v) if whole else f"{v:.7g}" for v in targets])
    draft.rename(path)
