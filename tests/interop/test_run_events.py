"""The event file of a real run, read back by the tensorboard package: the numbers are those of the metrics stream."""

import json
import unittest

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from common import run


class RunEvents(unittest.TestCase):
    def test_scalars_are_those_of_the_metrics_stream(self):
        events = EventAccumulator(str(run() / "tensorboard"), size_guidance={"scalars": 0})
        events.Reload()
        tags = events.Tags()["scalars"]
        for tag in ["loss/train", "loss/valid", "accuracy/train", "accuracy/valid", "grad_norm"]:
            self.assertIn(tag, tags)
        self.assertTrue(any(tag.startswith("lr/") for tag in tags), tags)
        lines = [json.loads(line) for line in (run() / "metrics.jsonl").read_text().splitlines()]
        steps = [line for line in lines if line["event"] == "step"]
        self.assertGreater(len(steps), 1)
        norms = events.Scalars("grad_norm")
        self.assertEqual([norm.step for norm in norms], [step["update"] for step in steps])
        for norm, step in zip(norms, steps):
            self.assertAlmostEqual(norm.value, step["grad_norm"], places=4)


if __name__ == "__main__":
    unittest.main()
