"""Four voices: a transformer reads chord after chord, and of each next chord small heads draw voice after voice.

A GPT that reads voice after voice has four places for each sixteenth, most of which say "go on". Here a sixteenth is
one place, and what the voices of one chord owe to each other is the heads' business, in the order of an exam in
harmony: soprano, bass, alto, tenor (as in TonicNet, Peracha 2019, arXiv:1911.11775). Each head is told the chord before
and the voices of its chord that came before it: what they sing, and how each of them moves, from which interval with
the voice that is to be drawn. The chain rule holds as ever: a chord's probability is the product.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import Block, Cache, check, frequencies, norm, through

MEETINGS = 13 * 27  # of two voices: twelve intervals or none; up or down by at most twelve, or none, or a hold


@dataclass(frozen=True)
class Config:
    vocab: int  # V: how many ids a voice has, of which 1 says that its note goes on
    context: int  # how many steps, itself included, a step can attend to
    layers: int = 3
    heads: int = 4
    width: int = 128  # C
    hidden: int = 128  # H: of the heads
    side: tuple[int, ...] = ()  # for each thing known of every step in advance (place, bars left): how many values
    order: tuple[int, ...] = (0, 3, 1, 2)  # in which the voices are drawn
    dropout: float = 0.0

    def __post_init__(self):
        for name in ("side", "order"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON knows only lists
        if min(self.vocab, self.context, self.layers, self.heads, self.width, self.hidden, *self.side) < 1:
            raise ValueError(f"every size of a choir must be at least 1: {self}")
        check(self)
        if not self.order or sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"order names each voice once, from 0 on, not {self.order}")


class Choir(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        V, C, H, voices = config.vocab, config.width, config.hidden, len(config.order)
        self.register_buffer("frequency", frequencies(C // config.heads), persistent=False)
        self.register_buffer("first", torch.arange(voices) * 2 * V, persistent=False)  # row of each voice in a table
        self.embed = nn.Embedding(voices * 2 * V, C)
        self.side = nn.ModuleList(nn.Embedding(size, C) for size in config.side)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        # For every voice: from the transformer, from the chord before, and from the voices that are already drawn.
        self.past = nn.ModuleList(nn.Linear(C, H, bias=False) for _ in config.order)
        self.before = nn.ModuleList(nn.Embedding(voices * 2 * V, H) for _ in config.order)
        self.told = nn.ModuleList(nn.Embedding(voices * 2 * V, H) for _ in config.order)
        self.meet = nn.ModuleList(nn.Embedding(max(1, k) * MEETINGS, H) for k in range(voices))
        self.think = nn.ModuleList(nn.Linear(H, H, bias=False) for _ in config.order)
        self.head = nn.ModuleList(nn.Linear(H, V, bias=False) for _ in config.order)
        self.dropout = nn.Dropout(config.dropout)
        for name, weight in self.named_parameters():
            # Residual branches and the heads start at zero: at first the model is the uniform distribution.
            zero = name.endswith(("output.weight", "down.weight")) or name.startswith(("think", "head"))
            nn.init.zeros_(weight) if zero else nn.init.normal_(weight, std=weight.size(-1) ** -0.5)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: Muon the matrices between the two ends, AdamW tables and logits."""
        inner = [*self.blocks.parameters(), *self.past.parameters(), *self.think.parameters()]
        ends = [self.embed, self.side, self.before, self.told, self.meet, self.head]
        return {"muon": inner, "adamw": [weight for part in ends for weight in part.parameters()]}

    def forward(self, chords: Tensor, side: Tensor, cache: Cache | None = None) -> Tensor:
        """What is known of the chord that follows each step, (B, T, C), for `logits`.

        chords: (B, T, voices) int64 in 0 .. 2V-1, as `codecs.notes.chords` gives them. side: (B, T, len(config.side))
        int64, of the step *to be predicted*. cache: of earlier calls; changed in place. Row t depends on
        chords[:, : t + 1] alone. Raises ValueError for other shapes.
        """
        expected = (*chords.shape[:2], len(self.config.order)), (*chords.shape[:2], len(self.config.side))
        if (tuple(chords.shape), tuple(side.shape)) != expected:
            raise ValueError(f"chords and side must be {expected}, not {tuple(chords.shape)} and {tuple(side.shape)}")
        x = self.embed(chords + self.first).sum(-2)
        for i, embed in enumerate(self.side):
            x = x + embed(side[..., i])
        return through(self.blocks, x, self.frequency, cache)

    def logits(self, past: Tensor, before: Tensor, now: list[Tensor]) -> Tensor:
        """Of the next voice in the order, (..., V), in nats.

        past: (..., C), from `forward`; before: (..., voices), the last chord; now: of the voices of the new one that
        are drawn, each (...), as chords. Returns float32.
        """
        k = len(now)
        x = self.past[k](self.dropout(past)) + self.before[k](before + self.first).sum(-2)
        if now:
            others, drawn = list(self.config.order[:k]), torch.stack(now, -1)
            met = meetings(before[..., self.config.order[k], None], before[..., others], drawn, self.config.vocab)
            x = x + self.told[k](drawn + self.first[others]).sum(-2)
            x = x + self.meet[k](met + MEETINGS * torch.arange(k, device=met.device)).sum(-2)
        x = F.gelu(x)
        x = x + F.gelu(self.think[k](norm(self.dropout(x))))
        return self.head[k](self.dropout(x)).float()


def meetings(mine: Tensor, theirs: Tensor, now: Tensor, vocab: int) -> Tensor:
    """How another voice moves, and from which interval with mine, as one number below MEETINGS.

    mine, theirs: what both sang before; now: what the other sings. All as chords, of shapes that fit each other.
    """
    holds, mine, theirs, now = now >= vocab, mine % vocab, theirs % vocab, now % vocab
    interval = torch.where((mine >= 2) & (theirs >= 2), (mine - theirs) % 12, 12)
    move = torch.where((now >= 2) & (theirs >= 2), (now - theirs).clamp(-12, 12) + 12, 26)
    return interval * 27 + torch.where(holds, 25, move)


def nats(model: Choir, rows: Tensor) -> Tensor:
    """-log p of each voice of each chord but the first, given all before it: (B, T, voices), soprano first.

    rows: (B, T + 1, voices + K) int64, of each step its chord and what is known of it, as `codecs.notes.rows` gives.
    """
    vocab, order = model.config.vocab, model.config.order
    chords, side = rows[..., : len(order)], rows[:, 1:, len(order) :]
    before, after = chords[:, :-1], chords[:, 1:]
    past, costs = model(before, side), [None] * len(order)
    for k, voice in enumerate(order):
        logits, target = model.logits(past, before, [after[..., v] for v in order[:k]]), after[..., voice]
        target = torch.where(target >= vocab, 1, target)
        costs[voice] = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view(target.shape)
    return torch.stack(costs, -1)


def loss(model: Choir, rows: Tensor) -> Tensor:
    """Mean nats per voice and step. rows: (B, T + 1, voices + K)."""
    return nats(model, rows).mean()
