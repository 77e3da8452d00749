"""A run that sends itself a signal: python killed_run.py RECIPE DATA OUT STEP SIGNAL."""

import os
import signal
import sys
from pathlib import Path

from emollms.dataset.reader import Dataset
from emollms.errors import EmollmsError
from emollms.training.recipe import load_recipe
from emollms.training.run import run_training


def main(recipe: str, data: str, out: str, step: str, name: str) -> None:
    def on_progress(what: str, done: int, total: int) -> None:
        if done == int(step):
            os.kill(os.getpid(), signal.Signals[name])

    try:
        run_training(load_recipe(recipe), Dataset(data), Path(out), on_progress=on_progress)
    except EmollmsError as error:
        print(error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
