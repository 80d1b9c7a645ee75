"""The reference: a plain decoder as in GPT-2 (Radford et al. 2019), in the form and with the settings of nanoGPT.

Learned positions, layer normalisation with gains, the exact GELU, one matrix for reading and writing tokens, no biases.
Written for the comparison alone; the course teaches `aigc.models.gpt`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class PlainConfig:
    vocab: int
    context: int = 64
    layers: int = 4
    heads: int = 4
    width: int = 128


class PlainBlock(nn.Module):
    def __init__(self, config: PlainConfig):
        super().__init__()
        self.heads = config.heads
        self.before_attention = nn.LayerNorm(config.width, bias=False)
        self.before_mlp = nn.LayerNorm(config.width, bias=False)
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)
        self.up = nn.Linear(config.width, 4 * config.width, bias=False)
        self.down = nn.Linear(4 * config.width, config.width, bias=False)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None):
        B, T, C = x.shape
        qkv = self.query_key_value(self.before_attention(x))
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in qkv.split(C, dim=-1))
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=T > 1)  # T > 1 only where there is no past
        x = x + self.output(y.transpose(1, 2).reshape(B, T, C))
        return x + self.down(F.gelu(self.up(self.before_mlp(x)))), (k, v)


class Plain(nn.Module):
    def __init__(self, config: PlainConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.place = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(PlainBlock(config) for _ in range(config.layers))
        self.last = nn.LayerNorm(config.width, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:  # those that add to the residual stream start smaller
                deep = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * config.layers) ** 0.5 if deep else 0.02)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        muon = [weight for weight in self.blocks.parameters() if weight.ndim == 2]
        chosen = set(map(id, muon))
        return {"muon": muon, "adamw": [weight for weight in self.parameters() if id(weight) not in chosen]}

    def forward(self, ids: Tensor, side: None = None, cache=None) -> Tensor:
        """As `aigc.models.gpt.GPT`: (B, T) to logits (B, T, V); with a cache, at most `context` tokens in all."""
        start = cache.position if cache else 0
        x = self.embed(ids) + self.place(torch.arange(start, start + ids.size(1), device=ids.device))
        pasts = cache.layers if cache and cache.layers else [None] * len(self.blocks)
        kept = []
        for block, past in zip(self.blocks, pasts):
            x, past = block(x, past)
            kept.append(past)
        if cache is not None:
            cache.layers, cache.position = kept, start + ids.size(1)
        return F.linear(self.last(x), self.embed.weight).float()
