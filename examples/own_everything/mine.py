"""One component of each kind that a suite file can name; `docs/extending.md` explains them one by one."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def wide(input_shape, classes, width=256):
    pixels = math.prod(input_shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, classes))


class SignDescent(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad.sign(), alpha=group["lr"])


def square_root(context):
    return lambda step: 1 / math.sqrt(1 + step / context.steps_per_epoch)


def focal(gamma: float = 2.0):
    def loss(logits, targets):
        each = F.cross_entropy(logits, targets, reduction="none")
        return ((1 - torch.exp(-each)) ** gamma * each).mean()

    return loss


def noisy(batch, sigma: float = 0.01):
    batch.compute_gradients()
    for parameter in batch.model.parameters():
        if parameter.grad is not None:
            parameter.grad.add_(torch.randn_like(parameter.grad), alpha=sigma)
    batch.optimizer.step()


def orthogonal(strength: float = 1e-4):
    def penalty(model):
        kernels = [p.flatten(1) for p in model.parameters() if p.ndim > 1]
        return strength * sum((k @ k.T - torch.eye(len(k), device=k.device)).square().sum() for k in kernels)

    return penalty


def brightness(images, generator, amount: float = 0.2):
    factors = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
    return (images * (1 + amount * (2 * factors - 1))).clamp(0, 1)


class Inverted(nn.Module):
    def __init__(self, mean, strength):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.strength = strength

    def forward(self, pixels):
        return self.strength * (self.mean - pixels)


def inverted(train_images, strength: float = 1.0):
    return Inverted(train_images.mean() / 255, strength)


def stripes(train=400, test=100):
    random = np.random.RandomState(0)
    labels = np.arange(train + test) % 2
    images = random.randint(0, 100, (train + test, 8, 8))
    images[labels == 0, ::2, :] += 100
    images[labels == 1, :, ::2] += 100
    images = images.astype(np.uint8)
    return {
        "train_images": images[:train],
        "train_labels": labels[:train],
        "test_images": images[train:],
        "test_labels": labels[train:],
        "classes": ["rows", "columns"],
    }


def fewer_of_the_first(sizes, keep: float = 0.1):
    sizes[0] = math.ceil(sizes[0] * keep)
    return sizes


def first_for_second(labels, classes, random, rate: float = 0.2):
    return np.where((labels == 1) & (random.random_sample(len(labels)) < rate), 0, labels)
