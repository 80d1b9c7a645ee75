"""Muon, an optimizer for the matrices inside a network (Jordan et al. 2024, arXiv:2502.16982 describes it at scale)."""

import torch
from torch import Tensor

from .machine import precision

STEPS = 5


def orthogonalize(matrices: Tensor) -> Tensor:
    """The matrices with their singular vectors kept and their singular values brought near one, to 0.68 .. 1.21.

    matrices: (N, rows, columns). Returns the same shape and dtype. Each step puts the singular values s, which begin
    below one, through a s + b s^3 + c s^5, a polynomial that throws up what is small and keeps near one what is there;
    what begins below a 700th of the whole does not come so far. Only products of matrices are needed, no decomposition,
    and they run in the precision that this machine is fastest at.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.size(1) > matrices.size(2)
    x = (matrices.mT if tall else matrices).to(precision(matrices.device))
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)  # the norm is at least the largest singular value
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalized momentum: every direction of a matrix moves by about the same length, lr.

    params: matrices, and kernels of convolutions (O, I, H, W), each taken as the matrix (O, I * H * W) it is. Those
    of one shape are turned together: fewer and larger products.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault(weight.shape, []).append(weight)
            for weights in shapes.values():
                gradients = torch.stack([weight.grad for weight in weights])
                for weight, gradient in zip(weights, gradients):
                    past = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                    past.lerp_(gradient, 1 - group["momentum"])
                    gradient.lerp_(past, group["momentum"])  # Nesterov: one step ahead
                matrices = gradients.flatten(2)
                length = group["lr"] * max(1, matrices.size(1) / matrices.size(2)) ** 0.5
                for weight, update in zip(weights, orthogonalize(matrices)):
                    weight.add_(update.view_as(weight), alpha=-length)
