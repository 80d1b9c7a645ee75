"""A small U-Net: an image in, an image of the same size out (Ronneberger et al. 2015, arXiv:1505.04597).

It is told a time and a label, as in diffusion models (Ho et al. 2020, arXiv:2006.11239).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    labels: int = 11  # ten digits, and one more, the last, that stands for "no label"
    width: int = 64  # channels at half the resolution; twice as many at a quarter

    def __post_init__(self):
        if self.labels < 1 or self.width < 16 or self.width % 16:  # a head looks at 32 of the channels at a quarter
            raise ValueError(f"labels must be at least 1 and width a multiple of 16: {self}")


class ResBlock(nn.Module):
    """Two convolutions and a way around them; the time and the label scale and shift what lies between."""

    def __init__(self, inputs: int, outputs: int, told: int):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.tell = nn.Linear(told, 2 * outputs)
        self.around = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        for layer in (self.tell, self.conv2):  # at first the block changes nothing
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.tell(told)[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.around(x) + self.conv2(F.silu(h))


class Look(nn.Module):
    """Self-attention among the positions of a small image: how a stroke on the left learns of one on the right."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.query_key_value = nn.GroupNorm(8, width), nn.Conv2d(width, 3 * width, 1)
        self.output = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        B, C, H, W = x.shape
        q, k, v = self.query_key_value(self.norm(x)).reshape(B, 3, C // 32, 32, H * W).transpose(-1, -2).unbind(1)
        y = F.scaled_dot_product_attention(q, k, v)  # heads of 32 channels
        return x + self.output(y.transpose(-1, -2).reshape(B, C, H, W))


class UNet(nn.Module):
    """For images whose height and width are multiples of 4.

    Each square of 2 x 2 pixels enters as one place with four channels, and leaves so: at full resolution, where a
    convolution takes four times as long, nothing is left to compute (Shi et al. 2016, arXiv:1609.05158).
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        c, told = config.width, 2 * config.width
        self.embed = nn.Embedding(config.labels, told)
        self.time = nn.Sequential(nn.Linear(told, told), nn.SiLU(), nn.Linear(told, told))
        self.first = nn.Conv2d(4, c, 3, padding=1)
        self.down, self.shrink = ResBlock(c, c, told), nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.middle1, self.look, self.middle2 = ResBlock(2 * c, 2 * c, told), Look(2 * c), ResBlock(2 * c, 2 * c, told)
        self.grow, self.up = nn.Conv2d(2 * c, c, 3, padding=1), ResBlock(2 * c, c, told)
        self.norm, self.last = nn.GroupNorm(8, c), nn.Conv2d(c, 4, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: Muon the matrices and kernels inside, AdamW the ends, gains and offsets."""
        ends = {id(part.weight) for part in (self.embed, self.first, self.last)}
        inside = [weight for weight in self.parameters() if weight.ndim > 1 and id(weight) not in ends]
        chosen = set(map(id, inside))
        return {"muon": inside, "adamw": [weight for weight in self.parameters() if id(weight) not in chosen]}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """x: (B, 1, H, W); t: (B,) in [0, 1]; labels: (B,) int64 in 0 .. config.labels - 2, the last or negative: none.

        Returns (B, 1, H, W). Raises ValueError for other shapes or sizes, IndexError for other labels.
        """
        if x.ndim != 4 or x.size(1) != 1 or x.size(2) % 4 or x.size(3) % 4:
            raise ValueError(f"x must be (B, 1, H, W) with H and W multiples of 4, not {tuple(x.shape)}")
        labels = labels.masked_fill(labels < 0, self.config.labels - 1)
        told = F.silu(self.time(waves(t, self.time[0].in_features)) + self.embed(labels))
        x = F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        h = self.down(self.first(x), told)  # (B, c, H/2, W/2)
        low = self.middle2(self.look(self.middle1(self.shrink(h), told)), told)  # (B, 2c, H/4, W/4)
        h = self.up(torch.cat([h, self.grow(F.interpolate(low, scale_factor=2))], dim=1), told)
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), 2).float()


def waves(t: Tensor, size: int) -> Tensor:
    """Time as cosines and sines of many frequencies. t: (B,) in [0, 1]; size even. Returns (B, size)."""
    frequency = 1000.0 ** (torch.arange(size // 2, device=t.device) / (size // 2))  # 1 .. 1000, in radians
    angle = t[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)
