"""A recurrent network that reads events one after another and keeps what it needs of them in a state.

The plain one is Elman's (1990, doi:10.1207/s15516709cog1402_1), the other the LSTM of Hochreiter & Schmidhuber (1997,
doi:10.1162/neco.1997.9.8.1735) with the forget gate of Gers et al. (2000, doi:10.1162/089976600300015015). An event has
several parts, such as pitch, length and velocity; each is predicted from the state and from the parts before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    sizes: tuple[int, ...]  # how many values each part of an event has
    width: int = 128  # C, of the state
    cell: str = "lstm"  # or "plain"
    keep: float = 3.0  # the score at which the gate that keeps begins: 3 keeps 95 % a step, 46 % after sixteen

    def __post_init__(self):
        object.__setattr__(self, "sizes", tuple(self.sizes))  # JSON knows only lists
        if not self.sizes or min(self.width, *self.sizes) < 1:
            raise ValueError(f"an event needs parts, and every size must be at least 1: {self}")
        if self.cell not in ("lstm", "plain"):
            raise ValueError(f"cell must be lstm or plain, not {self.cell!r}")


def plain(given: Tensor, state: tuple[Tensor, ...], recur: nn.Linear) -> tuple[Tensor, ...]:
    """One step: h = tanh(given + U h). given: (B, C), what the input contributes. Returns the new (h,), each (B, C)."""
    (h,) = state
    return ((given + recur(h)).tanh(),)


def lstm(given: Tensor, state: tuple[Tensor, ...], recur: nn.Linear) -> tuple[Tensor, ...]:
    """One step of the LSTM. given: (B, 4 C); recur: C -> 4 C; state: h and the memory c, each (B, C).

    The four parts are the gates in, keep and out, and what is written; see `gates`.
    """
    h, c = state
    enter, keep, out, write = gates(given + recur(h))
    c = keep * c + enter * write
    return out * c.tanh(), c


def gates(scores: Tensor) -> tuple[Tensor, ...]:
    """scores: (..., 4 C). Returns in, keep and out in (0, 1), and what is written in (-1, 1), each (..., C)."""
    open_, write = scores.split([scores.size(-1) // 4 * 3, scores.size(-1) // 4], -1)
    return *open_.sigmoid().chunk(3, -1), write.tanh()


class RNN(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        C, (self.step, blocks) = config.width, (lstm, 4) if config.cell == "lstm" else (plain, 1)
        self.embed = nn.ModuleList(nn.Embedding(size, C) for size in config.sizes)
        self.given = nn.Linear(C, blocks * C)
        self.recur = nn.Linear(C, blocks * C, bias=False)
        self.told = nn.ModuleList(nn.Embedding(size, C) for size in config.sizes[:-1])
        self.heads = nn.ModuleList(nn.Linear(C, size) for size in config.sizes)
        for embed in (*self.embed, *self.told):
            nn.init.normal_(embed.weight, std=0.5)
        for part in self.recur.weight.chunk(blocks):
            nn.init.orthogonal_(part)
        if config.cell == "lstm":
            self.given.bias.data[C : 2 * C] = config.keep  # or slopes would not reach far enough back to learn from

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: Muon the recurrence, AdamW all else."""
        inner = self.recur.weight
        return {"muon": [inner], "adamw": [weight for weight in self.parameters() if weight is not inner]}

    def begin(self, batch: int) -> tuple[Tensor, ...]:
        """The state before anything was read: zeros, (B, C) each."""
        return (self.recur.weight.new_zeros(batch, self.config.width),) * (2 if self.config.cell == "lstm" else 1)

    def forward(self, events: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read events (B, T, K) int64. Returns h after each, (B, T, C), and the state after the last.

        state: what an earlier call returned, for events that go on; h at place t depends on nothing after it. Raises
        ValueError for no events, or events of other parts.
        """
        if events.ndim != 3 or events.size(1) < 1 or events.size(2) != len(self.config.sizes):
            raise ValueError(f"events must be (B, T, {len(self.config.sizes)}), T >= 1, not {tuple(events.shape)}")
        state = self.begin(len(events)) if state is None else state
        given = self.given(sum(embed(part) for embed, part in zip(self.embed, events.unbind(-1))))
        read = []
        for now in given.unbind(1):
            state = self.step(now, state, self.recur)
            read.append(state[0])
        return torch.stack(read, 1), state

    def logits(self, h: Tensor, known: list[Tensor]) -> Tensor:
        """Of the next part of an event, (..., V), in nats. h: (..., C); known: its parts so far, each (...) int64."""
        for told, part in zip(self.told, known):
            h = h + told(part)
        return self.heads[len(known)](F.gelu(h))


def nats(model: RNN, events: Tensor) -> Tensor:
    """-log p of each part of each event but the first, given all before. events: (B, T + 1, K). Returns (B, T, K)."""
    h, _ = model(events[:, :-1])
    parts = events[:, 1:].unbind(-1)
    costs = []
    for k, part in enumerate(parts):
        logits = model.logits(h, list(parts[:k]))
        costs.append(F.cross_entropy(logits.flatten(0, 1), part.flatten(), reduction="none").view(part.shape))
    return torch.stack(costs, -1)


def loss(model: RNN, events: Tensor) -> Tensor:
    """Mean nats per event. events: (B, T + 1, K) int64."""
    return nats(model, events).sum(-1).mean()


@torch.inference_mode()
def go_on(model: RNN, events: Tensor, length: int, choose: Callable[[Tensor], Tensor]) -> Tensor:
    """Continue events (B, P, K) by `length` more, part after part. choose: maps logits (B, V) to the drawn (B,).

    Returns (B, length, K) int64. Raises ValueError without a beginning, and for length < 1.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    drawn, (h, state) = [], model(events)
    for _ in range(length):
        parts = []
        for _ in model.config.sizes:
            parts.append(choose(model.logits(h[:, -1], parts)))
        drawn.append(torch.stack(parts, -1))
        h, state = model(drawn[-1][:, None], state)
    return torch.stack(drawn, 1)
