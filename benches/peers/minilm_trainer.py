"""MiniLM-L6 fine-tuned whole on the SMS spam rows with transformers' Trainer at its best settings on a CPU: batches padded
to their longest message, grouped by length, bf16, fused AdamW. Prints seconds and test accuracy as JSON.

    python benches/peers/minilm_trainer.py WEIGHTS SPLITS.json [--epochs 3] [--threads 2]

SPLITS.json holds {"train": [[text, label], …], "valid": …, "test": …}: the rows that Luthier's run used.
"""

import argparse
import json
import os
import tempfile
import time

began = time.perf_counter()
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from torch import nn
from transformers import AutoTokenizer, BertModel, BertPreTrainedModel, DataCollatorWithPadding, Trainer, TrainingArguments
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanClassifier(BertPreTrainedModel):
    """A linear head over the masked mean, as Luthier's `pool = "mean"`."""

    def __init__(self, config):
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, labels=None):
        hidden = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]
        mask = attention_mask[..., None].to(hidden.dtype)
        logits = self.classifier(self.dropout((hidden * mask).sum(1) / mask.sum(1)))
        loss = nn.functional.cross_entropy(logits.float(), labels) if labels is not None else None
        return SequenceClassifierOutput(loss=loss, logits=logits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("splits")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fp32", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.weights)
    with open(args.splits, encoding="utf8") as file:
        splits = json.load(file)

    def rows(name):
        texts, labels = zip(*splits[name])
        encoded = tokenizer(list(texts), truncation=True, max_length=128)
        return [{**{k: encoded[k][i] for k in encoded}, "labels": label} for i, label in enumerate(labels)]

    data = {name: rows(name) for name in splits}
    model = MeanClassifier.from_pretrained(args.weights, num_labels=2)
    with tempfile.TemporaryDirectory() as work:
        settings = TrainingArguments(
            output_dir=work,
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch,
            per_device_eval_batch_size=64,
            learning_rate=1e-4,
            weight_decay=0.01,
            warmup_steps=30,
            optim="adamw_torch_fused",
            bf16=not args.fp32,
            use_cpu=True,
            train_sampling_strategy="group_by_length",
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_steps=1000,
            seed=123,
        )
        accuracy = lambda output: {"accuracy": float((output.predictions.argmax(-1) == output.label_ids).mean())}
        trainer = Trainer(
            model,
            settings,
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=data["train"],
            eval_dataset=data["valid"],
            processing_class=tokenizer,
            compute_metrics=accuracy,
        )
        trainer.train()
        test = trainer.evaluate(data["test"])["eval_accuracy"]
        trained = trainer.evaluate(data["train"])["eval_accuracy"]
    print(json.dumps({"seconds": time.perf_counter() - began, "test": test, "train": trained}))


if __name__ == "__main__":
    main()
