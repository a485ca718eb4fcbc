"""ResNet-18 on a folder of pictures in PyTorch: as the tutorials write it, or tuned as well as PyTorch allows on a CPU.

    python resnet18_torch.py written|best FOLDER EPOCHS BATCH THREADS

Prints one JSON line a step: seconds since the step before ended, data loading included.
"""

import contextlib
import json
import resource
import sys
import time

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

variant, folder, epochs, batch, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
best = variant == "best"
torch.set_num_threads(threads)
torch.manual_seed(42)

train = ImageFolder(folder, transforms.Compose([
    transforms.RandomResizedCrop(224),
    transforms.RandomHorizontalFlip(),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
]))
# the tutorial loads in the training process; the tuned script in workers that stay
workers = dict(num_workers=threads, persistent_workers=True, prefetch_factor=4) if best else {}
loader = DataLoader(train, batch, shuffle=True, **workers)
net = torchvision.models.resnet18(num_classes=len(train.classes))
if best:
    net = net.to(memory_format=torch.channels_last)
head = list(map(id, net.fc.parameters()))
optimizer = torch.optim.SGD(
    [{"params": [p for p in net.parameters() if id(p) not in head]}, {"params": net.fc.parameters(), "lr": 0.1}],
    lr=0.01, weight_decay=0.001, **({"fused": True} if best else {}))
loss_fn = nn.CrossEntropyLoss()

net.train()
last = time.perf_counter()
for epoch in range(epochs):
    for x, y in loader:
        if best:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16) if best else contextlib.nullcontext():
            out = net(x)
        loss = loss_fn(out.float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value = loss.item()
        now = time.perf_counter()
        print(json.dumps({"seconds": now - last, "loss": value, "count": len(y)}), flush=True)
        last = now
usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (
    threads if best else 0)
print(json.dumps({"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "with_workers_mib": usage / 1024}))
