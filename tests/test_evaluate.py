"""Held-out likelihood where the truth is known, and judgements of digits whose answer is plain."""

import math

import numpy as np
import pytest
import torch

from aigc import data, released
from aigc.evaluate.image import (
    density_coverage,
    frechet,
    frechet_unlimited,
    judged,
    kernel_distance,
    label_accuracy,
    nearest,
    precision_recall,
)
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


def test_a_short_text_costs_no_more_than_itself():
    shapes = []
    model = lambda ids, side: shapes.append(tuple(ids.shape)) or torch.zeros(*ids.shape, 3)
    assert nats_per_token(model, torch.tensor([0, 1, 2, 0, 1]), 64) == pytest.approx(math.log(3))
    assert shapes == [(1, 4)]


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


def clouds(seed=0, n=211, m=307, f=7):
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(f, f, generator=g).double()
    return torch.randn(n, f, generator=g).double() @ mix, torch.randn(m, f, generator=g).double() @ mix.T + 0.3


def test_frechet_distance_of_two_gaussians_is_the_closed_form_and_zero_for_itself():
    # Clouds with exactly these moments: whitened, then stretched. Along one axis it is (m1-m2)^2 + (s1-s2)^2.
    def cloud(mean, std, seed):
        x = torch.randn(101, 2, generator=torch.Generator().manual_seed(seed)).double()
        x = x - x.mean(0)
        return x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T)).T) * torch.tensor(std) + torch.tensor(mean)

    a, b = cloud([1.0, -2.0], [3.0, 0.5], 0), cloud([2.0, 1.0], [1.0, 2.0], 1)
    assert frechet(a, b) == pytest.approx(1 + 9 + 4 + 2.25, abs=1e-8)
    assert frechet(a, a) == pytest.approx(0, abs=1e-8) and frechet(b, a) == pytest.approx(frechet(a, b))
    same_mean = cloud([1.0, -2.0], [1.0, 2.0], 1)
    assert frechet(a, same_mean) == pytest.approx(4 + 2.25, abs=1e-8)  # without the covariances it would be 0


def test_frechet_and_kernel_distances_are_those_of_torchmetrics():
    from torchmetrics.image.fid import _compute_fid
    from torchmetrics.image.kid import poly_mmd

    a, b = clouds()
    assert frechet(a, b) == pytest.approx(_compute_fid(a.mean(0), a.T.cov(), b.mean(0), b.T.cov()).item(), rel=1e-6)
    assert kernel_distance(a[:200], b[:200]) == pytest.approx(poly_mmd(a[:200], b[:200]).item(), rel=1e-9)


def test_kernel_distance_is_zero_on_average_for_the_same_kind_and_frechet_is_not():
    found = []
    for seed in range(300):
        x = torch.randn(40, 5, generator=torch.Generator().manual_seed(seed)).double()
        found.append((kernel_distance(x[:20], x[20:]), frechet(x[:20], x[20:])))
    kernel, fid = np.array(found).T
    assert abs(kernel.mean()) < 3 * kernel.std() / np.sqrt(300) and kernel.min() < 0
    assert fid.mean() > 10 * fid.std() / np.sqrt(300)  # the bias of few images


def test_precision_and_recall_of_clouds_whose_answer_is_plain():
    line = torch.arange(20.0)[:, None] * torch.tensor([[1.0, 0.0]])  # balls of radius 2 inside, k = 2 neighbours: 1
    assert precision_recall(line, line, k=2) == (1, 1)
    left, right = line[:10], line[10:]
    far = right + torch.tensor([100.0, 0.0])
    assert precision_recall(left, far, k=2) == (0, 0)
    both = torch.cat([left, far])
    assert precision_recall(both, left, k=2) == (1, 0.5)  # one mode dropped: all is real, half is missing
    assert precision_recall(left, both, k=2) == (0.5, 1)
    # the ball reaches to the k-th neighbour, itself not counted: 1 for k = 1, ends included
    middle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    assert precision_recall(middle, middle + torch.tensor([0.0, 0.99]), k=1) == (1, 1)
    assert precision_recall(middle, middle + torch.tensor([0.0, 1.01]), k=1) == (0, 0)


def test_density_and_coverage_of_clouds_whose_answer_is_plain():
    line = torch.arange(20.0)[:, None] * torch.tensor([[1.0, 0.0]])  # balls of radius 1 inside, 2 at the ends: k = 2
    # a ball holds itself and its neighbours, ends included: 3 inside; 2 + 1 at each end
    assert density_coverage(line, line, k=2) == (pytest.approx(20 * 3 / 20 / 2), 1)
    far = line + torch.tensor([0.0, 100.0])
    assert density_coverage(line, far, k=2) == (0, 0)
    assert density_coverage(torch.cat([line, far]), line, k=2)[1] == 0.5  # one mode dropped
    piled = line[10:11].repeat(20, 1)  # all fakes on one real: dense, and covers next to nothing
    assert density_coverage(line, piled, k=2) == (pytest.approx(3 / 2), 3 / 20)
    # one odd fake stretches the cloud of the fakes over all the reals, and leaves those of the reals alone
    odd = torch.cat([line[:3], torch.tensor([[1000.0, 0.0]])])
    assert precision_recall(line, odd, k=2)[1] == 1 and density_coverage(line, odd, k=2)[1] < 0.3


def test_density_of_the_same_kind_is_about_one():
    x = torch.randn(900, 5, generator=torch.Generator().manual_seed(0)).double()
    density, coverage = density_coverage(x[:450], x[450:])
    assert density == pytest.approx(1, abs=0.1) and coverage == pytest.approx(1 - 2**-5, abs=0.03)  # Naeem, appendix


def test_the_bias_of_few_fakes_is_taken_out_by_the_line():
    real, fake = (torch.randn(n, 7, generator=torch.Generator().manual_seed(n)).double() for n in (20_000, 4000))
    g = torch.Generator().manual_seed(0)
    few = np.mean([frechet(real, fake[torch.randperm(4000, generator=g)[:200]]) for _ in range(20)])
    unlimited = frechet_unlimited(real, fake, [200] * 8 + [400] * 8 + [2000] * 8, g)
    assert few > 0.1 and abs(unlimited) < few / 5  # the truth is 0
    for sizes in ([200], [200, 5000]):
        with pytest.raises(ValueError, match="different sizes"):
            frechet_unlimited(real, fake, sizes, g)


@pytest.mark.parametrize("measure", [frechet, kernel_distance, precision_recall, density_coverage])
def test_clouds_that_cannot_be_compared_are_refused(measure):
    with pytest.raises(ValueError, match="features must be"):
        measure(torch.zeros(9, 3), torch.zeros(9, 2))
    with pytest.raises(ValueError, match="at least"):
        measure(torch.zeros(9, 3), torch.zeros(1, 3))


def test_the_judge_reads_digits_and_its_head_decides_from_its_features():
    judge, _ = released.load("judge")
    images, labels = data.digits("test")
    features, read = judged(judge, images)
    assert features.shape == (500, 64) and features.dtype == torch.float64 and features.min() == 0
    assert (read.numpy() == labels).mean() > 0.975
    with pytest.raises(ValueError, match="28, 28"):
        judge(torch.zeros(2, 1, 14, 14))
