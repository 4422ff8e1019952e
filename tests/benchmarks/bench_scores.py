"""How long every figure and interval takes on ten million scores, against sorting them.

python -m tests.benchmarks.bench_scores [number of scores]
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from verify_app.calibration.fit import fit
from verify_app.evaluation.cost import min_cost
from verify_app.evaluation.det import det
from verify_app.evaluation.likelihood import min_cllr
from verify_app.evaluation.rates import ErrorRates
from verify_app.evaluation.report import summarise
from verify_app.evaluation.trials import TrialScores


def main(count: int) -> None:
    """Time each step once and print it in seconds of processor time and in sorts."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=count)
    mated = rng.random(count) < 0.1
    scores[mated] += 3.0
    subjects = 1000
    reference = rng.integers(0, subjects, count)
    probe = np.where(mated, reference, (reference + 1 + rng.integers(0, subjects - 1, count)) % subjects)
    trials = TrialScores(scores, mated, reference, probe)
    plain = TrialScores(scores, mated)
    unit = timed("np.sort", lambda: np.sort(scores), None)
    rates = ErrorRates.of(trials)
    for name, step in (
        ("EER, hull", rates.eer),
        ("AUC", rates.auc),
        ("DET curve", lambda: det(rates)),
        ("minDCF", lambda: min_cost(rates)),
        ("min Cllr", lambda: min_cllr(rates)),
        ("summary with intervals, trials drawn", lambda: summarise(plain)),
        ("summary with intervals, 1000 subjects drawn", lambda: summarise(trials)),
        ("calibration, method chosen, 1000 subjects", lambda: fit(trials)),
    ):
        timed(name, step, unit)


def timed(name: str, step: Callable[[], object], unit: float | None) -> float:
    """Run a step, print its time and return it."""
    start = time.process_time()
    step()
    seconds = time.process_time() - start
    print(f"{name:45} {seconds:7.2f} s  {seconds / (unit or seconds):6.1f} sorts", flush=True)
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
