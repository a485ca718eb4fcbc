"""MoCo v2 on a folder of pictures in PyTorch: in fp32 as it is usually written, or tuned as well as PyTorch
allows on a CPU, in either precision.

    python moco_torch.py written|fp32|bf16 FOLDER ARCH SIZE KERNEL BATCH THREADS

Prints one JSON line a step, until it is ended: seconds since the step before ended, data loading included.
"""

import contextlib
import copy
import json
import sys
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

variant, folder, arch = sys.argv[1:4]
size, kernel, batch, threads = map(int, sys.argv[4:8])
best = variant != "written"
torch.set_num_threads(threads)
torch.manual_seed(42)

view = transforms.Compose([
    transforms.RandomResizedCrop(size, scale=(0.2, 1.0)),
    transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
    transforms.RandomGrayscale(p=0.2),
    transforms.RandomApply([transforms.GaussianBlur(kernel, sigma=(0.1, 2.0))], p=0.5),
    transforms.RandomHorizontalFlip(),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])
data = ImageFolder(folder, lambda picture: (view(picture), view(picture)), is_valid_file=lambda path: not path.endswith("imageNotFound.gif"))
# both load in as many workers as there are cores, as the published script does
workers = dict(num_workers=threads, **(dict(persistent_workers=True, prefetch_factor=4) if best else {}))
loader = DataLoader(data, batch, shuffle=True, drop_last=True, **workers)


def encoder():
    net = getattr(torchvision.models, arch)(num_classes=128)
    net.fc = nn.Sequential(nn.Linear(net.fc.in_features, net.fc.in_features), nn.ReLU(), net.fc)
    return net.to(memory_format=torch.channels_last) if best else net


query = encoder()
key = copy.deepcopy(query).requires_grad_(False)
queue = F.normalize(torch.randn(128, 128), dim=0)
at, momentum, temperature = 0, 0.999, 0.2
optimizer = torch.optim.SGD(query.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4, **({"fused": True} if best else {}))
loss_fn = nn.CrossEntropyLoss()


@torch.no_grad()
def follow():
    if best:
        torch._foreach_lerp_(list(key.parameters()), list(query.parameters()), 1 - momentum)
    else:
        for old, new in zip(key.parameters(), query.parameters()):
            old.data = old.data * momentum + new.data * (1.0 - momentum)


query.train(), key.train()
last = time.perf_counter()
while True:
    for (first, second), _ in loader:
        if best:
            first = first.contiguous(memory_format=torch.channels_last)
            second = second.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16) if variant == "bf16" else contextlib.nullcontext():
            q = query(first)
            with torch.no_grad():
                follow()
                k = key(second)
        q, k = F.normalize(q.float(), dim=1), F.normalize(k.float(), dim=1)
        positive = torch.einsum("nc,nc->n", [q, k]).unsqueeze(-1)
        negative = torch.einsum("nc,ck->nk", [q, queue.clone().detach()])
        logits = torch.cat([positive, negative], dim=1) / temperature
        loss = loss_fn(logits, torch.zeros(len(logits), dtype=torch.long))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        queue[:, at:at + len(k)] = k.T[:, :queue.shape[1] - at]
        at = (at + len(k)) % queue.shape[1]
        value = loss.item()
        now = time.perf_counter()
        print(json.dumps({"seconds": now - last, "loss": value}), flush=True)
        last = now
