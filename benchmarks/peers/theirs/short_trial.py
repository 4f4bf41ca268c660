"""One short trial in plain PyTorch, as an objective of Optuna's or a function of Tune's would hold it."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load_data(path):
    """The first four fifths to train on, the rest to validate, and the test part."""
    with np.load(path) as data:
        images = torch.from_numpy(data["train_images"]).float().div(255).unsqueeze(1)
        labels = torch.from_numpy(data["train_labels"]).long()
        test_images = torch.from_numpy(data["test_images"]).float().div(255).unsqueeze(1)
        test_labels = torch.from_numpy(data["test_labels"]).long()
    cut = len(images) * 4 // 5
    parts = ((images[:cut], labels[:cut]), (images[cut:], labels[cut:]), (test_images, test_labels))
    return [TensorDataset(*part) for part in parts]


def accuracy_on(model, dataset):
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in DataLoader(dataset, batch_size=64):
            correct += (model(images).argmax(1) == labels).sum().item()
    return correct / len(dataset)


def train(parts, lr):
    """One epoch of the small network; validation and test accuracy."""
    training, validation, test = parts
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 32), nn.ReLU(), nn.Linear(32, 10))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    model.train()
    for images, labels in DataLoader(training, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
    return accuracy_on(model, validation), accuracy_on(model, test)
