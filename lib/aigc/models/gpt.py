"""A GPT: a transformer that reads a sequence from left to right (Vaswani et al. 2017, arXiv:1706.03762).

One model serves text and music. Against the GPT-2 of 2019 it has rotary positions (Su et al. 2021, arXiv:2104.09864),
normalised queries and keys (Henry et al. 2020, doi:10.18653/v1/2020.findings-emnlp.379), and fewer parameters: no
biases, no gains. The operations are those that two CPU cores do fast: layer normalisation, the exact GELU, and
attention as three matrix products in full view.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class GPTConfig:
    vocab: int  # V: how many different tokens there are
    context: int  # how many tokens, itself included, a position can attend to
    layers: int = 4
    heads: int = 4
    width: int = 192  # C
    side: tuple[int, ...] = ()  # for each thing known of every token in advance (voice, beat): how many values it has
    dropout: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "side", tuple(self.side))  # JSON knows only lists
        if min(self.vocab, self.context, self.layers, self.heads, self.width, *self.side) < 1:
            raise ValueError(f"every size of a GPT must be at least 1: {self}")
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be an even multiple of heads {self.heads}: rotation needs pairs")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}")


@dataclass
class Cache:
    """The keys and values of the past, one pair a layer, each (B, heads, T, C / heads); what makes decoding cheap."""

    past: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    position: int = 0  # of the next token


def rotate(x: Tensor, position: Tensor) -> Tensor:
    """Turn each pair of features by an angle proportional to its position (Su et al. 2021, eq. 34).

    x: (..., T, D), D even; position: (T,). Returns the shape of x. The scalar product of two rotated vectors then
    depends on their positions only through the difference.
    """
    half = x.size(-1) // 2
    frequency = 10_000.0 ** -(torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = position[:, None].float() * frequency  # (T, D / 2), radians
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, (x.size(-1),))


class Attention(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.heads, self.context, self.dropout = config.heads, config.context, nn.Dropout(config.dropout)
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, position: Tensor, past: tuple[Tensor, Tensor] | None):
        B, T, C = x.shape
        qkv = self.query_key_value(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        (q, k), v = rotate(norm(qkv[:2]), position), qkv[2]  # each (B, heads, T, D)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        S = k.size(2)  # the past and the present: the last T of the S keys belong to the T queries
        scores = q @ k.transpose(-1, -2) * q.size(-1) ** -0.5  # (B, heads, T, S)
        if T > 1:  # a single position, the newest, may see all that the cache keeps
            distance = torch.arange(S - T, S, device=x.device)[:, None] - torch.arange(S, device=x.device)
            unseen = (distance < 0) | (distance >= self.context)  # (T, S): the future, and what is too far back
            scores = scores.masked_fill(unseen, -torch.inf)
        y = self.dropout(scores.softmax(-1)) @ v  # each row of weights: where a position looks
        keep = self.context - 1  # the next token attends to itself and to so many before it
        past = (k[:, :, S - min(S, keep) :], v[:, :, S - min(S, keep) :])
        return self.output(y.transpose(1, 2).reshape(B, T, C)), past


class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.attention = Attention(config)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, position: Tensor, past: tuple[Tensor, Tensor] | None):
        mixed, past = self.attention(norm(x), position, past)  # tokens speak to one another
        x = x + self.dropout(mixed)
        return x + self.dropout(self.down(F.gelu(self.up(norm(x))))), past  # each thinks for itself


class GPT(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.side = nn.ModuleList(nn.Embedding(size, config.width) for size in config.side)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = nn.Linear(config.width, config.vocab, bias=False)
        for name, weight in self.named_parameters():
            # Residual branches and the head start at zero: at first the model is the uniform distribution.
            zero = name.endswith(("output.weight", "down.weight", "head.weight"))
            nn.init.zeros_(weight) if zero else nn.init.normal_(weight, std=weight.size(-1) ** -0.5)

    def forward(self, ids: Tensor, side: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Logits of the token that follows each position, in nats.

        ids: (B, T) int64 in 0 .. V-1. side: (B, T, len(config.side)) int64, what is known of the token *to be
        predicted* at each position. cache: filled by earlier calls with the tokens before these; changed in place.
        Returns (B, T, V) float32. Position t depends on ids[:, : t + 1] alone. Raises ValueError if side is missing or
        superfluous.
        """
        expected = (*ids.shape, len(self.side))
        if (side is None) != (len(self.side) == 0) or side is not None and tuple(side.shape) != expected:
            raise ValueError(f"side must have the shape {expected}, not {None if side is None else tuple(side.shape)}")
        x = self.embed(ids)
        for i, embed in enumerate(self.side):
            x = x + embed(side[..., i])
        x = norm(x)
        if torch.is_autocast_enabled(x.device.type):  # or the sums would stay in float32, at twice the time
            x = x.to(torch.get_autocast_dtype(x.device.type))
        start = cache.position if cache else 0
        position = torch.arange(start, start + ids.size(1), device=ids.device)
        pasts = cache.past if cache and cache.past else [None] * len(self.blocks)
        kept = []
        for block, past in zip(self.blocks, pasts):
            x, past = block(x, position, past)
            kept.append(past)
        if cache is not None:
            cache.past, cache.position = kept, start + ids.size(1)
        return self.head(norm(x)).float()


def loss(model: nn.Module, ids: Tensor, side: Tensor | None = None) -> Tensor:
    """Mean nats per predicted token. ids: (B, T + 1); side: (B, T, K), of the tokens ids[:, 1:]. Returns a scalar."""
    logits = model(ids[:, :-1], side)
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
