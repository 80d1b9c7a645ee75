"""Agreement, ranking and crowds: closed forms, reference libraries, and intervals that cover as they promise."""

import krippendorff
import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from aigc.evaluate.human import alpha, bradley_terry, dawid_skene, interval, nominal


def test_alpha_is_that_of_the_example_by_hand():
    # Krippendorff 2011, section C: four observers, twelve units, many marks missing; the value printed there
    marks = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
            [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
        ]
    )
    assert alpha(marks) == pytest.approx(0.743, abs=5e-4)
    assert alpha(marks, interval) == pytest.approx(0.849, abs=5e-4)


@pytest.mark.parametrize("distance, level", [(nominal, "nominal"), (interval, "interval")])
def test_alpha_is_that_of_krippendorff_with_marks_missing(distance, level):
    rng = np.random.default_rng(3)
    for _ in range(20):
        marks = rng.integers(4, size=(5, 23)).astype(float)
        marks[rng.random(marks.shape) < 0.4] = np.nan
        assert alpha(marks, distance) == pytest.approx(krippendorff.alpha(marks, level_of_measurement=level))


def test_alpha_is_one_for_agreement_about_zero_for_chance_and_below_it_for_opposites():
    rng = np.random.default_rng(0)
    same = np.tile(rng.integers(3, size=50), (4, 1))
    assert alpha(same) == 1
    by_chance = [alpha(rng.integers(2, size=(3, 40))) for _ in range(300)]
    assert abs(np.mean(by_chance)) < 3 * np.std(by_chance) / np.sqrt(300)
    coin = rng.integers(2, size=200)
    assert alpha(np.stack([coin, 1 - coin])) < -0.9
    # raw agreement of 90 % may be less than chance: nearly everything is called 0
    rare = np.zeros((2, 100))
    rare[0, :5] = rare[1, 5:10] = 1
    assert (rare[0] == rare[1]).mean() == 0.9 and alpha(rare) < 0


@pytest.mark.parametrize(
    "marks, says", [([[1, 2]], "two raters"), ([[1, 1], [1, 1]], "the same"), ([1, 2], "raters, items")]
)
def test_marks_that_say_nothing_are_refused(marks, says):
    with pytest.raises(ValueError, match=says):
        alpha(np.array(marks))


def games(rng, strength, each):
    """wins (K, K): `each` games of every pair."""
    chance = expit(strength[:, None] - strength[None, :])
    upper = np.triu(rng.binomial(each, chance), 1)
    return upper + np.tril(each - upper.T, -1)


def test_two_players_have_the_log_odds_and_its_closed_form_variance():
    strength, covariance = bradley_terry(np.array([[0, 30], [10, 0]]))
    assert strength[0] - strength[1] == pytest.approx(np.log(3)) and strength.sum() == pytest.approx(0)
    difference = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert difference == pytest.approx(1 / 30 + 1 / 10)  # of a logit


@given(st.integers(0, 10_000), st.integers(2, 7))
@settings(max_examples=30, deadline=None)
def test_at_the_maximum_each_player_has_won_as_often_as_expected(seed, players):
    rng = np.random.default_rng(seed)
    wins = games(rng, rng.normal(0, 2, players), 9) + 1  # never zero: finite
    strength, _ = bradley_terry(wins)
    expected = (wins + wins.T) * expit(strength[:, None] - strength[None, :])
    np.fill_diagonal(expected, 0)
    assert expected.sum(1) == pytest.approx(wins.sum(1) - np.diag(wins), abs=1e-6)


def test_intervals_of_the_ranking_cover_at_their_rate():
    rng, strength, inside, tries = np.random.default_rng(1), np.array([0.8, 0.1, -0.2, -0.7]), 0, 1500
    for _ in range(tries):
        found, c = bradley_terry(games(rng, strength, 50))
        reach = 1.96 * np.sqrt(c[0, 0] + c[3, 3] - 2 * c[0, 3])
        inside += abs(found[0] - found[3] - 1.5) < reach
    assert abs(inside / tries - 0.95) < 3 * np.sqrt(0.95 * 0.05 / tries)


