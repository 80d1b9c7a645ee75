"""The mathematics of chains by counting: with a constant, and by Kneser and Ney."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from aigc.models.ngram import codes, fit, fit_kneser_ney

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


def kneser_ney_by_hand(sequences, order, discounts):
    """The definition, with strings and sets: p(context, symbol) for a context of `order` digits. Slow and short."""
    text = ["".join(map(str, ids)) for ids in sequences]

    def grams(n):
        return [t[i : i + n] for t in text for i in range(len(t) - n + 1)]

    def counts(n):  # of the grams of n symbols: how often at the top, below how many symbols stand before
        return Counter(grams(n)) if n == order + 1 else Counter(g[1:] for g in set(grams(n + 1)))

    def discount(table, count):
        of = Counter(table.values())
        j = min(count, discounts)
        if not of[1] or not of[j]:
            return j / 2
        D = j - (j + 1) * of[1] / (of[1] + 2 * of[2]) * of[j + 1] / of[j]
        return D if 0 < D < j else j / 2

    def p(context, symbol):
        n = counts(len(context) + 1)
        lower = p(context[1:], symbol) if context else 1 / V
        follow = {g: count for g, count in n.items() if g[:-1] == context}
        if not follow:
            return lower
        taken = sum(discount(n, count) for count in follow.values())
        mine = follow.get(context + symbol, 0)
        return (mine - (discount(n, mine) if mine else 0) + taken * lower) / sum(follow.values())

    return p


@pytest.mark.parametrize("discounts", [1, 3])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_kneser_ney_agrees_with_its_definition(order, discounts):
    rng = np.random.default_rng(5)
    ids = [(rng.random(n) ** 2 * V).astype(int) for n in (61, 2, 97)]  # uneven, with many grams that occur once
    model, p = fit_kneser_ney(ids, V, order, discounts), kneser_ney_by_hand(ids, order, discounts)
    query = rng.integers(V, size=31)
    assert len(model.log_prob(query)) == 31 - order
    for i, value in enumerate(model.log_prob(query)):
        context = "".join(map(str, query[i : i + order]))
        expected = [p(context, str(s)) for s in range(V)]
        np.testing.assert_allclose(model.probabilities(query[: i + order]), expected, rtol=1e-12)
        assert np.exp(value) == pytest.approx(expected[query[i + order]], rel=1e-12)


def test_kneser_ney_of_banana_by_pencil():
    model = fit_kneser_ney([[0, 2, 1, 3, 1, 3, 1, 0]], 4, 1, discounts=1)  # .banana. in the letters .abn
    np.testing.assert_allclose(model.discounts, [[3 / 5], [3 / 7]])
    np.testing.assert_allclose(35 * model.probabilities([2]), [3, 26, 3, 3])


@pytest.mark.parametrize("order", [0, 1, 2, 7])
def test_kneser_ney_rows_sum_to_one_and_nothing_is_impossible(order):
    ids = [np.where(sequence == 3, 2, sequence) for sequence in corpus()]  # symbol 3 never occurs
    model = fit_kneser_ney(ids, V, order)
    contexts = [*np.random.default_rng(3).integers(V, size=(13, order)), *([ids[0][:order]] if order else [])]
    for context in contexts:
        p = model.probabilities(context)
        assert p.shape == (V,) and (p > 0).all() and p.sum() == pytest.approx(1, abs=1e-12)
    assert ((model.discounts > 0) & (model.discounts <= [1, 2, 3])).all()


def test_one_discount_keeps_what_kneser_and_ney_asked_for():
    """Averaged over the contexts of the text, the second order says each symbol as often as the text does.

    That is why lower orders count contexts, and what a lower order of plain frequencies breaks. It holds up to what
    order 0 gives to the uniform distribution, which the formula below takes into account.
    """
    rng = np.random.default_rng(2)
    ids = (rng.random(400) ** 2 * V).astype(int)
    table = np.zeros((V, V), int)
    np.add.at(table, (ids[:-1], ids[1:]), 1)
    table *= rng.random((V, V)) < 0.7  # pairs that never occur, so that contexts and frequencies differ
    pairs = [[a, b] for a in range(V) for b in range(V) for _ in range(table[a, b])]
    model = fit_kneser_ney(pairs, V, 1, discounts=1)
    said = table.sum(1) @ np.stack([model.probabilities([a]) for a in range(V)])
    variety, D = (table > 0).sum(0), model.discounts[1, 0]  # N1+(. s)
    p0 = model.shares[0] + model.back[0] / V
    np.testing.assert_allclose(said, table.sum(0) + D * (variety.sum() * p0 - variety), rtol=1e-12)
    frequency = table.sum(0) / table.sum()
    plain = np.where(table > 0, table - D, 0).sum(0) + D * variety.sum() * frequency
    assert np.abs(said - table.sum(0)).max() < np.abs(plain - table.sum(0)).max()


def test_kneser_ney_comes_closer_to_a_known_chain_than_a_constant_does():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.full(V, 0.5), size=V)
    left = np.linalg.matrix_power(table, 500)[0]
    rate = -(left[:, None] * table * np.log(table)).sum()
    ids = [0]
    for u in rng.random(30_000):
        ids.append(int(np.searchsorted(table[ids[-1]].cumsum(), u).clip(max=V - 1)))
    few, new = ids[:2000], ids[2000:]
    surprise = {k: -fit_kneser_ney([few], V, k).log_prob(new).mean() for k in (0, 1, 3, 6)}
    constant = {k: -fit([few], V, k, alpha=0.1).log_prob(new).mean() for k in (1, 3, 6)}
    assert rate < surprise[1] < rate + 0.01 and surprise[0] > rate + 0.1
    assert surprise[6] < rate + 0.2 and surprise[6] - rate < 0.5 * (constant[6] - rate)


def test_kneser_ney_believes_the_text_when_there_is_enough_of_it():
    model = fit_kneser_ney([np.tile([0, 1, 0, 2], 50_000)], V, 2)
    np.testing.assert_allclose(model.probabilities([2, 0]), [0, 1, 0, 0, 0], atol=1e-3)
    ids = model.sample(500, np.random.default_rng(0), prompt=[1, 0])
    assert ids[:6].tolist() == [2, 0, 1, 0, 2, 0] and len(ids) == 500


def test_kneser_ney_samples_follow_its_probabilities():
    model = fit_kneser_ney(corpus(), V, 2)
    ids = model.sample(20_000, np.random.default_rng(2), prompt=[1, 3])
    refit = fit([ids], V, 2)
    for context in [(0, 1), (4, 2), (3, 3)]:
        np.testing.assert_allclose(refit.probabilities(context), model.probabilities(context), atol=0.06)


def test_kneser_ney_refuses_with_a_reason():
    with pytest.raises(ValueError, match="discounts must be 1 or 3"):
        fit_kneser_ney(corpus(), V, 2, discounts=2)
    with pytest.raises(ValueError, match="no sequence longer"):
        fit_kneser_ney([[1, 2]], V, 2)
    with pytest.raises(ValueError, match="only one symbol"):
        fit_kneser_ney([[1, 1, 1]], V, 1)
    model = fit_kneser_ney([[0, 1, 0, 1, 2]], V, 2)
    with pytest.raises(ValueError, match="needs a context of 2 symbols, not 1"):
        model.probabilities([1])
    with pytest.raises(ValueError, match="2 are too few"):
        model.log_prob([0, 1])
    with pytest.raises(ValueError, match="0 .. 4, got 0 .. 5"):
        model.log_prob([0, 1, 5])
