"""A GPT: a transformer that reads a sequence from left to right (Vaswani et al. 2017, arXiv:1706.03762).

One model serves text and music. What it is made of, attention and the layers around it, is in aigc.attention.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import Attention, Block, Cache, Memory, check, frequencies, norm, rotate, through, turns

__all__ = ["GPT", "Config", "loss", "Attention", "Block", "Cache", "Memory", "frequencies", "norm", "rotate", "turns"]


@dataclass(frozen=True)
class Config:
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
        check(self)


class GPT(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.register_buffer("frequency", frequencies(config.width // config.heads), persistent=False)
        self.embed = nn.Embedding(config.vocab, config.width)
        self.side = nn.ModuleList(nn.Embedding(size, config.width) for size in config.side)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = nn.Linear(config.width, config.vocab, bias=False)
        for name, weight in self.named_parameters():
            # Residual branches and the head start at zero: at first the model is the uniform distribution.
            zero = name.endswith(("output.weight", "down.weight", "head.weight"))
            nn.init.zeros_(weight) if zero else nn.init.normal_(weight, std=weight.size(-1) ** -0.5)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: Muon the matrices between the two ends, AdamW the ends, tokens and logits."""
        ends = [*self.embed.parameters(), *self.side.parameters(), *self.head.parameters()]
        return {"muon": list(self.blocks.parameters()), "adamw": ends}

    def forward(self, ids: Tensor, side: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Logits of the token that follows each position, in nats.

        ids: (B, T) int64 in 0 .. V-1. side: (B, T, len(config.side)) int64, what is known of the token *to be
        predicted* at each position. cache: filled by earlier calls with the tokens before these; changed in place.
        Returns (B, T, V) float32. Position t depends on ids[:, : t + 1] alone. Raises ValueError if side is missing or
        superfluous.
        """
        expected = (*ids.shape, len(self.config.side))
        if (side is None) != (not self.config.side) or side is not None and tuple(side.shape) != expected:
            raise ValueError(f"side must have the shape {expected}, not {None if side is None else tuple(side.shape)}")
        x = self.embed(ids)
        for i, embed in enumerate(self.side):
            x = x + embed(side[..., i])
        return self.head(through(self.blocks, x, self.frequency, cache)).float()


def loss(model: nn.Module, ids: Tensor, side: Tensor | None = None) -> Tensor:
    """Mean nats per predicted token. ids: (B, T + 1); side: (B, T, K), of the tokens ids[:, 1:]. Returns a scalar."""
    logits = model(ids[:, :-1], side)
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
