"""What a word list reaches on a benchmark, beside always saying the mean.

pip install 'emollms[evaluate]'
python examples/compare_baselines.py out          # corpora: sample, or the real ones by name
"""

import sys
from pathlib import Path

import pandas

import emollms


def main(out: str, corpora: str = "sample") -> None:
    folder = Path(out)
    emollms.build("aeb", folder / "aeb", corpora=corpora, tasks=["V-reg", "SST"])
    scores = {
        name: emollms.evaluate(data=folder / "aeb", out=folder / name, baseline=name).to_pandas()
        for name in ("vader", "mean")
    }
    print(pandas.concat(scores, names=["baseline"]).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
