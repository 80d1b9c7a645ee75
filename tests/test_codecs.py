"""Text and images <-> numbers: the way back is the identity, and what cannot be encoded is named."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aigc import data
from aigc.codecs import images
from aigc.codecs.text import CharCodec, train_bpe


@given(st.text(min_size=2).filter(lambda text: len(set(text)) > 1))
def test_characters_come_back(text):
    codec = CharCodec.train(text)
    ids = codec.encode(text)
    assert codec.decode(ids) == text and set(ids) == set(range(len(codec.vocab)))
    assert list(codec.vocab) == sorted(codec.vocab)


def test_the_vocabulary_is_read_once_however_often_something_is_encoded():
    class Watched(str):
        reads = 0

        def __iter__(self):
            Watched.reads += 1
            return super().__iter__()

    codec = CharCodec(Watched("abc"))
    before = Watched.reads
    assert [codec.encode("cab") for _ in range(5)] == [[2, 0, 1]] * 5 and Watched.reads == before + 1


@pytest.mark.parametrize("text", ["", "a", "aaaa"])
def test_a_corpus_without_choice_is_refused(text):
    with pytest.raises(ValueError, match="nothing to predict.*at least two different"):
        CharCodec.train(text)


@pytest.mark.parametrize("prompt, named", [("to 是", "是"), ("be 🙂", "🙂"), ("1", "'1'")])
def test_characters_never_seen_are_named(prompt, named):
    codec = CharCodec.train(data.shakespeare("validation"))
    with pytest.raises(ValueError, match=f"never seen .*{named}.*Write the prompt with them"):
        codec.encode(prompt)


def test_other_ids_and_vocabularies_are_refused():
    codec = CharCodec.train("abc")
    for ids in ([3], [-1]):
        with pytest.raises(ValueError, match="0 .. 2"):
            codec.decode(ids)
    for vocab in ("", "aa"):
        with pytest.raises(ValueError, match="each once"):
            CharCodec(vocab)


def test_byte_pairs_encode_any_text_in_fewer_tokens():
    text = data.shakespeare("validation")[:50_000]
    tokenizer = train_bpe(text, 500)
    assert tokenizer.get_vocab_size() == 500
    for sample in (text[:1000], "落霞与孤鹜齐飞 🙂\n\t  1"):
        assert tokenizer.decode(tokenizer.encode(sample).ids) == sample
    assert len(tokenizer.encode(text).ids) < 0.6 * len(text)
    with pytest.raises(ValueError, match="at least 256"):
        train_bpe(text, 255)
    with pytest.raises(ValueError, match="empty"):
        train_bpe("", 300)


def test_every_byte_of_an_image_comes_back():
    every = np.arange(256, dtype=np.uint8).reshape(1, 8, 32)
    x = images.encode(every)
    assert x.shape == (1, 1, 8, 32) and x.min() == -1 and x.max() == 1 and x.dtype == torch.float32
    assert np.array_equal(images.decode(x), every)
    assert images.decode(torch.full((1, 1, 2, 3), 1.7)).max() == 255  # a model may overshoot


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 28, 28)),
        np.zeros((28, 28), np.uint8),
        np.zeros((2, 1, 28, 28), np.uint8),
        np.zeros((1, 2, 3), bool),
    ],
)
def test_other_images_are_refused(wrong):
    with pytest.raises(ValueError, match="images must be .B, H, W. bytes"):
        images.encode(wrong)


@pytest.mark.parametrize(
    "wrong, says", [(torch.zeros(2, 3, 8, 8), "one grey channel"), (torch.full((1, 1, 2, 2), torch.nan), "diverged")]
)
def test_other_tensors_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        images.decode(wrong)


def test_shifted_images_are_moved_by_whole_pixels_each_by_its_own_and_black_comes_in():
    x = torch.rand(60, 1, 5, 7, requires_grad=True)  # no black
    moved = images.shifted(x, 2, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape
    found = set()
    for one, other in zip(x.detach()[:, 0], moved.detach()[:, 0]):
        wide = torch.full((9, 11), -1.0)
        wide[2:7, 2:9] = one
        at = [(r, c) for r in range(5) for c in range(5) if torch.equal(wide[r : r + 5, c : c + 7], other)]
        assert len(at) == 1
        found.add(at[0])
    assert {r for r, _ in found} == {c for _, c in found} == set(range(5))
    moved.sum().backward()
    assert set(x.grad.unique().tolist()) == {0.0, 1.0}  # a pixel that is left outside has no gradient
    assert torch.equal(images.shifted(x, 0, torch.Generator()), x)
