"""The mathematics of Markov chains by counting."""

from itertools import pairwise

import numpy as np
import pytest

from aigc.models.ngram import codes, fit

V = 5


def corpus(seed=0, sizes=(211, 307)):
    rng = np.random.default_rng(seed)
    return [rng.integers(V, size=n) for n in sizes]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_agrees_with_counting_by_hand(order):
    ids = corpus()
    model = fit(ids, V, order, alpha=0.3)
    text = ["".join(map(str, sequence)) for sequence in ids]  # one digit a symbol

    def count(gram, last=None):  # overlapping, and never from one sequence into the next
        return sum(t[i : i + len(gram)] == gram for t in text for i in range(len(t) - len(gram) + 1 - (last is None)))

    query = np.random.default_rng(1).integers(V, size=23)
    for i, value in enumerate(model.log_prob(query)):
        context, symbol = query[i : i + order], query[i + order]
        word = "".join(map(str, context))
        expected = (count(word + str(symbol), "end") + 0.3) / (count(word) + 0.3 * V)
        assert np.exp(value) == pytest.approx(expected, rel=1e-12)
        assert model.probabilities(context)[symbol] == pytest.approx(expected, rel=1e-12)
        assert model.counts_after(context)[symbol] == count(word + str(symbol), "end")


@pytest.mark.parametrize("order", [0, 1, 2, 7])
def test_rows_sum_to_one_also_where_nothing_was_seen(order):
    model = fit(corpus(), V, order, alpha=0.01)
    rng = np.random.default_rng(3)
    for context in rng.integers(V, size=(13, order)):
        p = model.probabilities(context)
        assert p.shape == (V,) and (p > 0).all() and p.sum() == pytest.approx(1, abs=1e-12)
        ids = [np.exp(model.log_prob([*context, s])[0]) for s in range(V)]
        np.testing.assert_allclose(ids, p, rtol=1e-12)


def test_surprise_at_samples_of_a_known_chain_is_its_entropy_rate():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.full(V, 0.5), size=V)  # the truth: row = context
    left = np.linalg.matrix_power(table, 500)[0]  # the stationary distribution: every row of the limit
    np.testing.assert_allclose(left @ table, left, atol=1e-12)
    rate = -(left[:, None] * table * np.log(table)).sum()
    ids = [0]
    for u in rng.random(100_000):
        ids.append(int(np.searchsorted(table[ids[-1]].cumsum(), u).clip(max=V - 1)))
    learned = fit([ids[:50_000]], V, 1, alpha=0.5)
    surprise = -learned.log_prob(ids[50_000:])
    assert surprise.mean() == pytest.approx(rate, abs=4 * surprise.std() / 50_000**0.5)
    again = learned.sample(50_000, np.random.default_rng(1), prompt=[0])
    assert -learned.log_prob(again).mean() == pytest.approx(rate, abs=4 * surprise.std() / 50_000**0.5)
    np.testing.assert_allclose([learned.probabilities([s]) for s in range(V)], table, atol=0.03)


def test_samples_follow_the_probabilities_of_a_second_order_chain():
    model = fit(corpus(), V, 2, alpha=0.5)
    ids = model.sample(40_000, np.random.default_rng(2), prompt=[1, 3])
    refit = fit([ids], V, 2)
    for context in [(0, 1), (4, 2), (3, 3)]:  # not symmetric: a reversed context cannot pass
        np.testing.assert_allclose(refit.probabilities(context), model.probabilities(context), atol=0.05)


def test_limits_of_alpha():
    ids = corpus()
    np.testing.assert_allclose(fit(ids, V, 1, alpha=1e12).probabilities([2]), 1 / V, rtol=1e-6)
    relative = np.bincount(np.concatenate(ids), minlength=V) / sum(map(len, ids))
    np.testing.assert_allclose(fit(ids, V, 0).probabilities([]), relative)
    unseen = fit([[0, 1, 0, 1]], 3, 1)
    assert unseen.log_prob([0, 2, 1]).tolist() == [-np.inf, -np.inf]  # a gram, and then a context, never seen
    assert fit([[0, 1, 0, 1]], 3, 1, alpha=1).log_prob([0, 2, 1]).tolist() == [np.log(1) - np.log(5), -np.log(3)]


def test_more_context_never_hurts_on_the_training_text():
    ids = corpus()
    means = [-fit(ids[:1], V, k).log_prob(ids[0])[6 - k :].mean() for k in range(7)]  # the same symbols for each order
    assert all(b <= a + 0.02 for a, b in pairwise(means)) and means[6] < 0.1 < means[0]


def test_samples_repeat_with_the_seed_and_end_at_the_stop_symbol():
    model = fit(corpus(), V, 1, alpha=1.0)
    one, two = (model.sample(500, np.random.default_rng(7), prompt=[2]) for _ in range(2))
    assert one.tolist() == two.tolist() and len(set(one.tolist())) == V
    ended = model.sample(500, np.random.default_rng(7), prompt=[2], stop=4)
    assert ended.tolist() == one[: one.tolist().index(4) + 1].tolist()


def test_samples_never_leave_what_was_seen_when_alpha_is_zero():
    ids = np.tile([0, 3, 1, 4, 1, 2], 5)  # a circle: no dead end
    drawn = fit([ids], V, 1).sample(300, np.random.default_rng(0), prompt=[0])
    assert set(codes(np.append(0, drawn), V, 2)) <= set(codes(ids, V, 2))


def test_code_is_the_number_in_base_v():
    assert codes(np.array([1, 2, 3, 4]), 10, 3).tolist() == [123, 234]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([], V, 1), "no sequence longer"),
        (([[]], V, 0), "no sequence longer"),
        (([[1, 2]], V, 2), "no sequence longer"),
        (([[1, 1, 1]], V, 1), "only one symbol"),
        (([[0, 1]], 1, 0), "at least 2"),
        (([[0, 5]], V, 0), "0 .. 4, got 0 .. 5"),
        (([[0, -1]], V, 0), "0 .. 4, got -1 .. 0"),
        (([[0.0, 1.0]], V, 0), "integers"),
        (([0, 1], V, 0), "fit\\(\\[ids\\]"),
        (([[0, 1]], V, -1), "order must be"),
        (([[0, 1]], 63, 10), "order must be"),
        (([[0, 1]], V, 0, -1.0), "alpha must be"),
        (([[0, 1]], V, 0, float("nan")), "alpha must be"),
    ],
)
def test_fit_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(*arguments)


def test_queries_are_refused_with_a_reason():
    model = fit([[0, 1, 0, 1, 2]], V, 2)
    with pytest.raises(ValueError, match="needs a context of 2 symbols, not 1"):
        model.probabilities([1])
    with pytest.raises(ValueError, match="needs a context of 2 symbols, not 0"):
        model.sample(3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="never continues the context"):
        model.probabilities([4, 4])
    with pytest.raises(ValueError, match="2 are too few"):
        model.log_prob([0, 1])
    with pytest.raises(ValueError, match="length must be"):
        model.sample(0, np.random.default_rng(0), prompt=[0, 1])