def test_a_ranking_without_a_maximum_is_refused():
    never_lost = np.array([[0, 3, 2], [0, 0, 1], [0, 1, 0]])
    with pytest.raises(ValueError, match="2 groups"):
        bradley_terry(never_lost)
    bradley_terry(never_lost + 0.5)
    for wrong in (np.ones((2, 3)), np.ones((1, 1)), -np.ones((2, 2))):
        with pytest.raises(ValueError, match="K, K"):
            bradley_terry(wrong)


def crowd(rng, items=300, right=(0.9, 0.85, 0.8, 0.5, 0.5, 0.5, 0.1), classes=2):
    truth = rng.integers(classes, size=items)
    honest = rng.random((items, len(right))) < right
    other = (truth[:, None] + rng.integers(1, classes, size=honest.shape)) % classes
    return truth, np.where(honest, truth[:, None], other)


def test_a_crowd_is_read_as_crowd_kit_reads_it():
    rng = np.random.default_rng(5)
    _, labels = crowd(rng, classes=3)
    labels = np.where(rng.random(labels.shape) < 0.3, -1, labels)
    items, workers = np.nonzero(labels >= 0)
    table = pd.DataFrame({"task": items, "worker": workers, "label": labels[items, workers]})
    reference = DawidSkene(n_iter=100, tol=0).fit(table)
    belief, confusion = dawid_skene(labels, 3)
    assert np.abs(belief - reference.probas_.loc[range(len(labels)), range(3)].to_numpy()).max() < 1e-6
    for worker in range(labels.shape[1]):
        theirs = reference.errors_.loc[worker].loc[range(3), range(3)].to_numpy()  # said, true
        assert np.abs(confusion[worker].T - theirs).max() < 1e-6


def test_liars_and_sleepers_are_found_out_where_a_majority_errs():
    for seed in range(5):
        truth, labels = crowd(np.random.default_rng(seed))
        belief, confusion = dawid_skene(labels, 2)
        votes = (labels.mean(1) > 0.5) == truth
        assert (belief.argmax(1) == truth).mean() > votes.mean() + 0.05
        assert confusion[6, 0, 0] < 0.3 < 0.4 < confusion[4, 0, 0] < 0.65 < 0.75 < confusion[0, 0, 0]


def test_where_most_lie_in_the_same_way_they_are_believed():
    truth, labels = crowd(np.random.default_rng(0), right=(0.9, 0.1, 0.1, 0.1))
    assert (dawid_skene(labels, 2)[0].argmax(1) == truth).mean() < 0.15


def test_labels_that_cannot_be_read_are_refused():
    for wrong in (np.array([[0, 2]]), np.array([[0.0, 1.0]]), np.array([[0, -2]])):
        with pytest.raises(ValueError, match="integers from -1 to 1"):
            dawid_skene(wrong, 2)
    with pytest.raises(ValueError, match="at least one label"):
        dawid_skene(np.array([[0, 1], [-1, -1]]), 2)


def test_the_intervals_that_the_course_uses_cover_at_their_rate():
    """Of a share, Wilson's; of a mean of correlated judgements, Student's over the judges and not over judgements."""
    rng, tries = np.random.default_rng(2), 4000
    noise = 3 * np.sqrt(0.95 * 0.05 / tries)
    for n, p in ((15, 0.5), (200, 0.95)):
        low, high = np.array([stats.binomtest(k, n).proportion_ci(method="wilson") for k in range(n + 1)]).T
        holds = (low <= p) & (p <= high)
        covered = holds[rng.binomial(n, p, tries)].mean()
        exact = stats.binom.pmf(np.arange(n + 1), n, p)[holds].sum()
        assert abs(covered - exact) < noise and abs(exact - 0.95) < 0.025  # it jumps with n: k is a whole number
    judges = rng.normal(0, 1, (tries, 12)) + rng.normal(0, 1, (tries, 12, 20)).mean(2)
    reach = stats.t.ppf(0.975, 11) * judges.std(1, ddof=1) / np.sqrt(12)
    assert abs((abs(judges.mean(1)) < reach).mean() - 0.95) < noise
