"""The vectorised Viterbi against a slow, plain one, and against all paths there are."""

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from framesweep.evaluation import viterbi
from framesweep.evaluation.phone_chain import Chain, count_chain
from framesweep.evaluation.viterbi import Strength, smooth, tune, tune_smoother


def _random_case(seed, num_classes, lengths):
    rng = np.random.default_rng(seed)
    frames = sum(lengths)
    logits = rng.normal(size=(frames, num_classes)) * 2
    log_posteriors = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = rng.integers(0, num_classes, size=frames)
    labels = np.repeat(labels, 3)[:frames]
    return log_posteriors, labels, np.array(lengths)


def _score(path, scores, chain, strength):
    total = strength.transition * chain.log_start[path[0]] + scores[0][path[0]]
    for t in range(1, len(path)):
        total += strength.transition * chain.log_transition[path[t - 1], path[t]]
        total += scores[t][path[t]]
    return total


def _plain_viterbi(scores, chain, strength):
    num_frames, num_classes = scores.shape
    best = [[0.0] * num_classes for _ in range(num_frames)]
    back = [[0] * num_classes for _ in range(num_frames)]
    for t in range(num_frames):
        for to in range(num_classes):
            if t == 0:
                best[t][to] = strength.transition * chain.log_start[to] + scores[t][to]
                continue
            options = [
                best[t - 1][k] + strength.transition * chain.log_transition[k, to]
                for k in range(num_classes)
            ]
            back[t][to] = int(np.argmax(options))
            best[t][to] = max(options) + scores[t][to]
    path = [int(np.argmax(best[-1]))]
    for t in range(num_frames - 1, 0, -1):
        path.append(back[t][path[-1]])
    return path[::-1]


@pytest.mark.parametrize("strength", [Strength(1.0, 0.0), Strength(2.5, 0.7), Strength(0.3, 1)])
@pytest.mark.parametrize("cells", [1, 40, 1 << 20])
def test_equals_a_plain_viterbi(monkeypatch, strength, cells):
    monkeypatch.setattr(viterbi, "BATCH_CELLS", cells)
    log_posteriors, labels, lengths = _random_case(1, 5, [17, 1, 40, 40, 3, 1, 22])
    chain = count_chain(labels, lengths, 5)
    found = smooth(log_posteriors, lengths, chain, strength)
    scores = log_posteriors - strength.prior * chain.log_prior
    for start, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        own = scores[start : start + length]
        expected = _plain_viterbi(own, chain, strength)
        path = found[start : start + length]
        assert _score(path, own, chain, strength) == pytest.approx(
            _score(expected, own, chain, strength), abs=1e-4
        )
        assert path.tolist() == expected


def test_no_other_path_scores_higher():
    log_posteriors, labels, lengths = _random_case(2, 3, [6])
    chain, strength = count_chain(labels, lengths, 3), Strength(1.5, 0.5)
    scores = log_posteriors - strength.prior * chain.log_prior
    paths = itertools.product(range(3), repeat=6)
    best = max(paths, key=lambda path: _score(path, scores, chain, strength))
    assert smooth(log_posteriors, lengths, chain, strength).tolist() == list(best)


def test_without_strength_it_is_argmax():
    log_posteriors, labels, lengths = _random_case(3, 7, [30, 4, 11])
    chain = count_chain(labels, lengths, 7)
    found = smooth(log_posteriors, lengths, chain, Strength(0.0, 0.0))
    assert found.tolist() == log_posteriors.argmax(axis=1).tolist()


def test_tuning_mends_single_wrong_frames_and_never_loses():
    truth = np.repeat([0, 1, 2, 1, 0], 20)
    lengths = np.array([50, 50])
    rng = np.random.default_rng(4)
    posteriors = np.full((100, 3), 0.2)
    posteriors[np.arange(100), truth] = 0.6
    wrong = rng.choice(100, size=15, replace=False)
    posteriors[wrong] = 0.2
    posteriors[wrong, (truth[wrong] + 1) % 3] = 0.6
    chain = count_chain(truth, lengths, 3)
    strength, accuracy = tune(np.log(posteriors), truth, lengths, chain)
    plain = float((posteriors.argmax(axis=1) == truth).mean())
    assert plain == 0.85
    assert accuracy > 0.95
    assert strength.transition > 0


def test_a_chain_that_helps_only_together_with_priors_is_used():
    # Short phones between long ones, by a network that prefers the frequent phone.
    truth = np.tile(np.repeat([0, 1, 0, 2], [20, 2, 20, 2]), 10)
    lengths = np.array([len(truth)])
    rng = np.random.default_rng(2)
    logits = 0.8 * (np.log(np.bincount(truth) / len(truth)) + rng.normal(size=(len(truth), 3)))
    logits[np.arange(len(truth)), truth] += 2.5
    log_posteriors = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    chain = count_chain(truth, lengths, 3)
    plain = float((log_posteriors.argmax(axis=1) == truth).mean())
    for transition in viterbi.TRANSITIONS[1:]:
        alone = smooth(log_posteriors, lengths, chain, Strength(transition, 0.0))
        assert float((alone == truth).mean()) < plain
    strength, accuracy = tune(log_posteriors, truth, lengths, chain)
    assert accuracy > plain + 0.04
    assert strength.transition > 0
    assert strength.prior > 0


def test_a_chain_that_misleads_is_left_out():
    truth = np.tile([0, 1], 30)
    posteriors = np.where(truth[:, None] == np.arange(2), 0.9, 0.1)
    stay = np.log(np.array([[0.999, 0.001], [0.001, 0.999]]))
    chain = Chain(np.log([0.5, 0.5]), np.log([0.5, 0.5]), stay)
    strength, accuracy = tune(np.log(posteriors), truth, np.array([60]), chain)
    assert (strength, accuracy) == (Strength(0.0, 0.0), 1.0)


def test_a_chain_that_helps_only_on_the_sample_is_left_out(monkeypatch):
    steady, restless = np.repeat([0, 1, 0], 10), np.tile([0, 1], 15)
    truth = np.concatenate([steady, restless])
    guess = truth.copy()
    guess[[4, 14]] ^= 1
    log_posteriors = np.log(np.where(guess[:, None] == np.arange(2), 0.6, 0.4))
    stay = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
    chain = Chain(np.log([0.5, 0.5]), np.log([0.5, 0.5]), stay)
    found = tune(log_posteriors[:30], steady, np.array([30]), chain)
    assert found[0].transition > 0
    monkeypatch.setattr(viterbi, "tune", lambda *_: found)
    sample: Any = SimpleNamespace(labels=steady, lengths=np.array([30]))
    smoother, path = tune_smoother(chain, sample, log_posteriors[:30])
    assert smoother.strength == found[0]
    assert path.tolist() == smoother(log_posteriors[:30], sample.lengths).tolist()
    dev: Any = SimpleNamespace(labels=truth, lengths=np.array([30, 30]))
    smoother, path = tune_smoother(chain, dev, log_posteriors)
    assert smoother.strength == Strength(0.0, 0.0)
    assert path.tolist() == smoother(log_posteriors, dev.lengths).tolist()
