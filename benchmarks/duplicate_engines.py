"""The engines of the near-duplicate benchmark; run as a script, one of them in this process.

    python duplicate_engines.py ENGINE TEXTS.parquet PAIRS.npy

The pairs are uint64, `smaller row << 32 | larger row`, sorted.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

THRESHOLD, BANDS, ROWS = 0.7, 28, 7
PERMUTATIONS = BANDS * ROWS


def grams(text: str) -> set[str]:
    return {text[at : at + 4] for at in range(max(len(text) - 3, 1))}


def verified(texts: list[str], candidates: Iterable[tuple[int, int]]) -> np.ndarray:
    """The candidates whose gram sets reach the threshold; the sets of one text are kept for its next candidate."""
    pairs = sorted({(min(pair), max(pair)) for pair in candidates if pair[0] != pair[1]})
    found, last, ours = [], -1, set()
    for one, other in pairs:
        if one != last:
            last, ours = one, grams(texts[one])
        theirs = grams(texts[other])
        shared = len(ours & theirs)
        if shared / (len(ours) + len(theirs) - shared) >= THRESHOLD:
            found.append(one << 32 | other)
    return np.array(found, np.uint64)


def emollms(path: str) -> np.ndarray:
    import pyarrow.parquet as pq

    from emollms.dedup.pairs import find_pairs

    near = find_pairs(pq.read_table(path)["text"]).near
    return near.left.astype(np.uint64) << np.uint64(32) | near.right.astype(np.uint64)


def read(path: str) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_table(path)["text"].to_pylist()


def datasketch_update(path: str) -> np.ndarray:
    from datasketch import MinHash

    def one_by_one(texts: list[str]) -> Iterable[MinHash]:
        for text in texts:
            minhash = MinHash(num_perm=PERMUTATIONS)
            for gram in grams(text):
                minhash.update(gram.encode())
            yield minhash

    texts = read(path)
    return verified(texts, datasketch_candidates(one_by_one(texts)))


def datasketch_generator(path: str) -> np.ndarray:
    from datasketch import MinHash

    texts = read(path)
    shingled = ([gram.encode() for gram in grams(text)] for text in texts)
    return verified(texts, datasketch_candidates(MinHash.generator(shingled, num_perm=PERMUTATIONS)))


def datasketch_candidates(minhashes: Iterable) -> Iterable[tuple[int, int]]:
    from datasketch import MinHashLSH

    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    for row, minhash in enumerate(minhashes):
        for other in index.query(minhash):
            yield other, row
        index.insert(row, minhash, check_duplication=False)


def rensa(path: str) -> np.ndarray:
    from rensa import RMinHash, RMinHashLSH

    texts = read(path)
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=BANDS)
    candidates = []
    for row, text in enumerate(texts):
        minhash = RMinHash(num_perm=PERMUTATIONS, seed=1)
        minhash.update(list(grams(text)))
        candidates += [(other, row) for other in index.query(minhash)]
        index.insert(row, minhash)
    return verified(texts, candidates)


def gaoya(path: str) -> np.ndarray:
    from gaoya.minhash import MinHashStringIndex

    texts = read(path)
    index = MinHashStringIndex(
        hash_size=32, jaccard_threshold=0.0, num_bands=BANDS, band_size=ROWS, num_hashes=PERMUTATIONS,
        analyzer="char", lowercase=False, ngram_range=(4, 4),
    )  # fmt: skip
    rows = list(range(len(texts)))
    index.par_bulk_insert_docs(rows, texts)
    found = index.par_bulk_query(texts, return_similarity=False)
    return verified(texts, ((row, other) for row, others in enumerate(found) for other in others))


def datatrove(path: str) -> np.ndarray:
    """Its pipeline for one machine, over character 4-grams in place of its words.

    It links each text of a bucket to the one before it, which is what its clusters need; pairs further apart in a
    bucket are not among its candidates.
    """
    import tempfile

    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupSignature

    minhash.load_word_tokenizer = lambda language: None  # characters need none

    class CharacterGrams(MinhashDedupSignature):
        def get_shingles(self, text: str) -> np.ndarray:
            hashes = (xxhash.xxh64_intdigest(gram.encode()) for gram in grams(text))
            return np.fromiter(hashes, np.uint64).reshape(-1, 1)

    texts, config = read(path), MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS)
    with tempfile.TemporaryDirectory() as folder:
        documents = (Document(text=text, id=str(row)) for row, text in enumerate(texts))
        CharacterGrams(output_folder=f"{folder}/signatures", config=config).run(documents, 0, 1)
        for band in range(BANDS):
            step = MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)
            step.run(rank=band, world_size=BANDS)
        found = [np.fromfile(file, "<u4").reshape(-1, 4) for file in Path(folder, "buckets").glob("*.dups")]
    return verified(texts, ((int(one), int(other)) for _, one, _, other in np.concatenate(found)))


def peak_memory() -> int:
    """The most memory this process has had resident, in kB.

    Not `ru_maxrss`: on Linux it outlives exec, so a child would report the peak of the parent that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


ENGINES = {
    "emollms": emollms,
    "datasketch-update": datasketch_update,
    "datasketch-generator": datasketch_generator,
    "rensa": rensa,
    "gaoya": gaoya,
    "datatrove": datatrove,
}
PACKAGES = {
    "emollms": "pyarrow", "datasketch-update": "datasketch", "datasketch-generator": "datasketch",
    "rensa": "rensa", "gaoya": "gaoya", "datatrove": "datatrove",
}  # fmt: skip

if __name__ == "__main__":
    engine, texts_path, out = sys.argv[1:]
    pairs = np.sort(ENGINES[engine](texts_path))
    with Path(out).open("wb") as file:
        np.save(file, pairs)
    Path(out).with_suffix(".use").write_text(f"{peak_memory()} {time.process_time()}")
