"""The user's own networks: built by name, behind their normalisation, or refused with a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made_data import write_tree
from torch import Tensor

from robustness.attacks.gradients import log_probabilities, reward_gradient
from robustness.attacks.iterated_sign import attack
from robustness.attacks.spec import AttackSpec, read_spec
from robustness.config import model_entry
from robustness.errors import UserError
from robustness.models import architectures, describe, placement, user_models, weights
from robustness.models.frozen import frozen
from robustness.models.image_shape import ImageShape
from robustness.models.wrapper import OwnModel

CPU = torch.device("cpu")
COLOUR, GRAY = ImageShape(3, 32, 32), ImageShape(1, 28, 28)
HALF = {"mean": [0.5] * 3, "std": [0.25] * 3}
ATTACK = {
    "reward": "cross_entropy",
    "direction": "sign",
    "confidence": 0.6,
    "other_confidences": ["argmax"],
    "max_iterations": 6,
    "target": None,
    "tighten": False,
    "gradients": "float32",
    "alpha": 0.05,
}

# Networks as somebody may write them: each is right, or has one mistake.
NETS = """
import torch
import torch.nn.functional as F
from torch import nn


class Small(nn.Module):
    def __init__(self, classes=4, channels=3, side=32):
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3, stride=2, padding=1)
        self.dense = nn.Linear(8 * (side // 2) ** 2, classes)

    def features(self, x):
        x = F.relu(self.conv(x))
        return x.view(len(x), -1)

    def forward(self, x):
        return self.dense(self.features(x))


class Peeking(Small):  # uses its layer's weights and sizes directly, as tied weights do
    def forward(self, x):
        return F.linear(self.features(x), self.dense.weight, self.dense.bias)[:, : self.dense.out_features]


class Wide(Small):
    def forward(self, x):
        return F.relu(self.conv(x)).mean((2, 3))


class Probabilities(Small):
    def forward(self, x):
        return super().forward(x).softmax(1)


class HalfProbabilities(Small):
    def forward(self, x):
        return super().forward(x).softmax(1).half().float()


class Bfloat16Probabilities(Small):
    def forward(self, x):
        return super().forward(x).bfloat16().softmax(1)


class DoubleRelu(Small):  # float64, none of them negative
    def forward(self, x):
        return F.relu(super().forward(x)).double()


class Pair(Small):
    def forward(self, x):
        return super().forward(x), x


class AuxiliaryInTraining(Small):
    def forward(self, x):
        return (super().forward(x), x) if self.training else super().forward(x)


class AlwaysDropping(Small):
    def forward(self, x):
        return self.dense(F.dropout(self.features(x), 0.5))


class Batchy(Small):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8 * 256, track_running_stats=False)

    def forward(self, x):
        return self.dense(self.norm(self.features(x)))


class Stubborn(Small):
    def eval(self):
        return self

    def train(self, mode=True):
        return super().train(True)


class Detached(Small):
    def forward(self, x):
        return super().forward(x.detach())


class InPlace(Small):
    def forward(self, x):
        return super().forward(x.sub_(0.5))


class Rounding(Small):  # to 8 bits, in place and hidden from the gradient
    def forward(self, x):
        with torch.no_grad():
            x.mul_(255).round_().div_(255)
        return super().forward(x)


class RoundingACopy(Small):
    def forward(self, x):
        return super().forward(x + ((x * 255).round() / 255 - x).detach())


class WeightNorm(Small):
    def __init__(self):
        super().__init__()
        self.dense = nn.utils.weight_norm(self.dense)


class Kept:
    pass


class Hooked(Small):  # keeps an activation, as Grad-CAM does
    def __init__(self):
        super().__init__()
        self.kept, self.list = {"more": Kept()}, []
        self.conv.register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        self.kept["conv"] = self.kept["more"].inside = output
        self.list[:] = [output]


class Locked(Small):
    def __init__(self):
        super().__init__()
        import threading

        self.lock = threading.Lock()


def lazy():
    return nn.Sequential(nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(4))


class NamedLogits(Small):
    def forward(self, x):
        return {"logits": super().forward(x), "features": x}


class Alone(Small):
    def forward(self, x):
        return [super().forward(x)]


class DictInside(Small):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def forward(self, x):
        return super().forward(self.inner(x)["x"][0])


class Inner(nn.Module):
    def forward(self, x):
        return {"x": (x, None)}


class HalfLogits(Small):
    def forward(self, x):
        return super().forward(x).bfloat16()


class DoubleRelu(Small):
    def forward(self, x):
        return F.relu(super().forward(x)).double()


class HalfProbabilities(Small):
    def forward(self, x):
        return super().forward(x).bfloat16().softmax(1)


class RoundedProbabilities(Small):
    def forward(self, x):
        return super().forward(x).softmax(1).half().float()


class Squeezing(Small):
    def forward(self, x):
        return super().forward(x).squeeze()


class AskingForGradients(Small):
    def forward(self, x):
        return super().forward(x) * (1 + torch.is_grad_enabled())


class AskingForTypes(Small):
    def forward(self, x):
        return super().forward(x) * (1 + (type(self.dense) is nn.Linear))


class Sparse(Small):
    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.eye(4).to_sparse())


