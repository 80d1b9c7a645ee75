"""Variety and copying: closed forms, and what each measure must not see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from aigc import data
from aigc.evaluate.variety import distinct, longest_copy, self_bleu, vendi


def test_distinct_counts_different_n_grams():
    assert distinct("abab", 1) == 0.5 and distinct("abab", 2) == 2 / 3
    assert distinct(["to", "be", "or", "not", "to", "be"], 2) == 4 / 5
    with pytest.raises(ValueError, match="no 3-gram"):
        distinct("ab", 3)


def test_distinct_falls_with_length_for_the_same_author():
    words = data.shakespeare("test").split()
    assert distinct(words[:200], 1) > distinct(words[:2000], 1) + 0.1


def test_self_bleu_is_100_for_one_text_repeated_and_0_for_texts_without_a_common_word():
    assert self_bleu(["the sun sets red tonight"] * 3) == pytest.approx(100)
    assert self_bleu(["one two three four", "five six seven eight"]) < 1e-6
    with pytest.raises(ValueError, match="too few"):
        self_bleu(["alone"])


def test_self_bleu_judges_each_text_by_all_others():
    texts = ["a b c d e", "a b c d f", "g h i j k"]
    bleu = BLEU(effective_order=True)
    by_hand = [bleu.sentence_score(t, [o for o in texts if o is not t]).score for t in texts]
    assert self_bleu(texts) == pytest.approx(np.mean(by_hand)) and by_hand[0] > by_hand[2]
    chinese = ["落霞与孤鹜齐飞", "落霞与白鹭齐飞"]
    assert self_bleu(chinese, "zh") > 20 > 1 > self_bleu(chinese)  # to 13a each is one word


@given(st.integers(1, 9), st.integers(1, 5))
def test_vendi_counts_kinds(kinds, each):
    labels = np.repeat(np.arange(kinds), each)
    assert vendi((labels[:, None] == labels).astype(float)) == pytest.approx(kinds)


def test_vendi_of_two_is_the_closed_form():
    for s in (0.0, 0.3, 0.9):
        weights = np.array([1 + s, 1 - s]) / 2
        assert vendi(np.array([[1, s], [s, 1]])) == pytest.approx(np.exp(-(weights * np.log(weights)).sum()))
    assert vendi(np.array([[1, 1], [1, 1]])) == pytest.approx(1)


def test_matrices_that_are_no_similarity_are_refused():
    for wrong in (np.ones((2, 3)), np.array([[1, 0.2], [0.3, 1]]), np.array([[2, 0], [0, 1]])):
        with pytest.raises(ValueError, match="symmetric"):
            vendi(wrong)
    with pytest.raises(ValueError, match="below 0"):
        vendi(np.array([[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]]))


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_the_longest_copy_is_that_of_all_pieces(text, corpus):
    pieces = [text[i:j] for i in range(len(text)) for j in range(i, len(text) + 1)]
    longest = max((len(piece) for piece in pieces if piece in corpus), default=0)
    found = longest_copy(text, corpus)
    assert len(found) == longest and found in corpus and found in text
