"""Rectified flow: a straight path from data to noise, and the velocity along it.

Liu et al. 2023, arXiv:2209.03003; Lipman et al. 2023, arXiv:2210.02747. The network is handed in.
"""

import torch
from torch import Generator, Tensor, nn

NO_LABEL = -1  # what a network is told in place of a label


def path(x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """The point at time t on the line from the data (t = 0) to the noise (t = 1): Liu et al. 2023, eq. 1.

    x0, eps: (B, ...), points, series or images; t: (B,) in [0, 1]. Returns (B, ...).
    """
    t = t.view(-1, *[1] * (x0.ndim - 1))
    return (1 - t) * x0 + t * eps


def loss(
    model: nn.Module, x0: Tensor, labels: Tensor, generator: Generator, drop: float = 0.1, centre: float = 0.0
) -> Tensor:
    """Mean squared error of the predicted velocity eps - x0 (Lipman et al. 2023, eq. 14, with no noise in the data).

    x0: (B, ...), about in [-1, 1]; labels: (B,) int64. A part `drop` of the labels is replaced by NO_LABEL, so that the
    model learns the unconditional velocity too, which guidance needs. Times are logit-normal (Esser et al. 2024,
    arXiv:2403.03206, section 3.1): most in the middle, where the velocity is hardest to tell, or around centre, the
    mean of their logits: above 0 nearer to the noise. Returns a scalar. Raises ValueError for another number of
    labels, or drop outside 0 .. 1.
    """
    if labels.shape != x0.shape[:1] or not 0 <= drop <= 1:
        raise ValueError(
            f"{len(x0)} examples need as many labels, not {tuple(labels.shape)}, and drop in 0 .. 1: {drop}"
        )
    eps = torch.randn(x0.shape, generator=generator).to(x0.device)
    t = (centre + torch.randn(len(x0), generator=generator)).sigmoid().to(x0.device)
    dropped = (torch.rand(len(x0), generator=generator) < drop).to(x0.device)
    labels = torch.where(dropped, NO_LABEL, labels.long())
    velocity = model(path(x0, eps, t), t, labels)
    return (velocity - (eps - x0)).square().mean()


class Preconditioned(nn.Module):
    """The velocity of normal data with this mean and deviation, and a network that learns what is left of the real one.

    Where the data have this mean and deviation, what is left has the mean square 1 at all times: the network need not
    learn how large its answer is, nor to hand on the noise that it is shown. One that says 0 is exact for independent
    normal values. After Karras et al. 2022 (arXiv:2206.00364, section 5), who do it for another path, scale the input
    too, and weigh all times alike; here `loss` weighs the network's answer by std^2 / variance.
    """

    def __init__(self, network: nn.Module, mean: float, std: float):
        super().__init__()
        self.network, self.config, self.groups = network, network.config, network.groups
        self.mean, self.std = mean, std

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """x: (B, ...); t: (B,) in [0, 1]; labels: (B,) int64, for the network. Returns (B, ...)."""
        at = t.view(-1, *[1] * (x.ndim - 1))
        variance = (1 - at) ** 2 * self.std**2 + at**2  # of x
        guess = (at - (1 - at) * self.std**2) / variance * (x - (1 - at) * self.mean) - self.mean
        return guess + self.std / variance.sqrt() * self.network(x, t, labels)
