"""The `tensorboard` package reads the event file of a made-up run: every scalar, at every step.

    python -m unittest discover tests/interop
"""

import json
import math
import subprocess
import tempfile
import unittest
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

REPO = Path(__file__).resolve().parents[2]


class TensorBoard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.run_dir = Path(cls.folder.name) / "run"
        # as `make test` has built it: asked for by itself, cargo would choose other features and build its crates again
        subprocess.run([REPO / "target" / "debug" / "examples" / "fake_run", cls.run_dir], check=True)
        # 0 keeps every scalar instead of a sample of them
        cls.events = EventAccumulator(str(cls.run_dir / "tensorboard"), size_guidance={"scalars": 0}).Reload()
        lines = (cls.run_dir / "metrics.jsonl").read_text().splitlines()
        cls.records = [json.loads(line) for line in lines]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def expect(self, tag, records, value):
        scalars = [(scalar.step, scalar.value) for scalar in self.events.Scalars(tag)]
        self.assertEqual([step for step, _ in scalars], [record["update"] for record in records], tag)
        for (step, got), record in zip(scalars, records):
            # scalars are 32-bit floats
            self.assertTrue(math.isclose(got, value(record), rel_tol=1e-6, abs_tol=1e-12), (tag, step, got))

    def test_every_scalar_is_there(self):
        steps = [record for record in self.records if record["event"] == "step"]
        evals = [record for record in self.records if record["event"] == "eval"]
        epochs = [record for record in self.records if record["event"] == "epoch"]
        self.assertEqual((len(steps), len(evals), len(epochs)), (120, 5, 5))
        self.expect("loss/train", steps, lambda record: record["loss"])
        self.expect("grad_norm", steps, lambda record: record["grad_norm"])
        self.expect("epoch", steps, lambda record: record["epochs"])
        self.expect("lr/all_others", steps, lambda record: record["lr"][0])
        self.expect("lr/fc", steps, lambda record: record["lr"][1])
        self.expect("accuracy/train", epochs, lambda record: record["accuracy"])
        self.expect("loss/valid", evals, lambda record: record["loss"])
        self.expect("accuracy/valid", evals, lambda record: record["accuracy"])
        self.assertEqual(len(self.events.Tags()["scalars"]), 8)

    def test_the_file_says_its_version_first(self):
        self.assertEqual(self.events.file_version, 2.0)


if __name__ == "__main__":
    unittest.main()
