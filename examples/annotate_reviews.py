"""Scores of a table of texts, and the ones that a person should look at.

pip install 'emollms[annotate]'
python examples/annotate_reviews.py reviews.csv body scores.csv
"""

import sys

import pandas

import emollms


def main(source: str, column: str, out: str) -> None:
    annotator = emollms.Annotator.from_pretrained(task="valence,emotions")
    table = annotator(pandas.read_csv(source), text_column=column).to_pandas()
    table.to_csv(out, index=False)
    print(f"{out}: {len(table)} rows, of which {table['valence'].isna().sum()} without a score")
    unsure = table.dropna(subset="valence").nsmallest(5, "valence_confidence")
    print(unsure[[column, "valence", "valence_low", "valence_high"]].to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
