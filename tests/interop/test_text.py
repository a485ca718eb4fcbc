"""Text classifiers there and back: weights and tokenizers that transformers saved are fine-tuned here, and what is exported
transformers loads, with the same probabilities on a padded batch."""

import json
import tempfile
import unittest
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

from common import ROOT, luthier

TOKENS = ROOT / "crates" / "luthier-data" / "tests" / "fixtures" / "tokens"
TEXTS = ["free prize, call now", "are we still on for lunch?", "WINNER", "love you, see you at home tonight then"]

RECIPE = """
name = "text"
task = "text-classification"
[data]
format = "tsv"
train = "rows.tsv"
columns = {{ label = 0, text = 1 }}
{tokenizer}
[model]
arch = "{arch}"
weights = "start"
[optim]
type = "AdamW"
lr = 1e-3
[train]
epochs = 1
batch_size = 4
precision = "fp32"
"""


class Text(unittest.TestCase):
    def there_and_back(self, arch, model, tokenizer, more=""):
        with tempfile.TemporaryDirectory(prefix="luthier-interop-") as keep:
            folder = Path(keep)
            model.save_pretrained(folder / "start")
            tokenizer.save_pretrained(folder / "start")
            rows = [("spam" if index % 2 else "ham", text) for index, text in enumerate(TEXTS * 4)]
            (folder / "rows.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in rows))
            (folder / "recipe.toml").write_text(RECIPE.format(arch=arch, tokenizer=more))
            luthier("train", folder / "recipe.toml", "--out", folder / "run", "-q")
            said = [json.loads(line) for line in luthier(
                "predict", folder / "run", "--json", *[f"--text={text}" for text in TEXTS]).splitlines()]
            ours = torch.tensor([[{c["class"]: c["probability"] for c in row["classes"]}[name]
                                  for name in ("ham", "spam")] for row in said])
            luthier("export", folder / "run", "--to", "hf", folder / "out")
            theirs = AutoModelForSequenceClassification.from_pretrained(folder / "out").eval()
            again = AutoTokenizer.from_pretrained(folder / "out")
            again.pad_token = again.pad_token or again.convert_ids_to_tokens(theirs.config.pad_token_id)
            self.assertEqual(theirs.config.id2label, {0: "ham", 1: "spam"})
            with torch.no_grad():
                probabilities = theirs(**again(TEXTS, padding=True, return_tensors="pt")).logits.softmax(-1)
            self.assertLess((probabilities - ours).abs().max().item(), 1e-4)

    def test_gpt2(self):
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(TOKENS / "bpe-saved")
        config = GPT2Config(vocab_size=len(tokenizer) + 1, n_positions=64, n_embd=32, n_layer=2, n_head=4)
        pad = tokenizer.convert_ids_to_tokens(0)
        self.there_and_back("gpt2", GPT2LMHeadModel(config), tokenizer, f"pad_token = {json.dumps(pad)}")

    def test_bert(self):
        torch.manual_seed(0)
        tokenizer = AutoTokenizer.from_pretrained(TOKENS / "wordpiece-saved")
        config = BertConfig(vocab_size=len(tokenizer) + 1, max_position_embeddings=64, hidden_size=32,
                            num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
        self.there_and_back("bert", BertModel(config), tokenizer)


if __name__ == "__main__":
    unittest.main()
