"""Drawing from a trained model: the next token, whole sequences, chorales, and what diffusion makes of noise."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from .attention import Cache
from .codecs import notes
from .models.diffusion import Path, mix
from .models.flow import NO_LABEL


def temper(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities of the next token at a temperature (Ackley et al. 1985, doi:10.1207/s15516709cog0901_7).

    logits: (..., V), in nats. temperature: >= 0; at 0 the first of the largest logits takes everything.
    Returns (..., V), summing to one. Raises ValueError if the temperature is negative or not finite.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be zero or a positive finite number, not {temperature}")
    if temperature == 0:  # the limit, where dividing would give nan
        return F.one_hot(logits.argmax(-1), logits.size(-1)).to(logits.dtype)
    return (logits / temperature).softmax(-1)


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Keep the fewest most probable tokens that hold at least top_p together (Holtzman et al. 2020, arXiv:1904.09751).

    probabilities: (..., V); top_p in (0, 1]. Returns (..., V), summing to one. Raises ValueError for another top_p.
    """
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1], not {top_p}")
    if top_p == 1:  # keeps all; sums of many small numbers would reach it too soon
        return probabilities
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    needless = ordered.cumsum(-1) - ordered >= top_p  # those before them were enough
    kept = ordered.masked_fill(needless, 0).gather(-1, order.argsort(-1))
    return kept / kept.sum(-1, keepdim=True)


def top_k(probabilities: Tensor, k: int) -> Tensor:
    """Keep the k most probable tokens, the first of equals first (Fan et al. 2018, doi:10.18653/v1/P18-1082).

    probabilities: (..., V); k >= 1, where V or more keeps all. Returns (..., V), summing to one. Raises ValueError for
    k < 1.
    """
    if k < 1:
        raise ValueError(f"top_k must be at least 1, not {k}")
    place = probabilities.argsort(dim=-1, descending=True, stable=True).argsort(-1)  # of each token in the order
    kept = probabilities.masked_fill(place >= k, 0)
    return kept / kept.sum(-1, keepdim=True)


