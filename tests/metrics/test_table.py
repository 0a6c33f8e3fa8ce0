"""The table of metrics: a metric is one line of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hyperacuity.errors import LEAVE_OUT, UsageError, Use
from hyperacuity.metrics import METRICS, Metric
from hyperacuity.metrics.protocols import CLASSIC, PROTOCOLS, find_protocol
from hyperacuity.metrics.selection import select_metrics
from hyperacuity.networks.perceptual import lpips


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_describes_itself(metric: Metric) -> None:
    assert METRICS[metric.name] is metric
    assert metric.label.endswith("(higher is better)" if metric.higher_is_better else "(lower is better)")
    assert metric.format_value(float("nan")) == ""
    assert len(metric.format_value(1.0).partition(".")[2]) == metric.digits
    assert metric.required_side(3) == metric.shortest_side + (6 if metric.cuts_border else 0)


def test_unknown_metrics_and_missing_weights_are_named_with_their_cure() -> None:
    with pytest.raises(UsageError, match=r"no metric 'pnsr'.*Did you mean 'psnr'"):
        select_metrics(["pnsr"])
    with pytest.raises(UsageError, match="lpips needs its weights") as missing:
        select_metrics(["lpips"])
    assert missing.value.cures == (Use(lpips_weights="SQUEEZENET LINEAR"),)
    with pytest.raises(UsageError, match="the weights of lpips are given, but lpips is not") as extra:
        select_metrics(["psnr"], {"lpips": (Path("a"), Path("b"))})
    assert extra.value.cures == (Use(metrics="psnr lpips"), Use(lpips_weights=LEAVE_OUT))


def test_lpips_requires_the_side_that_its_network_requires() -> None:
    assert METRICS["lpips"].shortest_side == lpips.LEAST


def test_protocols_are_found_by_name() -> None:
    assert all(find_protocol(name).name == name for name in PROTOCOLS)
    assert find_protocol("classic") is CLASSIC
    with pytest.raises(UsageError, match="Did you mean 'classic'"):
        find_protocol("clasic")


def test_metrics_are_imported_without_pytorch() -> None:
    program = "import sys, hyperacuity.metrics.selection; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
