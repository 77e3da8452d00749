"""CPU seconds of wrong calls, each in a process of its own: `python benchmarks/wrong_calls.py`.

The calls are those of `tests/golden/wrong_calls`. The last lines have the slowest ones, the median, and for comparison
`emollms --help`.
"""

import os
import resource
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from wrong_calls import golden_calls, make_folder

SLOWEST = 10


def cpu_seconds(call: str, folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "emollms", *shlex.split(call)]
    subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_folder(Path(scratch))
        calls = [call for some in golden_calls().values() for call in some]
        times = {call: cpu_seconds(call, folder) for call in calls}
        print(f"emollms --help\t{cpu_seconds('--help', folder):.2f} s")
    print(f"median of {len(times)} wrong calls\t{median(times.values()):.2f} s")
    for call in sorted(times, key=lambda call: -times[call])[:SLOWEST]:
        print(f"emollms {call}\t{times[call]:.2f} s")


if __name__ == "__main__":
    main()
