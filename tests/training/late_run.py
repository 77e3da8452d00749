"""`emollms`, as one of several processes, where all but the first are late when the model is to be written."""

import os

from emollms.cli import main
from emollms.training import run

clear = run.clear_draft


def late(place):
    """Clear the draft after the first process has written its weights there."""
    while not (run.draft_of(place) / "model.safetensors").exists():
        pass
    clear(place)


if os.environ["RANK"] != "0":
    run.clear_draft = late
main()
