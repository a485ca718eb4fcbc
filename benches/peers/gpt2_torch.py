"""One GPT-2 124M classifier step in PyTorch, two ways, as JSON: what benches/peers/spam.py holds Luthier against.

    python benches/peers/gpt2_torch.py as-written|best-tuned [--steps 12]

as-written  as teaching code has it: fp32, separate query, key and value layers, attention by hand with a mask that is
            filled in, GELU by its formula, every message padded to 120 tokens, all blocks run in every epoch; the last
            block, the final norm and the head are trained by AdamW
best-tuned  the same numbers with what PyTorch offers: bf16 autocast, scaled_dot_product_attention, one product for
            query, key and value, fused AdamW

Random weights and ids: times do not depend on them. Printed: seconds of a training step and of a batch of evaluation.
"""

import argparse
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, BLOCKS, VOCABULARY, POSITIONS = 768, 12, 12, 50257, 1024
BATCH, TOKENS = 8, 120


class Norm(nn.Module):
    """Layer normalisation written out."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(WIDTH))
        self.shift = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True, unbiased=False)
        return self.scale * (x - mean) / torch.sqrt(variance + 1e-5) + self.shift


class Gelu(nn.Module):
    """The tanh form, written out."""

    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


class PlainAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Linear(WIDTH, WIDTH)
        self.drop = nn.Dropout(0.0)
        self.register_buffer("mask", torch.triu(torch.ones(POSITIONS, POSITIONS), diagonal=1))

    def forward(self, x):
        n, t, _ = x.shape
        heads = lambda y: y.view(n, t, HEADS, WIDTH // HEADS).transpose(1, 2)
        q, k, v = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = q @ k.transpose(2, 3)
        scores.masked_fill_(self.mask.bool()[:t, :t], -torch.inf)
        weights = self.drop(torch.softmax(scores / k.shape[-1] ** 0.5, dim=-1))
        return self.out((weights @ v).transpose(1, 2).contiguous().view(n, t, WIDTH))


class FusedAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = (y.view(n, t, HEADS, -1).transpose(1, 2) for y in self.qkv(x).split(WIDTH, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, t, WIDTH))


class Block(nn.Module):
    def __init__(self, tuned):
        super().__init__()
        norm = (lambda: nn.LayerNorm(WIDTH)) if tuned else Norm
        self.norm1, self.norm2 = norm(), norm()
        self.attention = FusedAttention() if tuned else PlainAttention()
        gelu = nn.GELU(approximate="tanh") if tuned else Gelu()
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), gelu, nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Gpt2(nn.Module):
    def __init__(self, tuned):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.blocks = nn.Sequential(*(Block(tuned) for _ in range(BLOCKS)))
        self.norm = nn.LayerNorm(WIDTH) if tuned else Norm()
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))[:, -1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=["as-written", "best-tuned"])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    tuned = args.how == "best-tuned"
    model = Gpt2(tuned)
    for parameter in model.parameters():
        parameter.requires_grad = False
    for part in (model.blocks[-1], model.norm, model.head):
        for parameter in part.parameters():
            parameter.requires_grad = True
    trained = [p for p in model.parameters() if p.requires_grad] if tuned else model.parameters()
    optimizer = torch.optim.AdamW(trained, lr=5e-5, weight_decay=0.1, **({"fused": True} if tuned else {}))
    batch = lambda: (torch.randint(0, VOCABULARY, (BATCH, TOKENS)), torch.randint(0, 2, (BATCH,)))
    cast = lambda: torch.autocast("cpu", dtype=torch.bfloat16, enabled=tuned)

    steps, evals = [], []
    for index in range(args.steps + 2):
        ids, labels = batch()
        began = time.perf_counter()
        optimizer.zero_grad()
        with cast():
            loss = F.cross_entropy(model(ids).float(), labels)
        loss.backward()
        optimizer.step()
        if index >= 2:
            steps.append(time.perf_counter() - began)
    model.eval()
    with torch.no_grad():
        for _ in range(max(args.steps // 2, 3)):
            ids, labels = batch()
            began = time.perf_counter()
            with cast():
                F.cross_entropy(model(ids).float(), labels).item()
            evals.append(time.perf_counter() - began)
    print(json.dumps({"step": statistics.median(steps), "eval": statistics.median(evals), "steps": len(steps)}))


if __name__ == "__main__":
    main()