def min_p(probabilities: Tensor, share: float) -> Tensor:
    """Keep the tokens that have at least this share of the largest probability (Nguyen et al. 2024, arXiv:2407.01082).

    probabilities: (..., V); share in [0, 1], where 0 keeps all. Returns (..., V), summing to one. Raises ValueError for
    another share.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"min_p must lie in [0, 1], not {share}")
    kept = probabilities.masked_fill(probabilities < share * probabilities.amax(-1, keepdim=True), 0)
    return kept / kept.sum(-1, keepdim=True)


def tokens(
    model: nn.Module,
    prompt: Tensor,
    length: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    side: Tensor | None = None,
    generator: Generator | None = None,
    keep: Callable[[Tensor], Tensor] | None = None,
    stop: int | None = None,
) -> Iterator[Tensor]:
    """Continue each prompt by `length` tokens, one at a time, as they are drawn.

    prompt: (B, P) int64, P >= 1. side: (B, P + length - 1, K) for models that know something of each token in advance;
    row t tells of the token at place t + 1. generator: of the CPU, whatever the model's device. keep: changes the
    probabilities (B, V) before a token is drawn, as `top_k` or a rule of grammar does. stop: a row that has drawn this
    token repeats it, and when all have, the stream ends before `length`. Yields (B,) int64.
    The keys and values of the past are kept, so each token costs one position. Raises ValueError for an empty prompt or
    one with unknown tokens, another shape of side, an unknown stop, length < 1 or a bad temperature or top_p, before it
    computes, and if keep leaves a row nothing to draw.
    """
    if prompt.ndim != 2 or prompt.size(1) < 1 or prompt.dtype != torch.int64:
        given = f"{prompt.dtype} of shape {tuple(prompt.shape)}"
        raise ValueError(f"prompt must be (B, P) int64 with at least one token each, not {given}")
    vocab = model.config.vocab
    if not 0 <= prompt.min() <= prompt.max() < vocab:
        raise ValueError(f"the model knows the tokens 0 .. {vocab - 1}, not {prompt.min()} .. {prompt.max()}")
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    known = prompt.size(1) + length - 1
    if side is not None and side.shape[:2] != (prompt.size(0), known):
        raise ValueError(f"side must be ({prompt.size(0)}, {known}, K), not {tuple(side.shape)}")
    if stop is not None and not 0 <= stop < vocab:
        raise ValueError(f"stop must be one of the tokens 0 .. {vocab - 1}, not {stop}")
    nucleus(temper(torch.zeros(2), temperature), top_p)  # refuses bad settings now
    return _tokens(model, prompt, length, temperature, top_p, side, generator, keep, stop)


def _tokens(model, prompt, length, temperature, top_p, side, generator, keep, stop) -> Iterator[Tensor]:
    cache, ids, start = Cache(), prompt, 0
    stopped = torch.zeros(len(prompt), dtype=torch.bool)
    for _ in range(length):
        with torch.inference_mode():
            known = None if side is None else side[:, start : start + ids.size(1)]
            logits = model(ids, known, cache)[:, -1].cpu()
        start += ids.size(1)
        p = nucleus(temper(logits, temperature), top_p)
        if keep is not None:
            p = keep(p)
            if not (p.isfinite().all() and (p.sum(-1) > 0).all()):
                raise ValueError("keep left a row without any token to draw: let it allow at least one, such as stop")
        drawn = torch.multinomial(p, 1, generator=generator)  # (B, 1)
        if stop is not None:
            drawn[stopped] = stop
            stopped |= drawn[:, 0] == stop
        yield drawn[:, 0]
        if stopped.all():
            return
        ids = drawn.to(prompt.device)


FREE = -1  # in `given`: to be drawn


class Take(NamedTuple):
    """What `chorale` sang: chords, and three sums over all steps, for each row and voice, in nats."""

    chords: Tensor  # (B, T, voices) int64
    drawn: Tensor  # (B, voices): -log p of what was drawn, at temperature 1 and without a wall
    given: Tensor  # (B, voices): -log p of what was given, likewise
    cut: Tensor  # (B, voices): -log of what the wall left, of the tempered probabilities


@torch.inference_mode()
def chorale(
    model: nn.Module,
    given: Tensor,
    side: Tensor,
    temperature: float = 1.0,
    top_p: float = 1.0,
    wall: Callable[[Tensor, dict[int, Tensor], int], Tensor] | None = None,
    particles: bool = False,
    generator: Generator | None = None,
) -> Take:
    """Sing what is not given, step after step from silence, and within a step in the model's order of voices.

    model: of models.choir. given: (B, T, voices) int64, FREE or ids of `codecs.notes.encode`. side: (B, T, K), of every
    step, or (T, K) for all rows. wall: says of the last chord (B, voices), of the voices of the new one so far and of
    the voice to be drawn which ids are allowed, (B, V) booleans, as `no_parallels`; a hold should be one of them.
    generator: of the CPU. particles: whether the rows, which are given and told the same, are B trials of one piece (a
    particle filter; Gordon et al. 1993, doi:10.1049/ip-f-2.1993.0015). Those that made what was given improbable, or
    ran into the wall, die out, and the others take their places, so that the voices fit what comes later, too. Each row
    is then a draw from the model *knowing* what is given, the better the more rows there are; rows can be alike.
    Raises ValueError for other shapes or ids, a bad temperature or top_p, and if the wall leaves nothing.
    """
    V, order, device = model.config.vocab, model.config.order, model.frequency.device
    B, T = given.shape[:2]
    if given.shape[2:] != (len(order),) or T < 1 or not FREE <= given.min() <= given.max() < V:
        raise ValueError(f"given must be (B, T, {len(order)}), {FREE} or ids below {V}, not of shape {given.shape}")
    if side.shape[-2:] != (T, len(model.config.side)) or side.ndim == 3 and len(side) != B or side.ndim > 3:
        raise ValueError(f"side must be ({B}, {T}, {len(model.config.side)}), not {tuple(side.shape)}")
    side = side.expand(B, -1, -1)
    if particles and ((given != given[:1]).any() or (side != side[:1]).any()):
        raise ValueError("particles are trials of one piece: give every row the same")
    nucleus(temper(torch.zeros(2), temperature), top_p)  # refuses bad settings now
    before, cache, chords = torch.zeros(B, len(order), dtype=torch.int64), Cache(), []
    sums, weight = torch.zeros(3, B, len(order)), torch.zeros(B)  # drawn, given, cut; log of each row's weight
    for t in range(T):
        last, now = before.to(device), {}
        past = model(last[:, None], side[:, t, None].to(device), cache)[:, 0]
        for voice in order:
            logits = model.logits(past, last, [part.to(device) for part in now.values()]).cpu()
            p, fixed = temper(logits, temperature), given[:, t, voice]
            ids = fixed.clone()
            if wall is not None:
                kept = p * wall(before, now, voice)
                mass = torch.where(fixed == FREE, kept.sum(-1), 1.0)
                if not (mass > 0).all():
                    raise ValueError(f"the wall left voice {voice} nothing at step {t}: let it hold")
                sums[2, :, voice] -= mass.log()
                weight += mass.log()
                p = torch.where((fixed == FREE)[:, None], kept / mass[:, None], p)
            if (fixed == FREE).any():
                drawn = torch.multinomial(nucleus(p, top_p), 1, generator=generator)[:, 0]
                ids = torch.where(fixed == FREE, drawn, fixed)
            cost = -logits.log_softmax(-1).gather(-1, ids[:, None])[:, 0]
            sums[0, :, voice] += cost * (fixed == FREE)
            sums[1, :, voice] += cost * (fixed != FREE)
            weight += torch.where(fixed == FREE, 0.0, p.gather(-1, ids[:, None])[:, 0].clamp(min=1e-30).log())
            now[voice] = torch.where(ids == notes.GOES_ON, V + before[:, voice] % V, ids)
        before = torch.stack([now[voice] for voice in range(len(order))], -1)
        chords.append(before)
        if particles and (t == T - 1 or (2 * weight).logsumexp(0) - 2 * weight.logsumexp(0) > math.log(2 / B)):
            rows = torch.multinomial((weight - weight.max()).exp(), B, replacement=True, generator=generator)
            chords, before, sums = [chord[rows] for chord in chords], before[rows], sums[:, rows]
            for memory in cache.layers:
                memory.select(rows.to(device))
            weight = torch.zeros(B)
    return Take(torch.stack(chords, 1), *sums)


def no_parallels(before: Tensor, now: dict[int, Tensor], voice: int) -> Tensor:
    """Which ids the voice may take without moving in parallel fifths, octaves or unisons with a voice of `now`.

    before: (B, voices), now: of some voices, (B,) each, all as chords. Returns (B, V) booleans. The convention is that
    of `evaluate.music.faults`: both voices move, the same way, uncrossed. A hold, or a rest, is free.
    """
    V = notes.VOCABULARY
    sung, was = torch.arange(V), before % V
    moves = (sung >= 2) & (sung != was[:, voice, None]) & (was[:, voice, None] >= 2)
    allowed = torch.ones(len(before), V, dtype=torch.bool)
    for other, chord in now.items():
        there = chord % V
        both = moves & ((there >= 2) & (there != was[:, other]) & (was[:, other] >= 2))[:, None]
        old, new = (was[:, voice] - was[:, other])[:, None], sung - there[:, None]
        step = (there - was[:, other])[:, None]
        same_way = (sung - was[:, voice, None]) * step > 0
        alike = (old.abs() % 12 == new.abs() % 12) & ((new.abs() % 12 == 0) | (new.abs() % 12 == 7))
        allowed &= ~(both & same_way & alike & (old * new >= 0))
    return allowed


@torch.inference_mode()
def ode(
    velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int | Sequence[float], order: int = 2
) -> Tensor:
    """Follow dx/dt = velocity(x, t) from the noise at t = 1 to the data at t = 0, by Heun's method, or Euler's.

    velocity: maps (B, ...) and times (B,) to (B, ...). steps: how many equal ones, or the times themselves. order: 2 is
    Heun's method, with two calls a step but one where it ends at 0: 2 * steps - 1 in all; 1 is Euler's, with one.
    Returns (B, ...). Raises ValueError if steps < 1, and for another order.
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 (Euler) or 2 (Heun), not {order}")
    x = noise
    for now, then in _pairs(steps):
        here = velocity(x, torch.full((len(x),), now, device=x.device, dtype=x.dtype))
        if order == 2 and then > 0:
            there = velocity(x + (then - now) * here, torch.full((len(x),), then, device=x.device, dtype=x.dtype))
            here = (here + there) / 2
        x = x + (then - now) * here
    return x


