"""ViT-B/16 with LoRA of rank 20 on query and value in transformers and peft: as a user wrote it, or as well as PyTorch can, in
either precision.

    python vit_lora_torch.py written|fp32|bf16 STEPS BATCH THREADS

Random weights, pictures that lie in memory already. Prints one JSON line a step.
"""

import contextlib
import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import ViTConfig, ViTForImageClassification

variant, steps, batch, threads = sys.argv[1], *map(int, sys.argv[2:5])
best = variant != "written"
torch.set_num_threads(threads)
torch.manual_seed(42)

attention = {"attn_implementation": "sdpa"} if best else {}
net = ViTForImageClassification(ViTConfig(num_labels=8, **attention))
net = get_peft_model(net, LoraConfig(
    r=20, lora_alpha=20, target_modules=["q_proj", "v_proj"], lora_dropout=0.2, bias="none", modules_to_save=["classifier"],
))
trained = [p for p in net.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(trained, lr=1e-4, **({"fused": True} if best else {}))
loss_fn = torch.nn.CrossEntropyLoss()
x, y = torch.randn(batch, 3, 224, 224), torch.randint(0, 8, (batch,))

net.train()
last = time.perf_counter()
for _ in range(steps):
    with torch.autocast("cpu", torch.bfloat16) if variant == "bf16" else contextlib.nullcontext():
        out = net(pixel_values=x).logits
    loss = loss_fn(out.float(), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    value = loss.item()
    now = time.perf_counter()
    print(json.dumps({"seconds": now - last, "loss": value}), flush=True)
    last = now
