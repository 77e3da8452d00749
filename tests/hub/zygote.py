"""Runs scripts, each in a fork of a process that has imported the client already.

`HF_ENDPOINT` and `HF_HUB_DISABLE_XET` are read when the client is imported, so scripts cannot run in the tests' own
process; importing anew for each would take longer than the tests. Each script finds `waits`, a list of the seconds that
the client and the package would have slept: nothing sleeps here.
"""

import os
import sys
import time
from contextlib import suppress

from forks import serve


class Clock:
    """Stands in for the module `time` where something would wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def main() -> None:
    import datasets  # noqa: F401
    from huggingface_hub import file_download, hf_api  # noqa: F401
    from huggingface_hub.utils import _http

    with suppress(ImportError):
        import scipy.io  # noqa: F401 - `datasets` imports it with the first data set, which takes long
    import emollms.cli
    import emollms.hub.collection
    import emollms.hub.dataset
    import emollms.hub.gguf
    import emollms.hub.hydrate
    import emollms.hub.publish
    import emollms.hub.space
    import emollms.hub.status
    import emollms.retry

    if "models" in sys.argv[1:]:
        _import_models()
    clock = Clock()
    for module in (file_download, _http, emollms.retry):
        module.time = clock
    print("ready", flush=True)
    serve({"waits": clock.waits})


def _import_models() -> None:
    """What loading a model imports; one thread, since a fork has no others."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import peft  # noqa: F401
    import torch
    from transformers.models.llama import modeling_llama  # noqa: F401
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