def _pairs(steps: int | Sequence[float]) -> Iterator[tuple[float, float]]:
    whole = isinstance(steps, Integral)  # NumPy's, too
    times = torch.linspace(1, 0, max(steps, 0) + 1).tolist() if whole else [*map(float, steps)]
    if len(times) < 2 or any(not 0 <= time <= 1 for time in times):
        raise ValueError(f"steps must be at least 1, or two times or more in [0, 1], not {steps}")
    return pairwise(times)


@torch.inference_mode()
def ddim(
    clean: Callable[[Tensor, Tensor], Tensor],
    noise: Tensor,
    steps: int | Sequence[float],
    path: Path,
    eta: float = 0.0,
    generator: Generator | None = None,
) -> Tensor:
    """Back from the noise by guessing the data, and going as far as the next time (Song et al. 2021, arXiv:2010.02502).

    clean: maps (B, ...) and times (B,) to E[x0 | x_t]. steps: how many equal ones from t = 1 to 0, or the falling times
    themselves. eta: the part of the noise that is drawn anew in each step, by a generator of the CPU (eq. 16, for any a
    and b). 0 is DDIM, where nothing is; 1 is ancestral sampling (Ho et al. 2020, eq. 6 and 7), the way back of a chain
    of these times. One call a step; nothing is drawn in a step to t = 0. Returns (B, ...). Raises ValueError if
    steps < 1, for eta outside 0 .. 1 and for times that do not fall.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in 0 (DDIM) .. 1 (ancestral), not {eta}")
    x = noise
    for now, then in _pairs(steps):
        if not then < now:
            raise ValueError(f"times fall from the noise at 1 to the data at 0, not from {now} to {then}")
        t = torch.full((len(x),), now, device=x.device, dtype=x.dtype)
        (a, b, *_), (next_a, next_b, *_) = mix(path, t, x), mix(path, torch.full_like(t, then), x)
        guess = clean(x, t)
        kept = a * next_b / (next_a * b)  # how much of the noise at `then` is known from that at `now`
        fresh = eta * next_b * (1 - kept.square()).clamp(min=0).sqrt()
        x = (
            next_a * guess
            + (next_b.square() - fresh.square()).clamp(min=0).sqrt() * (x - a * guess) / b
            + (fresh * torch.randn(x.shape, generator=generator).to(x) if eta else 0)
        )
    return x


@torch.inference_mode()
def langevin(
    score: Callable[[Tensor], Tensor], start: Tensor, steps: int, size: float, generator: Generator | None = None
) -> Tensor:
    """Uphill on log p and jostled: x + size / 2 * score(x) + sqrt(size) * noise (Song & Ermon 2019, arXiv:1907.05600,
    eq. 4). After many steps x is drawn nearly from p, the more nearly the smaller they are.

    score: maps (B, ...) to the slope of log p there. One call a step. generator: of the CPU. Returns (B, ...). Raises
    ValueError if steps < 1 or size is not positive.
    """
    if steps < 1 or not 0 < size < math.inf:
        raise ValueError(f"steps must be at least 1 and size positive, not {steps} and {size}")
    x = start
    for _ in range(steps):
        x = x + size / 2 * score(x) + math.sqrt(size) * torch.randn(x.shape, generator=generator).to(x)
    return x


def guided(
    model: nn.Module, labels: Tensor, scale: float, between: Sequence[float] = (0.0, 1.0), away: nn.Module | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """A velocity pushed towards its labels (Ho & Salimans 2022, arXiv:2207.12598, eq. 6, where w is scale - 1).

    labels: (B,) int64, those that the model knows. scale: >= 0, where 0 ignores the labels, 1 is the model's own belief
    and more exaggerates it. between: the times in which it is pushed (Kynkäänniemi et al. 2024, arXiv:2404.07724); at
    others, and at scale 1, the model's own belief takes one call instead of two. away: what is asked without labels in
    the model's place, best a weak one, which is pushed away from for its errors too (after Karras et al. 2024,
    arXiv:2406.02507, who tell it the labels). Raises ValueError for other labels, a negative or infinite scale, and
    times that are not in order or not in [0, 1].
    """
    known = model.config.labels - 1  # the last one stands for "no label"
    if labels.numel() and not 0 <= labels.min() <= labels.max() < known:
        wrong = labels[(labels < 0) | (labels >= known)][0].item()
        raise ValueError(f"the model draws 0 .. {known - 1}, not {wrong}: choose one of these labels")
    if not 0 <= scale < math.inf:
        raise ValueError(f"scale must be zero or a positive finite number, not {scale}")
    if not 0 <= between[0] <= between[1] <= 1:
        raise ValueError(f"between holds two times in [0, 1], the earlier first, not {between}")
    blank = torch.full_like(labels, NO_LABEL)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        if scale == 1 or not between[0] <= t[0] <= between[1]:  # all images flow at one time
            return model(x, t, labels)
        if away is None:  # both in one call
            both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([labels, blank]))
            with_label, without = both.chunk(2)
        else:
            with_label, without = model(x, t, labels), away(x, t, blank)
        return without + scale * (with_label - without)

    return velocity