def ending():
    raise SystemExit(0)


def settings():
    import os

    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    os.chdir("/")
    return Small().float()


class DetachedInTraining(Small):
    def forward(self, x):
        logits = super().forward(x)
        return logits.detach() if self.training else logits


class Broken(Small):
    def forward(self, x):
        return super().forward(x) / 0


class Counting(Small):
    def forward(self, x):
        return super().forward(x).argmax(1)[:, None].expand(-1, 4)


class RandomPlain(Small):
    def __init__(self):
        super().__init__()
        self.scale = torch.rand(8 * 256)

    def forward(self, x):
        return self.dense(self.features(x) * self.scale)


class Fixed(nn.Module):
    def forward(self, x):
        return x.mean((2, 3)).repeat(1, 2)[:, :4]


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 32, 8, 8)
        self.encoder = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.dense = nn.Linear(32, 4)

    def forward(self, x):
        return self.dense(self.encoder(self.embed(x).flatten(2).mT).mean(1))


def grouped():
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, groups=3), nn.GroupNorm(3, 12), nn.GELU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(12, 4),
    )


def number():
    return 3


def failing(depth):
    raise ValueError("no such depth")


VALUE = 5
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    files = {
        "own_nets.py": NETS,
        "needing.py": "import not_installed_anywhere\n",
        "exiting.py": "raise SystemExit(2)\n",
        "misled.py": "from statistics import mine\n",
        "statistics.py": "mine = 1\n",
        "profile.py": "raise ValueError('taken for the module of Python')\n",
        "neighbours.py": "import profile, statistics, folder.inner, own_nets\nSmall = own_nets.Small\n",
        "folder/inner.py": "",
    }
    write_tree(tmp_path, {name: text.encode() for name, text in files.items()})
    monkeypatch.setenv("ROBUSTNESS_PYTHON_PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__path__", [sys.modules[name].__dict__.get("__file__")])):
            del sys.modules[name]


def entry(
    name: str, normalisation: dict[str, list[float]] | None = HALF, resize: list[int] | None = None, **kwargs: Any
) -> dict[str, Any]:
    factory = name if ":" in name else f"own_nets:{name}"
    sized = {"resize": resize} if resize else {}
    return {"family": "factory", "factory": factory, "kwargs": kwargs, "normalisation": normalisation} | sized


def made(name: str, image: ImageShape = COLOUR, classes: int = 4, **options: Any) -> OwnModel:
    torch.manual_seed(0)
    model = architectures.build(entry(name, **options), image, classes)
    assert isinstance(model, OwnModel)
    return model


def pictures(count: int, image: ImageShape = COLOUR) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand((count, image.channels, image.height, image.width), generator=generator)


