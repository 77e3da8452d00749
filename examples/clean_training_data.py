"""Training texts without those that are near a benchmark, or near one another.

pip install emollms
python examples/clean_training_data.py posts.csv out/aeb kept.csv
"""

import sys

import pandas

import emollms


def main(source: str, benchmark: str, out: str) -> None:
    posts = pandas.read_csv(source)
    found = emollms.find_duplicates(posts, against=benchmark, policy="drop")
    print(found)
    kept = found.to_pandas()["kept"].to_numpy()
    posts[kept].to_csv(out, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
