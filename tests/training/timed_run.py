"""`emollms`, as one of several processes that find another number of steps each, and another precision."""

import os

from emollms.cli import main
from emollms.hardware import Precision
from emollms.training import precision, trial

rank = int(os.environ["RANK"])
trial.fitting_steps = lambda *_: (4 + rank, 1.0)
precision.training_precision = lambda device: Precision(("float32", "bfloat16")[rank], "made up")
main()
