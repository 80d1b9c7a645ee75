"""How well a model predicts a sequence that it was not trained on, of characters or of notes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.inference_mode()
def nats_per_token(model: nn.Module, ids: Tensor, window: int, side: Tensor | None = None) -> float:
    """Mean of -log p(token | those before it), in nats; divide by log 2 for bits.

    ids: (N,) int64, N >= 2; side: (N, K), of each token. The sequence is read in windows of `window` tokens that
    overlap by half, and only the second half of each is counted, so that a token is predicted from at least window / 2
    others. Only the first window is counted whole. Raises ValueError for fewer than two tokens or a window < 2.
    """
    if ids.ndim != 1 or len(ids) < 2:
        raise ValueError(f"ids must be one sequence of at least two tokens, not of shape {tuple(ids.shape)}")
    if window < 2:
        raise ValueError(f"window must be at least 2 tokens, not {window}")
    total, counted = 0.0, 0
    window = max(2, min(window, len(ids) - 1))  # a short text costs no more than itself
    step = window // 2
    starts = range(0, max(1, len(ids) - 1 - (window - step)), step)
    for batch in torch.tensor(starts).split(16):
        at = batch[:, None] + torch.arange(window)
        inside = at < len(ids) - 1
        at = at.clamp(max=len(ids) - 2)
        fresh = inside & ((torch.arange(window) >= window - step) | (batch[:, None] == 0))
        logits = model(ids[at], None if side is None else side[at + 1])
        losses = F.cross_entropy(logits.transpose(1, 2), ids[at + 1], reduction="none")
        total += losses[fresh].cpu().double().sum().item()  # Apple's GPU has no float64
        counted += int(fresh.sum())
    return total / counted
