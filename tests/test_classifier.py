"""The judge of digits: its head reads its features; what disturbs images moves them as it says."""

import pytest
import torch

from aigc.codecs import images
from aigc.models import classifier
from aigc.models.classifier import Classifier, Config


def test_the_head_decides_from_features_that_are_not_negative():
    torch.manual_seed(0)
    model, x = Classifier(Config(labels=3, width=2, features=7)).eval(), torch.rand(5, 1, 28, 28)
    features = model.features(x)
    assert features.shape == (5, 7) and features.min() >= 0
    assert torch.allclose(model(x), features @ model.head.weight.T + model.head.bias, atol=1e-6)
    groups = model.groups()
    assert sorted(map(id, groups["muon"] + groups["adamw"])) == sorted(map(id, model.parameters()))
    labels = torch.tensor([0, 1, 2, 0, 1])
    expected = -model(x).log_softmax(1)[torch.arange(5), labels].mean()
    assert torch.allclose(classifier.loss(model, x, labels), expected)


def test_what_is_disturbed_differs_from_image_to_image_and_keeps_its_ink_and_its_place_about():
    x = torch.full((50, 1, 28, 28), -1.0)
    x[:, :, 10:18, 12:16] = 1
    moved = images.disturbed(x, torch.Generator().manual_seed(0))
    ink, place = (moved + 1).sum((1, 2, 3)), torch.arange(28.0)
    assert moved.shape == x.shape and not torch.allclose(moved[0], moved[1])
    assert (ink / 64 - 1).abs().max() < 0.6 and ink.std() > 1
    rows = ((moved + 1).sum((1, 3)) @ place) / ink
    assert 0.5 < (rows - 13.5).abs().max() < 3.5
    again = images.disturbed(x, torch.Generator().manual_seed(0))
    assert torch.equal(moved, again)


def test_impossible_ones_are_refused():
    for wrong in ("labels", "width", "features"):
        with pytest.raises(ValueError, match="at least 1"):
            Config(**{wrong: 0})
    with pytest.raises(ValueError, match="28, 28"):
        Classifier(Config(width=2))(torch.zeros(2, 1, 14, 14))
