"""Networks of 3×32×32 images and 10 classes that are imported, how they are trained, and the job of their campaigns."""

import torch
import torch.nn.functional as F
from torch import nn

MEAN, STD = [0.3, 0.35, 0.4], [0.2, 0.25, 0.3]
JOB = """
[job]
name = "import"
[data]
kind = "cifar10"
path = "{data}"
mean = {mean}
std = {std}
[campaign]
scheme = "layer_wise"
limit = {limit}
tolerances = [0.05, 0.2]
[device]
kind = "cpu"
"""


class Vgg(nn.Module):
    """Batch norm with and without parameters, in-place ReLU, dropout in both parts, a convolution without bias."""

    def __init__(self):
        super().__init__()
        layers = []
        inputs = 3
        for outputs in (8, 0, 12, 12, 0, 16, 0):
            if outputs == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=outputs != 12),
                       nn.BatchNorm2d(outputs, affine=outputs != 16, eps=1e-3), nn.ReLU(inplace=True)]
            inputs = outputs
        self.features = nn.Sequential(*layers, nn.Dropout2d(0.1))
        self.classifier = nn.Sequential(nn.Linear(16 * 16, 32), nn.BatchNorm1d(32), nn.ReLU(True), nn.Dropout(),
                                        nn.Linear(32, 10))

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.classifier(x)


class Block(nn.Module):
    def __init__(self, inputs, planes, stride, option_a):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.zeros = planes - inputs
        self.option_a = option_a
        self.downsample = nn.Sequential()
        if not option_a and (stride != 1 or inputs != planes):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, planes, 1, stride), nn.BatchNorm2d(planes))

    def forward(self, x):
        out = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))
        if self.option_a and self.zeros > 0:
            before = self.zeros // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.zeros - before), "constant", 0.0)
        else:
            x = self.downsample(x)
        out += x
        return F.relu(out)


class ResNet(nn.Module):
    """Both kinds of shortcut; the first block adds its input after that was changed in place."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(8, 8, 1, True), Block(8, 12, 2, True))
        self.layer2 = nn.Sequential(Block(12, 16, 2, False), Block(16, 16, 1, False))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        y = x.relu_()
        x = self.layer2(self.layer1(y + x))
        x = self.avgpool(x)
        return self.fc(torch.flatten(x, 1))


class Mobile(nn.Module):
    """Groups, depthwise, strides, the three spellings of ReLU6, average pools, concatenation, paddings."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, stride=2, bias=False),
                                  nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.depthwise = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.pointwise = nn.Conv2d(8, 12, 1, bias=False)
        self.bn = nn.BatchNorm2d(12)
        self.grouped = nn.Conv2d(12, 8, 5, stride=2, padding=2, groups=4)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.branch = nn.Conv2d(12, 4, 1, padding="valid")
        self.dense = nn.ModuleList([nn.Conv2d(24, 6, 3, padding=1), nn.Conv2d(30, 6, 3, padding=1)])
        self.head = nn.Linear(36, 10)

    def forward(self, x):
        x = F.relu6(self.pointwise(F.hardtanh(self.depthwise(self.stem(x)), 0.0, 6.0)))
        x = self.bn(x)
        x = torch.cat([torch.clamp(self.grouped(x), 0, 6), self.branch(self.pool(x)), F.avg_pool2d(x, 2)], dim=1)
        features = [x]
        for layer in self.dense:
            features.append(F.relu(layer(torch.cat(features, 1))))
        x = F.adaptive_avg_pool2d(torch.cat(features, 1), (4, 4))
        return self.head(x.mean([2, 3]))


class HandWritten(nn.Module):
    """Linear layers as products, shape arithmetic, loops, functions, squeezes, and the logits as a slice's sum."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 5, stride=3)
        self.squeeze = nn.Conv2d(8, 16, 3, stride=2)
        self.first = nn.Linear(16, 24)
        self.second = nn.Linear(24, 24, bias=False)
        self.third = nn.Linear(24, 10)
        self.repeat = 2

    def flat_features(self, x):
        count = 1
        for size in x.size()[1:]:
            count *= size
        return count

    def forward(self, x):
        x = F.relu(self.conv(x.contiguous()))
        for k in range(self.repeat):
            x = F.max_pool2d(x, 2, stride=1) if k % 2 == 0 else F.relu(x)
        x = self.squeeze(x[:, :, 1:, :-1])
        x = torch.cat([x[:, 8:], x[:, :8]], 1)
        x = F.avg_pool2d(x, 3)
        x = x.squeeze(3).squeeze(-1).unsqueeze(2)
        x = x.view(-1, self.flat_features(x))
        x = torch.relu(x @ self.first.weight.t() + self.first.bias)
        x = torch.matmul(x, self.second.weight.transpose(0, 1)).clamp(min=0)
        return torch.addmm(self.third.bias, x, self.third.weight.t())


class Excite(nn.Module):
    """Squeeze and excite, with swish as a layer and as a product; dilated convolutions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(8, 12, 3, padding="same", dilation=2, bias=False)
        self.bn = nn.BatchNorm2d(12)
        self.squeeze = nn.Conv2d(12, 4, 1)
        self.excite = nn.Conv2d(4, 12, 1)
        self.wide = nn.Conv2d(12, 12, 3, stride=2, padding=2, dilation=3, groups=3)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = F.silu(self.stem(x))
        x = self.bn(self.dilated(x))
        x = x * torch.sigmoid(x)
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = gate * x
        x = F.relu(self.wide(x))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


NETWORKS = {"vgg": Vgg, "resnet": ResNet, "mobile": Mobile, "hand_written": HandWritten, "excite": Excite}
# What the graph adds to the state dict: batch norms without parameters.
ADDED = {"vgg": {"features.12.weight": 1, "features.12.bias": 0}}


def train(network, images, labels):
    """A few steps, so that predictions differ and batch norms have statistics."""
    torch.manual_seed(5)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    network.train()
    for _ in range(8):
        for batch in torch.randperm(len(images)).split(20):
            loss = F.cross_entropy(network(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()
