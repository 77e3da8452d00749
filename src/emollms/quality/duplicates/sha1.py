"""The 32-bit hash that datasketch gives a shingle by default: the first four bytes of its SHA-1, little end first.

The method is FIPS 180-4, section 6.1.2, for a message of at most 55 bytes (one block); a gram has at most 16.
"""

import numpy as np
import numpy.typing as npt

from emollms.quality.duplicates.kernels import kernel

Schedule = npt.NDArray[np.uint32]

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)


@kernel
def _rotate(word: np.uint32, by: int) -> np.uint32:
    return np.uint32((word << np.uint32(by)) | (word >> np.uint32(32 - by)))


@kernel
def _fill(data: npt.NDArray[np.uint8], start: int, stop: int, schedule: Schedule) -> None:
    """The padded block of `data[start:stop]` as sixteen big-endian words, then the sixty-four that follow from them."""
    schedule[:16] = np.uint32(0)
    for at in range(start, stop):
        place = at - start
        schedule[place >> 2] |= np.uint32(np.uint32(data[at]) << np.uint32(24 - 8 * (place & 3)))
    length = stop - start
    schedule[length >> 2] |= np.uint32(np.uint32(0x80) << np.uint32(24 - 8 * (length & 3)))
    schedule[15] = np.uint32(8 * length)
    for t in range(16, 80):
        mixed = schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16]
        schedule[t] = _rotate(np.uint32(mixed), 1)


@kernel
def sha1_head(data: npt.NDArray[np.uint8], start: int, stop: int, schedule: Schedule) -> np.uint32:
    """`datasketch.hashfunc.sha1_hash32(data[start:stop])`; `schedule` is room for eighty uint32."""
    _fill(data, start, stop, schedule)
    a, b, c, d, e = (
        np.uint32(_START[0]), np.uint32(_START[1]), np.uint32(_START[2]), np.uint32(_START[3]), np.uint32(_START[4])
    )  # fmt: skip
    for t in range(80):
        if t < 20:
            mixed, constant = (b & c) | (~b & d), np.uint32(0x5A827999)
        elif t < 40:
            mixed, constant = b ^ c ^ d, np.uint32(0x6ED9EBA1)
        elif t < 60:
            mixed, constant = (b & c) | (b & d) | (c & d), np.uint32(0x8F1BBCDC)
        else:
            mixed, constant = b ^ c ^ d, np.uint32(0xCA62C1D6)
        total = np.uint32(_rotate(a, 5) + np.uint32(mixed) + e + constant + schedule[t])
        a, b, c, d, e = total, a, _rotate(b, 30), c, d
    head = np.uint32(np.uint32(_START[0]) + a)
    swapped = (head >> np.uint32(24)) | ((head >> np.uint32(8)) & np.uint32(0xFF00))
    swapped |= ((head << np.uint32(8)) & np.uint32(0xFF0000)) | (head << np.uint32(24))
    return np.uint32(swapped)
