"""The benchmark trains the nets it names; how fast they are is not tested."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fmnist_utils.models.build import build

SCRIPT = Path(__file__).parents[1] / "benchmarks/throughput.py"


@pytest.fixture(scope="module")
def throughput() -> ModuleType:
    spec = importlib.util.spec_from_file_location("throughput", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["throughput"] = module
    spec.loader.exec_module(module)
    return module


def test_nets_are_those_of_the_reports(throughput: ModuleType) -> None:
    counted = [build(net.spec).count_params() for net in throughput.NETS.values()]
    assert counted == [203_530, 136_586, 83_322, 896_906, 190_170, 3_384_234, 5_821_258]


def test_operations_are_two_per_weight_and_place_three_times(throughput: ModuleType) -> None:
    mlp, lenet = (throughput.NETS[name].spec for name in ("MLP 784-256-10", "LeNet-5"))
    assert throughput.operations(mlp) == 3 * 2 * (784 * 256 + 256 * 10)
    convolutions = 25 * 6 * 32**2 + 25 * 6 * 16 * 16**2
    dense = 1024 * 120 + 120 * 84 + 84 * 10
    assert throughput.operations(lenet) == 3 * 2 * (convolutions + dense)


@pytest.mark.slow
def test_every_contender_is_timed_on_one_small_net(
    throughput: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--nets", "mlp", "--rounds", "1", "--seconds", "0.01"]
    monkeypatch.setattr(sys, "argv", ["throughput.py", *arguments])
    monkeypatch.setattr(throughput, "product_rate", lambda bfloat16: 1e11)
    throughput.main()
    shown = capsys.readouterr().out
    for name in ("MLP 784-256-10", "fit", "ours", "ours bf16", "1.00x"):
        assert name in shown


def test_an_unknown_net_is_one_sentence(
    throughput: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["throughput.py", "--nets", "resnet"])
    with pytest.raises(SystemExit) as ended:
        throughput.main()
    assert ended.value.code == 2
    assert "no net is called resnet" in capsys.readouterr().err
