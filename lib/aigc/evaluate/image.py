"""Measures of generated digits: are they what was asked for, are they copies, are they distributed as real ones?"""

import numpy as np
import torch
from torch import Tensor, nn

from ..codecs.images import encode


def nearest(images: np.ndarray, corpus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image of the corpus that is nearest to each image, by the root mean square of the pixels' differences.

    images: (N, H, W) bytes; corpus: (M, H, W) bytes. Returns its index (N,) and the distance (N,), in grey levels:
    0 for a copy. Raises ValueError for other types, or where the sizes differ.
    """
    for name, array in (("images", images), ("corpus", corpus)):
        if array.dtype != np.uint8 or array.ndim != 3 or len(array) == 0:
            raise ValueError(f"{name} must be (N, H, W) bytes, N >= 1, not {array.dtype} of shape {array.shape}")
    if images.shape[1:] != corpus.shape[1:]:
        raise ValueError(f"images of {images.shape[1:]} pixels cannot be compared with {corpus.shape[1:]} pixels")
    a, b = (array.reshape(len(array), -1).astype(np.float32) for array in (images, corpus))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T  # |a - b|^2, all pairs in one product
    index = squares.argmin(1)
    exact = a - b[index]  # the product rounds: a copy has to give 0
    return index, np.sqrt((exact**2).mean(1))


def label_accuracy(images: np.ndarray, labels: np.ndarray, corpus: np.ndarray, corpus_labels: np.ndarray) -> float:
    """The part of the images whose nearest neighbour in the corpus has the label that was asked for, in [0, 1].

    labels: (N,), corpus_labels: (M,) integers. Nearest neighbours err too: compare with held-out images, about 0.93.
    Raises ValueError for another number of labels, and as `nearest` does.
    """
    if len(labels) != len(images) or len(corpus_labels) != len(corpus):
        raise ValueError("give a label to each image and to each image of the corpus")
    return float((corpus_labels[nearest(images, corpus)[0]] == labels).mean())


@torch.inference_mode()
def judged(judge: nn.Module, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """What a classifier makes of images. judge: has features(x) and head; images: (N, H, W) bytes.

    Returns its features (N, F) in float64 and the labels that it decides on, (N,) int64, on the CPU.
    """
    device = next(judge.parameters()).device
    features = torch.cat([judge.features(x.to(device)) for x in encode(images).split(500)])
    return features.double().cpu(), judge.head(features).argmax(1).cpu()


def frechet(real: Tensor, fake: Tensor) -> float:
    """The squared Fréchet distance between two clouds of features, each taken as a Gaussian: the "FID".

    Heusel et al. 2017, arXiv:1706.08500, eq. 6: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). real: (N, F),
    fake: (M, F). The published FID takes its features from Inception; with others the numbers are on another scale. It
    is biased upwards where there are few images, by a part that differs from model to model even at equal N and M
    (Chong & Forsyth 2020, arXiv:1911.07023). Raises ValueError where the numbers of features differ, or where there are
    fewer than two images.
    """
    _clouds(real, fake, least=2)
    real, fake = real.double(), fake.double()
    c1, c2 = torch.cov(real.T).reshape(2 * [real.size(1)]), torch.cov(fake.T).reshape(2 * [fake.size(1)])
    root = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0).sqrt().sum()  # none is negative, but for rounding
    return ((real.mean(0) - fake.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * root).item()


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """The squared maximum mean discrepancy with the kernel (x.y / F + 1)^3, unbiased: the "KID".

    Binkowski et al. 2018, arXiv:1801.01401, section 4. real: (N, F), fake: (M, F), all of them at once, where others
    average over subsets. About 0, and sometimes below it, for images of the same kind, however few they are.
    Raises ValueError as `frechet` does.
    """
    _clouds(real, fake, least=2)
    kernel = lambda a, b: (a.double() @ b.double().T / a.size(1) + 1) ** 3
    others = lambda k: (k.sum() - k.trace()) / (len(k) * (len(k) - 1))  # without the pairs of one image with itself
    return (others(kernel(real, real)) + others(kernel(fake, fake)) - 2 * kernel(real, fake).mean()).item()


def precision_recall(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Precision: the part of the fakes within the real cloud. Recall: the part of the reals within the fake cloud.

    A cloud is the union of balls around its points, each as wide as the distance to its k-th neighbour there
    (Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 1 and 2). real: (N, F), fake: (M, F). Returns both, in [0, 1].
    Raises ValueError where the numbers of features differ, or where a cloud has no more than k points.
    """
    _clouds(real, fake, least=k + 1)
    between = torch.cdist(real, fake)  # (N, M)
    precision = (between <= _radii(real, k)[:, None]).any(0).double().mean().item()
    return precision, (between <= _radii(fake, k)).any(1).double().mean().item()


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Density: how many of the real balls hold a fake, over k. Coverage: the part of the real balls that hold any.

    The balls are those of `precision_recall`, around the reals alone, so one odd fake cannot stretch a cloud (Naeem et
    al. 2020, arXiv:2002.09797). Density may exceed 1: near 1 for fakes that are distributed as the reals.
    real: (N, F), fake: (M, F). Raises ValueError as `precision_recall` does.
    """
    _clouds(real, fake, least=k + 1)
    within = (torch.cdist(real, fake) <= _radii(real, k)[:, None]).double()  # (N, M)
    return within.sum(0).mean().item() / k, within.amax(1).mean().item()


def _radii(x: Tensor, k: int) -> Tensor:
    return torch.cdist(x, x).kthvalue(k + 1).values  # the nearest of all is the point itself


def frechet_unlimited(real: Tensor, fake: Tensor, sizes: list[int], generator: torch.Generator) -> float:
    """What `frechet` would be of infinitely many fakes: a line through its values at several sizes, at 1 / size = 0.

    Chong & Forsyth 2020, arXiv:1911.07023. sizes: how many of the fakes to draw each time, without replacement. The
    real cloud stays whole, and with it the bias of its own size. Raises ValueError as `frechet` does, and for fewer
    than two sizes or one beyond the number of fakes.
    """
    if len(set(sizes)) < 2 or max(sizes) > len(fake):
        raise ValueError(f"give two or more different sizes, none above {len(fake)}: {sizes}")
    draws = [fake[torch.randperm(len(fake), generator=generator)[:size]] for size in sizes]
    values = [frechet(real, draw) for draw in draws]
    return float(np.polyfit([1 / size for size in sizes], values, 1)[1])


def _clouds(real: Tensor, fake: Tensor, least: int) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.size(1) != fake.size(1):
        raise ValueError(f"features must be (N, F) and (M, F), not {tuple(real.shape)} and {tuple(fake.shape)}")
    if min(len(real), len(fake)) < least:
        raise ValueError(f"at least {least} images of each kind are needed, not {len(real)} and {len(fake)}")
