"""A small convolutional classifier of digits: the judge in whose features images are measured (LeCun et al. 1998)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    labels: int = 10
    width: int = 32  # channels at half the size of the image; twice as many at a quarter
    features: int = 64

    def __post_init__(self):
        if min(self.labels, self.width, self.features) < 1:
            raise ValueError(f"labels, width and features must be at least 1: {self}")


class Classifier(nn.Module):
    """For grey images of 28 x 28 pixels."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        c = config.width
        self.body = nn.Sequential(
            nn.Conv2d(1, c, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(),  # 28 -> 14
            nn.Conv2d(c, 2 * c, 3, padding=1, bias=False), nn.BatchNorm2d(2 * c), nn.ReLU(), nn.MaxPool2d(2),  # -> 7
            nn.Conv2d(2 * c, 2 * c, 3, padding=1, bias=False), nn.BatchNorm2d(2 * c), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * c * 7 * 7, config.features), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(config.features, config.labels)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: AdamW all."""
        return {"muon": [], "adamw": list(self.parameters())}

    def features(self, x: Tensor) -> Tensor:
        """x: (B, 1, 28, 28) in [-1, 1]. Returns what the last layer decides from: (B, features), none negative.

        Raises ValueError for other shapes.
        """
        if x.shape[1:] != (1, 28, 28):
            raise ValueError(f"x must be (B, 1, 28, 28), not {tuple(x.shape)}")
        return self.body(x.contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 1, 28, 28) in [-1, 1]. Returns logits (B, labels)."""
        return self.head(self.features(x))


def loss(model: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the labels (B,) int64, in nats."""
    return F.cross_entropy(model(x).float(), labels)