def test_a_script_that_ends_the_program_is_named(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "script.py": b"import argparse\nargparse.ArgumentParser().parse_args(['--unknown'])\n",
            "ending.py": b"import sys\ndef build():\n    sys.exit('no data')\n",
        },
    )
    entry = {"kwargs": {}, "normalisation": None}
    with pytest.raises(UserError, match=r"'script:build': importing 'script' ends the program .*2.* under if __name__"):
        user_models.built(entry | {"factory": "script:build"}, COLOUR)
    with pytest.raises(UserError, match=r"'ending:build', called with kwargs {}, raises SystemExit: no data"):
        user_models.built(entry | {"factory": "ending:build"}, COLOUR)


def test_the_normalisation_is_a_layer_in_front_of_the_network() -> None:
    model, x = made("Small", normalisation={"mean": [0.1, 0.2, 0.3], "std": [0.5, 1.0, 2.0]}), pictures(5)
    by_hand = (x - torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)) / torch.tensor([0.5, 1.0, 2.0]).view(1, 3, 1, 1)
    assert torch.equal(model(x), model.network(by_hand))


def test_without_a_normalisation_the_network_sees_the_pixels() -> None:
    model, x = made("Small", normalisation=None), pictures(5)
    assert torch.equal(model(x), model.network(x))


def test_gray_images_are_repeated_for_a_network_of_three_channels() -> None:
    model, x = made("Small", GRAY, side=28), pictures(5, GRAY)
    assert torch.equal(model(x), model.network(((x - 0.5) / 0.25).expand(-1, 3, -1, -1).contiguous()))


def test_a_network_that_takes_no_channels_last_is_given_none() -> None:
    gray = {"image": GRAY, "normalisation": None, "channels": 1, "side": 28}
    assert not made("Small").channels_last
    assert not made("Small", **gray).channels_last
    assert made("grouped").channels_last
    for model, image in ((made("Small"), COLOUR), (made("Small", **gray), GRAY), (made("grouped"), COLOUR)):
        for each in (frozen(model, CPU), placement.placed(model, CPU)):
            assert each(pictures(3, image).to(memory_format=torch.channels_last)).shape == (3, 4)


MISTAKES = {
    "own_nets:Missing": r"own_nets.py\) has no 'Missing'",
    "own_nets:VALUE": "is a int, which cannot be called",
    "nowhere:build": "there is no module 'nowhere' below .* none is installed",
    "needing:build": "importing 'needing' raises ModuleNotFoundError: No module named 'not_installed_anywhere'",
    "number": "returns a int: it must return a torch.nn.Module",
    "failing": "cannot be called with kwargs {}: missing a required argument: 'depth'; it takes",
    "Wide": r"returns \(8, 8\) for 8 images, but must return \(8, 4\), .* set its number of classes in kwargs",
    "Probabilities": "returns probabilities, .* leave out its softmax",
    "Bfloat16Probabilities": "returns probabilities, .* leave out its softmax",
    "Pair": "returns a tuple: it must return one tensor, the logits, or something with an entry named 'logits'",
    "HalfProbabilities": "returns probabilities, .* leave out its softmax",
    "RoundedProbabilities": "returns probabilities, .* leave out its softmax",
    "Squeezing": r"returns \(4,\) for 1 images, but must return \(1, 4\)",
    "AskingForGradients": "answers differently while gradients are computed",
    "AskingForTypes": "answers differently once its weights are frozen",
    "Sparse": "keeps 'mask' in its state, which is no plain tensor of numbers .* floating-point weights",
    "ending": "called with kwargs {}, raises SystemExit: 0",
    "exiting:Net": "importing 'exiting' ends the program",
    "misled:Net": "cannot import name 'mine' from 'statistics' .*statistics.py has the name of another module: rename",
    "AlwaysDropping": "answers the same images differently each time",
    "Batchy": "answers an image differently next to other images",
    "Stubborn": "stays in training mode",
    "Detached": "gives no gradient by the pixels",
    "Broken": "values that are not finite",
    "Counting": "returns torch.int64: it must return logits",
    "RandomPlain": "built twice and given the same weights, gives two answers: .*register_buffer",
}


