"""Temperature of class probabilities (Guo et al., 2017, On Calibration of Modern Neural Networks, section 4.2).

Probabilities are floats of shape (rows, classes), in the order of `task.classes`; a row need not sum to 1, and is
divided by its sum.
"""

from collections.abc import Sequence

import numpy as np

from emollms.evaluation.metrics import Floats, Integers
from emollms.evaluation.reliability import normalized
from emollms.optional import require

FLOOR = 1e-7
"""What a probability of 0 counts as: those of files with six decimals were below 5e-7."""

_LOG_TEMPERATURES = (-3.0, 4.0)


def expected_value(probabilities: Floats, values: Sequence[float]) -> Floats:
    """The mean of `values` under each row's distribution: the expected class, or the expected score.

    Args:
        probabilities: of shape (rows, values).
        values: class numbers, or scores, in the order of the columns.
    """
    return np.asarray(normalized(probabilities) @ np.asarray(values, dtype=np.float64), dtype=np.float64)


def temper(probabilities: Floats, temperature: float, floor: float = FLOOR) -> Floats:
    """Distributions at `temperature`: p^(1/T), divided by its sum. Above 1 it flattens, below 1 it sharpens.

    Args:
        probabilities: class probabilities.
        temperature: above 0.
        floor: what smaller probabilities count as.
    """
    logits = np.log(np.maximum(normalized(probabilities), floor)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_temperature(probabilities: Floats, gold: Integers, floor: float = FLOOR) -> float:
    """The temperature that makes the gold most likely, within e^-3..e^4.

    Args:
        probabilities: class probabilities of validation rows.
        gold: the column of the right class, for each row.
        floor: what smaller probabilities count as.
    """
    if not len(gold):
        return 1.0
    rows = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        return -float(np.mean(np.log(temper(probabilities, np.exp(log_temperature), floor)[rows, gold])))

    found = require("scipy.optimize", "evaluate", "calibration").minimize_scalar(
        loss, bounds=_LOG_TEMPERATURES, method="bounded"
    )
    return float(np.exp(found.x))
