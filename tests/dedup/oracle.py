"""The same questions answered the slow and plain way, for the tests to compare the engine with."""

from collections import Counter, defaultdict

from datasketch import MinHash, MinHashLSH

from emollms.dedup.lsh import Banding


def grams(text: str) -> set[str]:
    return {text[i : i + 4] for i in range(max(len(text) - 3, 1))} if text else set()


def jaccard(one: str, other: str) -> float:
    a, b = grams(one), grams(other)
    return len(a & b) / len(a | b) if a | b else 1.0


def exact_join(left: list[str], right: list[str], threshold: float) -> dict[tuple[int, int], float]:
    """Every pair of rows at or above the threshold, by an inverted index: the similarity of each."""
    index = defaultdict(list)
    sets = [grams(text) for text in right]
    for row, found in enumerate(sets):
        for gram in found:
            index[gram].append(row)
    pairs = {}
    for row, text in enumerate(left):
        ours = grams(text)
        for other, shared in Counter(other for gram in ours for other in index[gram]).items():
            score = shared / (len(ours) + len(sets[other]) - shared)
            if score >= threshold:
                pairs[row, other] = score
    return pairs


def self_join(texts: list[str], threshold: float) -> dict[tuple[int, int], float]:
    return {pair: score for pair, score in exact_join(texts, texts, threshold).items() if pair[0] < pair[1]}


def sign(text: str, banding: Banding, seed: int = 1) -> MinHash:
    minhash = MinHash(num_perm=banding.permutations, seed=seed)
    minhash.update_batch([gram.encode() for gram in grams(text)])
    return minhash


def datasketch_pairs(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    """The candidates of datasketch's own index, each verified exactly."""
    banding = Banding.for_threshold(threshold)
    index = MinHashLSH(num_perm=banding.permutations, params=(banding.bands, banding.rows))
    pairs = set()
    for row, text in enumerate(texts):
        minhash = sign(text, banding)
        pairs |= {(other, row) for other in index.query(minhash) if jaccard(texts[other], text) >= threshold}
        index.insert(row, minhash)
    return pairs
