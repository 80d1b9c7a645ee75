"""Held-out likelihood where the truth is known, and judgements of digits whose answer is plain."""

import math

import numpy as np
import pytest
import torch

from aigc import data
from aigc.evaluate.image import label_accuracy, nearest
from aigc.evaluate.text import nats_per_token
from aigc.models.gpt import GPT, Config


class Chain(torch.nn.Module):
    """Predicts the next symbol by a table: a Markov chain in the place of a network."""

    def __init__(self, table):
        super().__init__()
        self.table = table

    def forward(self, ids, side=None):
        return self.table[ids].log()


TABLE = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.3, 0.4, 0.3]]).double()


def test_a_chain_is_as_surprised_by_its_own_text_as_its_entropy_rate():
    g, ids = torch.Generator().manual_seed(0), [0]
    for u in torch.rand(20_000, generator=g).tolist():
        ids.append(int((TABLE[ids[-1]].cumsum(0) < u).sum()))
    still = torch.linalg.matrix_power(TABLE, 100)[0]
    rate = -(still[:, None] * TABLE * TABLE.log()).sum().item()
    assert nats_per_token(Chain(TABLE), torch.tensor(ids), 32) == pytest.approx(rate, abs=0.02)


@pytest.mark.parametrize("length, window", [(2, 2), (3, 2), (17, 4), (18, 4), (19, 5), (4, 64), (65, 64), (64, 64)])
def test_every_token_but_the_first_is_counted_once(length, window):
    ids = torch.randint(3, (length,), generator=torch.Generator().manual_seed(length))
    by_hand = -TABLE[ids[:-1], ids[1:]].log().mean().item()
    assert nats_per_token(Chain(TABLE), ids, window) == pytest.approx(by_hand)


def test_each_token_is_predicted_from_at_least_half_a_window():
    torch.manual_seed(0)
    model = GPT(Config(vocab=5, context=8, layers=1, heads=1, width=14)).eval()
    torch.nn.init.normal_(model.head.weight)
    ids, seen = torch.randint(5, (40,)), []
    model.register_forward_pre_hook(lambda m, arguments: seen.append(arguments[0].shape))
    assert nats_per_token(model, ids, 8) > 0
    assert all(shape[1] == 8 for shape in seen)


@pytest.mark.parametrize("length, window", [(41, 8), (40, 8), (43, 9), (9, 8), (5, 8)])
def test_it_is_the_second_half_of_a_window_that_counts(length, window):
    ids = torch.randint(3, (length,), generator=torch.Generator().manual_seed(length))
    late = window - window // 2  # the first place of the second half

    def model(seen, side):  # knows nothing of the first half of a window, and everything of the second
        logits = torch.zeros(*seen.shape, 3)
        for row, told in zip(logits, seen):
            for start in range(length - 1):  # where in the sequence the window stands
                if torch.equal(ids[start : start + window], told[: len(ids) - start]):
                    break
            for place in range(late, min(window, length - 1 - start)):
                row[place, ids[start + place + 1]] = 1e4
        return logits

    unknown = min(late, length - 1)  # of the first window alone
    assert nats_per_token(model, ids, window) == pytest.approx(unknown * math.log(3) / (length - 1))


def test_sums_are_taken_on_the_processor_which_alone_has_float64_everywhere(monkeypatch):
    calls = []
    for name in ("cpu", "double"):
        real = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda self, name=name, real=real: calls.append(name) or real(self))
    nats_per_token(Chain(TABLE), torch.tensor([0, 1, 2, 0]), 64)
    assert calls == ["cpu", "double"]


def test_new_model_is_as_surprised_as_chance():
    model = GPT(Config(vocab=5, context=8, layers=1, heads=1, width=14, side=(4,)))
    ids = torch.randint(5, (40,))
    assert nats_per_token(model, ids, 8, torch.zeros(40, 1, dtype=torch.int64)) == pytest.approx(math.log(5))


@pytest.mark.parametrize(
    "ids, window", [(torch.zeros(1).long(), 4), (torch.zeros(2, 3).long(), 4), (torch.zeros(9).long(), 1)]
)
def test_unusable_sequences_and_windows_are_refused(ids, window):
    with pytest.raises(ValueError, match="at least"):
        nats_per_token(Chain(TABLE), ids, window)


def test_a_copy_has_distance_zero_and_an_inverted_image_the_greatest():
    corpus = data.digits("validation")[0][:50]
    index, distance = nearest(corpus[[7, 3]], corpus)
    assert index.tolist() == [7, 3] and distance.tolist() == [0, 0]
    black, white = np.zeros((1, 4, 5), np.uint8), np.full((1, 4, 5), 255, np.uint8)
    assert nearest(black, white)[1][0] == pytest.approx(255)


def test_nearest_agrees_with_all_pairs():
    corpus, images = data.digits("validation")[0][:40], data.digits("test")[0][:7]
    pairs = np.sqrt(((images[:, None].astype(float) - corpus[None]) ** 2).mean((2, 3)))
    index, distance = nearest(images, corpus)
    assert index.tolist() == pairs.argmin(1).tolist() and distance == pytest.approx(pairs.min(1), rel=1e-4)


def test_real_digits_are_mostly_recognised_and_shuffled_labels_are_not():
    images, labels = data.digits("test")
    assert label_accuracy(images, labels, *data.digits()) > 0.9
    assert label_accuracy(images, (labels + 1) % 10, *data.digits()) < 0.1


def test_other_images_are_refused():
    images = np.zeros((2, 4, 5), np.uint8)
    with pytest.raises(ValueError, match="bytes"):
        nearest(images.astype(float), images)
    with pytest.raises(ValueError, match="bytes"):
        nearest(images, images[:0])
    with pytest.raises(ValueError, match="cannot be compared"):
        nearest(images, np.zeros((2, 5, 4), np.uint8))
    with pytest.raises(ValueError, match="a label to each"):
        label_accuracy(images, np.zeros(3), images, np.zeros(2))
