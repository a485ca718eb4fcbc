"""From process start to the first finished training step, in PyTorch: a small ResNet on 64-pixel pictures.

    python first_step_torch.py FOLDER THREADS

Prints one line when the first step is done.
"""

import sys

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

torch.set_num_threads(int(sys.argv[2]))
train = ImageFolder(sys.argv[1], transforms.Compose([
    transforms.RandomResizedCrop(64),
    transforms.ToTensor(),
    transforms.Normalize([0.5] * 3, [0.25] * 3),
]))
loader = DataLoader(train, 8, shuffle=True)
net = torchvision.models.resnet18(num_classes=len(train.classes))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
x, y = next(iter(loader))
loss = nn.CrossEntropyLoss()(net(x), y)
loss.backward()
optimizer.step()
print(loss.item(), flush=True)