@pytest.mark.parametrize(("name", "sentence"), MISTAKES.items(), ids=MISTAKES)
def test_what_is_wrong_with_a_network_is_said(name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=f"the factory '.*{name}'.*{sentence}"):
        made(name)


def test_outputs_in_another_precision_are_taken_for_what_they_are() -> None:
    model = made("DoubleRelu")
    assert model(pictures(2)).dtype == torch.float32


def test_outputs_that_seem_to_be_bounded_are_named_with_the_probability_that_they_end_at() -> None:
    logits = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    assert "between 0 and 1, as behind a sigmoid" in user_models.suspected_bounds(logits.sigmoid())
    assert "above 0.58, and" in user_models.suspected_bounds(logits.sigmoid())
    assert "between -1 and 1" in user_models.suspected_bounds(logits.tanh())
    assert "above 0.79, and" in user_models.suspected_bounds(logits.tanh())
    assert user_models.suspected_bounds(logits) == user_models.suspected_bounds(20 * logits.tanh()) == ""


@pytest.mark.parametrize(
    "name", ["WeightNorm", "Hooked", "lazy", "NamedLogits", "Alone", "DictInside", "HalfLogits", "DoubleRelu"]
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_what_the_check_accepts_is_trained_described_saved_frozen_and_attacked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = saved(tmp_path / "weights", name, monkeypatch)
    user_models.checked_for_training(model, entry(name), COLOUR, 4)
    assert describe.summarise(model, COLOUR).parameters > 0
    assert describe.operations(model, COLOUR)[-1]["shape"] in ([4], [3, 32, 32])  # Inner is the last one to be made
    loaded, x = weights.load(tmp_path / "weights"), pictures(3)
    held = frozen(loaded, CPU)
    expected = model(x).detach().log_softmax(1).float().numpy()
    spec: AttackSpec = read_spec(ATTACK, 4, "a title")
    result = attack(held, x, torch.from_numpy(expected.argmax(1)), torch.arange(3), spec, seed=0, batch_size=2)
    assert (result.adversarial[:, -1] != x).flatten(1).any(1).all()
    again = frozen(held, CPU)  # after passes with gradients
    for each in (held, again):
        assert log_probabilities(each, x) == pytest.approx(expected, abs=1e-2 if name == "HalfLogits" else 1e-4)


def test_a_network_with_something_that_cannot_be_copied_is_refused() -> None:
    with pytest.raises(UserError, match=r"cannot be copied \(TypeError: cannot pickle '_thread.lock'.* keep locks"):
        made("Locked")


def test_a_network_that_gives_no_gradient_in_training_is_not_trained() -> None:
    with pytest.raises(UserError, match="cannot be trained: its backward pass fails"):
        user_models.checked_for_training(made("DetachedInTraining"), entry("DetachedInTraining"), COLOUR, 4)


def test_a_file_next_to_the_network_takes_no_place_of_a_module_of_python() -> None:
    made("neighbours:Small")
    assert {"mine"}.isdisjoint(vars(sys.modules["statistics"]))
    assert "folder.inner" in sys.modules


def test_settings_that_a_factory_changes_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    made("settings")
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == before
    assert Path.cwd() == tmp_path


def test_a_network_that_takes_another_size_is_attacked_on_the_images_as_they_are() -> None:
    model, x = made("Small", GRAY, resize=[32, 32]), pictures(20, GRAY)
    larger = torch.nn.functional.interpolate(x, (32, 32), mode="bilinear", antialias=True)
    assert torch.allclose(model(x), model.network(((larger - 0.5) / 0.25).expand(-1, 3, -1, -1).contiguous()))
    assert describe.operations(model, GRAY)[1]["label"] == "resize to 32×32"
    held, labels = frozen(model, CPU), model(x).argmax(1)
    spec = read_spec(ATTACK, 4, "a title")
    together, apart = (attack(held, x, labels, torch.arange(20), spec, seed=0, batch_size=size) for size in (20, 3))
    assert together.adversarial.shape[2:] == (1, 28, 28)
    assert (together.adversarial[:, -1] != x).flatten(1).any(1).all()
    assert torch.equal(together.adversarial, apart.adversarial)


def test_a_network_that_takes_another_size_is_told_of_the_key_for_it() -> None:
    with pytest.raises(UserError, match=r"fails on images of 3×28×28 .* give this size with the key 'resize'"):
        made("Small", ImageShape(3, 28, 28))


def test_timm_s_way_to_build_a_network_works_by_its_arguments(tmp_path: Path) -> None:
    stand_in = "import own_nets\ndef create_model(model_name, num_classes=1000, **kwargs):\n"
    stand_in += "    return getattr(own_nets, model_name)(classes=num_classes, **kwargs)\n"
    write_tree(tmp_path, {"timm/__init__.py": stand_in.encode()})
    assert made("timm:create_model", model_name="Small", num_classes=4)(pictures(2)).shape == (2, 4)


@pytest.mark.parametrize("normalisation", [HALF, None])
@pytest.mark.parametrize("name", ["InPlace", "Rounding"])
def test_a_network_that_changes_its_input_in_place_gets_memory_of_its_own(
    name: str, normalisation: dict[str, list[float]] | None
) -> None:
    held = frozen(made(name, normalisation=normalisation), CPU)
    x = pictures(32)
    kept = x.clone()
    for shown in (x, x.to(memory_format=torch.channels_last), x[:16]):
        log_probabilities(held, shown)
        reward_gradient(
            held, shown, torch.zeros(len(shown), dtype=torch.int64).numpy(), read_spec(ATTACK, 4, "a title")
        )
    assert torch.equal(x, kept)


def test_an_attack_on_a_network_that_rounds_its_input_in_place_is_the_one_on_a_network_that_rounds_a_copy() -> None:
    x, spec = pictures(24), read_spec(ATTACK | {"alpha": 0.001}, 4, "a title")
    labels = made("Rounding", normalisation=None)(x).argmax(1)
    in_place, copying = (
        attack(frozen(made(name, normalisation=None), CPU), x, labels, torch.arange(24), spec, seed=0, batch_size=24)
        for name in ("Rounding", "RoundingACopy")
    )
    assert torch.equal(in_place.adversarial, copying.adversarial)
    assert (in_place.adversarial[:, -1] != x).flatten(1).any(1).all()


def test_arguments_that_a_factory_does_not_take_are_named() -> None:
    with pytest.raises(UserError, match=r"kwargs {'depth': 3}: got an unexpected keyword argument 'depth'; it takes"):
        made("Small", depth=3)
    with pytest.raises(UserError, match=r"called with kwargs {'depth': 3}, raises ValueError: no such depth"):
        made("failing", depth=3)


def test_images_of_another_size_than_the_network_takes_are_named() -> None:
    with pytest.raises(UserError, match=r"fails on images of 3×20×28 .* RuntimeError: .*mat1 and mat2"):
        made("Small", ImageShape(3, 20, 28))


def test_gray_images_for_a_network_of_three_channels_are_explained() -> None:
    with pytest.raises(UserError, match=r"fails on images of 1×28×28 .* three values each"):
        made("Small", GRAY, normalisation={"mean": [0.5], "std": [0.5]})


def test_a_network_of_one_output_is_told_that_two_classes_need_two() -> None:
    with pytest.raises(UserError, match="two classes need two outputs"):
        architectures.build(entry("Small", classes=1), COLOUR, 2)


def test_what_returns_something_else_in_training_mode_is_not_trained() -> None:
    model = made("AuxiliaryInTraining")
    with pytest.raises(UserError, match="in training mode returns a tuple"):
        user_models.checked_for_training(model, entry("AuxiliaryInTraining"), COLOUR, 4)
    assert not model.training


def test_a_network_without_parameters_is_attacked_and_not_trained() -> None:
    model = made("Fixed")
    assert describe.summarise(model, COLOUR).parameters == 0
    with pytest.raises(UserError, match="no parameters to train: give its weights"):
        user_models.checked_for_training(model, entry("Fixed"), COLOUR, 4)


def test_checking_a_network_changes_nothing_of_it() -> None:
    torch.manual_seed(0)
    architecture = entry("torchvision.models:resnet18", num_classes=4)
    model = user_models.built(architecture, COLOUR)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    user_models.checked_for_training(user_models.checked(model, architecture, COLOUR, 4), architecture, COLOUR, 4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not model.training


# --- files -----------------------------------------------------------------------------------------------------------


def saved(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> OwnModel:
    model, architecture = made(name), entry(name)
    weights.save(path, model, {"architecture": architecture, "image": [3, 32, 32], "classes": 4})
    monkeypatch.setenv("ROBUSTNESS_NETWORKS", json.dumps([model_entry.network(architecture)]))
    return model


def test_a_network_that_was_saved_and_loaded_gives_identical_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = saved(tmp_path / "weights", "Small", monkeypatch)
    assert torch.equal(weights.load(tmp_path / "weights")(pictures(4)), model(pictures(4)))


@pytest.mark.parametrize("named", ["[]", None, json.dumps([model_entry.network(entry("Small", classes=3))])])
def test_no_factory_is_run_that_only_a_file_of_weights_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    saved(tmp_path / "weights", "Small", monkeypatch)
    sys.modules.pop("own_nets")
    if named is None:
        monkeypatch.delenv("ROBUSTNESS_NETWORKS")
    else:
        monkeypatch.setenv("ROBUSTNESS_NETWORKS", named)
    with pytest.raises(UserError, match=r"weights holds a network .* which the configuration does not name"):
        weights.load(tmp_path / "weights")
    assert "own_nets" not in sys.modules


# --- the attack ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Small", "Peeking", "Sequence", "grouped"])
def test_a_frozen_network_answers_as_before_and_alike_in_any_batch(name: str) -> None:
    model, x = made(name), pictures(40)
    held = frozen(model, CPU)
    spec = read_spec(ATTACK, 4, "a title")
    with torch.no_grad():
        expected = model(x).log_softmax(1).numpy()
    assert log_probabilities(held, x) == pytest.approx(expected, abs=1e-4)
    aimed = torch.arange(40).remainder(4).numpy()
    whole, gradient = reward_gradient(held, x, aimed, spec)
    for rows in (slice(0, 1), slice(3, 9), slice(5, 25)):
        part, gradient_of_part = reward_gradient(held, x[rows], aimed[rows], spec)
        assert (whole[rows] == part).all()
        assert torch.equal(gradient[rows], gradient_of_part)


TORCHVISION = {
    "torchvision.models:resnet18": {"num_classes": 4},
    "torchvision.models:mobilenet_v3_small": {"num_classes": 4},
    "torchvision.models:convnext_tiny": {"num_classes": 4},
    "torchvision.models:VisionTransformer": {
        "image_size": 32,
        "patch_size": 8,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 32,
        "mlp_dim": 64,
        "num_classes": 4,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(("factory", "kwargs"), TORCHVISION.items(), ids=TORCHVISION)
def test_networks_of_torchvision_are_described_and_attacked(factory: str, kwargs: dict[str, Any]) -> None:
    model = made(factory, **kwargs)
    summary = describe.summarise(model, COLOUR)
    assert summary.parameters > 1000
    assert summary.gflops > 0
    assert summary.skip_connections is None
    assert describe.operations(model, COLOUR)[-1]["shape"] == [4]
    for parameter in model.parameters():  # networks start with zeros in their last layer, which have no gradient
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    held, x = frozen(model, CPU), pictures(4)
    labels = torch.from_numpy(log_probabilities(held, x).argmax(1))
    spec: AttackSpec = read_spec(ATTACK, 4, "a title")
    result = attack(held, x, labels, torch.arange(4), spec, seed=0, batch_size=4)
    assert (result.label_before == labels).all()
    assert (result.adversarial[:, -1] != x).flatten(1).any(1).all()
    assert (result.adversarial - x[:, None]).abs().max() <= 6 * 0.05 + 1e-6
