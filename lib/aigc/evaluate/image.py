"""Measures of generated digits: are they the digit that was asked for, and are they copies?"""

import numpy as np


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
