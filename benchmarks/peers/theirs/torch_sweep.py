"""Document E's sweep as PyTorch's and Ray Tune's tutorials would write it: nothing of bench is imported.

``torch_sweep.py ROOT EPOCHS AUGMENTED POINTS FOLDER``: ROOT is torchvision's, AUGMENTED 0 or 1, POINTS is JSON,
[[penalty, dropout rate, batch size], ...]; FOLDER takes what Tune would leave in the home folder. Else Tune and the
DataLoader run with their defaults.
"""

import json
import sys
import time

import ray
import torch
from ray import tune
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms


class Net(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.stack = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, 128),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(64, 10),
        )
        for layer in self.stack:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        return self.stack(x)


def load_data(root, augmented):
    """The first 48,000 images to train on, the last 12,000 to validate."""
    plain = transforms.ToTensor()
    augment = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomCrop(28, padding=2),
            transforms.ToTensor(),
            transforms.RandomErasing(),
        ]
    )
    training = datasets.FashionMNIST(root, train=True, download=False, transform=augment if augmented else plain)
    validation = datasets.FashionMNIST(root, train=True, download=False, transform=plain)
    return Subset(training, range(48_000)), Subset(validation, range(48_000, 60_000))


def train(config):
    training, validation = load_data(config["root"], config["augmented"])
    strength, dropout, batch_size = config["point"]
    train_loader = DataLoader(training, batch_size=batch_size, shuffle=True)
    validation_loader = DataLoader(validation, batch_size=batch_size)
    model = Net(dropout)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    penalised = [model.stack[1].weight, model.stack[4].weight]
    for _ in range(config["epochs"]):
        start = time.time()
        model.train()
        running_loss = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(images), labels)
            loss = loss + strength * sum(weight.square().sum() for weight in penalised)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        model.eval()
        correct = 0
        with torch.no_grad():
            for images, labels in validation_loader:
                correct += (model(images).argmax(1) == labels).sum().item()
        tune.report(
            {
                "loss": running_loss / len(train_loader),
                "accuracy": correct / len(validation),
                "epoch_seconds": time.time() - start,
            }
        )


if __name__ == "__main__":
    root, epochs, augmented, points = sys.argv[1], int(sys.argv[2]), bool(int(sys.argv[3])), json.loads(sys.argv[4])
    storage = tune.RunConfig(storage_path=sys.argv[5])
    ray.init()
    slots, first = ray.cluster_resources()["CPU"], time.time()
    space = {"root": root, "epochs": epochs, "augmented": augmented, "point": tune.grid_search(points)}
    results = tune.Tuner(train, param_space=space, run_config=storage).fit()
    last = time.time()
    done = [result for result in results if result.error is None]
    runs = [[*result.config["point"], result.metrics["accuracy"]] for result in done]
    epoch_seconds = sum(result.metrics["epoch_seconds"] for result in done)
    found = {"first": first, "last": last, "trials": len(done), "per_epoch": epoch_seconds / slots, "runs": runs}
    print(json.dumps(found))
