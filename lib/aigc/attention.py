"""Masked self-attention, the layers around it, and the memory that makes decoding cheap: the inside of a transformer
(Vaswani et al. 2017, arXiv:1706.03762), for models that read from left to right, whatever stands at their places.

Against the GPT-2 of 2019 it has rotary positions (Su et al. 2021, arXiv:2104.09864), normalised queries and keys (Henry
et al. 2020, doi:10.18653/v1/2020.findings-emnlp.379), and fewer parameters: no biases, no gains. The operations are
those that two CPU cores do fast: layer normalisation, the exact GELU, and attention as three matrix products in full
view.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def check(config) -> None:
    """Raises ValueError for a width that the heads cannot share, or a dropout outside [0, 1)."""
    if config.width % (2 * config.heads):
        raise ValueError(f"width {config.width} must be an even multiple of heads {config.heads}: rotation needs pairs")
    if not 0 <= config.dropout < 1:
        raise ValueError(f"dropout must lie in [0, 1), not {config.dropout}")


class Memory:
    """The last keys and values of one layer. They are written in place: to add one token copies nothing of the past."""

    def __init__(self, keep: int):
        self.keep, self.held, self.room = keep, 0, None  # room: (2, B, heads, places, D), of which `held` are filled

    def add(self, new: Tensor) -> Tensor:
        """new: (2, B, heads, T, D). Returns (2, B, heads, S, D): as many of the past as are kept, and the new ones."""
        T, old = new.size(3), min(self.held, self.keep)
        if self.room is None or self.held + T > self.room.size(3):  # seldom: a room of twice the size
            room = new.new_empty(*new.shape[:3], 2 * (old + T), new.size(4))
            if old:
                room.narrow(3, 0, old).copy_(self.room.narrow(3, self.held - old, old))
            self.room, self.held = room, old
        self.room.narrow(3, self.held, T).copy_(new)
        self.held += T
        return self.room.narrow(3, self.held - T - old, old + T)

    def select(self, rows: Tensor) -> None:
        """Keep these rows (B',) of the batch, in this order; a row may come several times."""
        self.room = self.room.index_select(1, rows)


@dataclass
class Cache:
    """What one model keeps of the tokens of one batch, which makes decoding cheap. It does not carry gradients."""

    layers: list[Memory] = field(default_factory=list)
    position: int = 0  # of the next token
    ahead: tuple[Tensor, Tensor] | None = None  # the turns of the places up to `known`, many at a time
    known: int = 0

    def turn(self, T: int, frequency: Tensor) -> tuple[Tensor, Tensor]:
        """`turns` of the next T places."""
        if self.position + T >= self.known:
            self.known = self.position + T + 64
            self.ahead = turns(torch.arange(self.position, self.known, device=frequency.device), frequency)
        start = self.position - self.known  # negative: from the end
        return tuple(part[start : start + T] for part in self.ahead)


def frequencies(size: int) -> Tensor:
    """Radians a place by which `rotate` turns each feature, (D,) for an even size D; the first half bears a minus."""
    frequency = 10_000.0 ** -(torch.arange(size // 2) / (size // 2))
    return torch.cat([-frequency, frequency])


def turns(position: Tensor, frequency: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles at these positions, the same in every layer.

    position: (T,) int64; frequency: (D,). Returns two of (T, D); the first half of the sines bears the minus.
    """
    angle = position[:, None] * frequency
    return angle.cos(), angle.sin()


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair of features by an angle proportional to its position (Su et al. 2021, eq. 34).

    x: (..., T, D), where features i and i + D / 2 are a pair; turn: `turns` of its positions. Returns (..., T, D). The
    scalar product of two rotated vectors then depends on their positions only through the difference.
    """
    cos, sin = turn
    return x * cos + x.roll(x.size(-1) // 2, -1) * sin


def norm(x: Tensor) -> Tensor:
    return torch.layer_norm(x, x.shape[-1:])


class Attention(nn.Module):
    """Masked, over the last `context` places. config: has width, heads, context and dropout."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.context, self.dropout = config.heads, config.context, nn.Dropout(config.dropout)
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], memory: Memory | None = None) -> Tensor:
        B, T, C = x.shape
        qkv = self.query_key_value(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k = rotate(norm(qkv.narrow(0, 0, 2)), turn).unbind(0)
        v = qkv.select(0, 2)  # each (B, heads, T, D); for one token indexing with [] would take longer
        if memory is not None:
            k, v = memory.add(torch.stack([k, v])).unbind(0)
        if T == 1 and not self.training:  # the newest sees all that is kept: what stands below, in one call
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            S = k.size(2)  # the past and the present: the last T of the S keys belong to the T queries
            scores = q @ k.transpose(-1, -2) * q.size(-1) ** -0.5  # (B, heads, T, S)
            distance = torch.arange(S - T, S, device=x.device)[:, None] - torch.arange(S, device=x.device)
            unseen = (distance < 0) | (distance >= self.context)  # (T, S): the future, and what is too far back
            y = self.dropout(scores.masked_fill(unseen, -torch.inf).softmax(-1)) @ v  # each row: where a position looks
        return self.output(y.transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    """One layer. config: as of `Attention`."""

    def __init__(self, config):
        super().__init__()
        self.attention = Attention(config)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()  # which costs less a token

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], memory: Memory | None = None) -> Tensor:
        x = x + self.dropout(self.attention(norm(x), turn, memory))  # tokens speak to one another
        return x + self.dropout(self.down(F.gelu(self.up(norm(x)))))  # each thinks for itself


def through(blocks: nn.ModuleList, x: Tensor, frequency: Tensor, cache: Cache | None = None) -> Tensor:
    """x (B, T, C) after all blocks, normalised. cache: filled by earlier calls with what came before; changed in place.

    frequency: of each feature of a head, as `frequencies` gives it.
    """
    x, kind, T = norm(x), x.device.type, x.size(1)
    if torch.is_autocast_enabled(kind):  # or the sums would stay in float32, at twice the time
        x = x.to(torch.get_autocast_dtype(kind))
    turn = cache.turn(T, frequency) if cache else turns(torch.arange(T, device=x.device), frequency)
    if cache is not None and not cache.layers:  # a place attends to itself and to context - 1 before it
        cache.layers = [Memory(block.attention.context - 1) for block in blocks]
    for block, memory in zip(blocks, cache.layers if cache else [None] * len(blocks), strict=True):
        x = block(x, turn, memory)
    if cache is not None:
        cache.position += T
    return norm(x)
