"""Images of bytes <-> tensors in [-1, 1], the range that generators of images use."""

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional


def encode(images: np.ndarray) -> Tensor:
    """images: (B, H, W) uint8, 0 black .. 255 white. Returns (B, 1, H, W) float32 in [-1, 1].

    Raises ValueError for another type or number of axes, which a silent cast would turn into noise.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"images must be (B, H, W) bytes (uint8, 0 .. 255), not {images.dtype} of shape {images.shape}. "
            "Multiply images in [0, 1] by 255 and round; add an axis to a single image with image[None]."
        )
    return torch.from_numpy(images).float().div(127.5).sub(1).unsqueeze(1)


def decode(x: Tensor) -> np.ndarray:
    """x: (B, 1, H, W) in [-1, 1]; what a model puts outside is clipped. Returns (B, H, W) uint8.

    Raises ValueError for another shape or where a value is not finite.
    """
    if x.ndim != 4 or x.shape[1] != 1:
        raise ValueError(f"x must be (B, 1, H, W), one grey channel, not {tuple(x.shape)}")
    if not x.isfinite().all():
        raise ValueError("x holds values that are not finite: the model that made it has diverged")
    return x.detach().float().clamp(-1, 1).add(1).mul(127.5).round().squeeze(1).byte().cpu().numpy()


def shifted(x: Tensor, most: int, generator: Generator) -> Tensor:
    """Each image moved by up to `most` pixels down or up and right or left, by chance; black (-1) comes in.

    x: (B, 1, H, W) in [-1, 1]. generator: of the CPU. Returns the same shape. Gradients pass.
    """
    B, _, H, W = x.shape
    down, right = torch.randint(2 * most + 1, (2, B, 1), generator=generator).to(x.device)
    rows, columns = (by + torch.arange(size, device=x.device) for by, size in ((down, H), (right, W)))
    padded = functional.pad(x, 4 * [most], value=-1.0)[:, 0]
    each = torch.arange(B, device=x.device)[:, None, None]
    return padded[each, rows[:, :, None], columns[:, None, :]][:, None]


def disturbed(x: Tensor, generator: Generator) -> Tensor:
    """Each image turned by up to 14 degrees, scaled by 15 %, slanted by 0.2 and shifted by 1.75 pixels, by chance.

    x: (B, 1, H, W). Returns the same shape.
    """
    most = torch.tensor([0.25, 0.15, 0.2, 0.125, 0.125])[:, None]
    angle, size, slant, right, down = (torch.rand(5, len(x), generator=generator) * 2 - 1) * most
    across, up = (1 + size) * angle.cos(), (1 + size) * angle.sin()
    rows = torch.stack([across, slant - up, right, up, across, down], 1).view(-1, 2, 3).to(x.device)
    grid = functional.affine_grid(rows, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
