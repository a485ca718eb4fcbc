"""k-means of 50,000 x 128 features into 1,000 clusters, 20 rounds: Luthier against faiss-cpu and scikit-learn.

    python benches/peers/kmeans.py [--threads 2] [--repeats 5]

All begin with the same centres, make the same number of rounds, and assign every row to the last centres at the end; they
take turns in one run with the same number of threads. Printed: medians of seconds, the sum of squared distances, and the
peers' times over Luthier's: medians of the ratios within a turn, and of the fastest turns, which a busy machine disturbs less.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from run import MALLOC

REPO = Path(__file__).resolve().parents[2]
WIDTH = 128


def embeddings(rows):
    """Unit vectors around 3,000 directions, as an encoder that has begun to tell things apart gives them."""
    draw = np.random.default_rng(3)
    heaps = draw.normal(size=(3000, WIDTH))
    points = heaps[draw.integers(0, len(heaps), rows)] + draw.normal(size=(rows, WIDTH))
    return np.ascontiguousarray(points / np.linalg.norm(points, axis=1, keepdims=True), dtype=np.float32)


def with_faiss(x, clusters, rounds):
    trained = faiss.Kmeans(WIDTH, clusters, niter=rounds, max_points_per_centroid=len(x), min_points_per_centroid=1)
    trained.train(x, init_centroids=x[:clusters])
    distances, _ = trained.index.search(x, 1)
    return float(distances.astype(np.float64).sum())


def with_sklearn(x, clusters, rounds):
    trained = KMeans(clusters, init=x[:clusters], n_init=1, max_iter=rounds, tol=0, algorithm="lloyd").fit(x)
    return float(trained.inertia_)


def build():
    command = ["cargo", "build", "--release", "--quiet", "--package", "luthier-contrast", "--example", "kmeans_time"]
    subprocess.run(command, check=True, cwd=REPO)
    return str(REPO / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/kmeans_time")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--binary", help="the built example `kmeans_time`; built if not given")
    args = parser.parse_args()
    binary = args.binary or build()
    x = embeddings(args.rows)
    faiss.omp_set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.f32"
        x.tofile(path)
        command = [binary, path, WIDTH, args.clusters, args.rounds, args.threads]
        environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "GLIBC_TUNABLES": MALLOC}
        ours = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env=environment)

        def ask(word):
            ours.stdin.write(word + "\n")
            ours.stdin.flush()
            return [float(number) for number in ours.stdout.readline().split()]

        seen = {"Luthier": [], "faiss-cpu": [], "scikit-learn": []}
        inertia = {}
        for turn in range(args.repeats + 1):
            seconds, inertia["Luthier"], rounds = ask("run")
            times = {"Luthier": seconds}
            for name, peer in (("faiss-cpu", with_faiss), ("scikit-learn", with_sklearn)):
                with threadpool_limits(args.threads):
                    began = time.perf_counter()
                    inertia[name] = peer(x, args.clusters, args.rounds)
                    times[name] = time.perf_counter() - began
            # the first turn warms everyone up
            if turn > 0:
                for name, value in times.items():
                    seen[name].append(value)
        start = statistics.median(ask("start")[0] for _ in range(3))
        ours.stdin.close()
        ours.wait()
    shape = f"{args.rows} x {WIDTH}, {args.clusters} clusters, {args.rounds} rounds ({rounds:.0f} made), threads {args.threads}"
    print(shape)
    for name, values in seen.items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"  {name:13} {statistics.median(values):7.3f} s   ({spread})   n={len(values)}   inertia {inertia[name]:.2f}")
    for name, bar in (("faiss-cpu", 1.0), ("scikit-learn", 5.0)):
        ratio = statistics.median(theirs / mine for theirs, mine in zip(seen[name], seen["Luthier"]))
        off = abs(inertia[name] / inertia["Luthier"] - 1)
        best = min(seen[name]) / min(seen["Luthier"])
        print(f"  {name:13} {ratio:5.2f}x   (bar {bar:.1f})   {best:.2f}x by the fastest turns   inertia {100 * off:.4f} % apart")
    print(f"  k-means++ start of Luthier: {start:.3f} s beside that; the peers' were given as well")


if __name__ == "__main__":
    main()
