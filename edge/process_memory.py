"""The memory of a process that runs for months: what is freed is kept for the next batch, or given back."""

from __future__ import annotations

import ctypes
import gc

_LIBC = ctypes.CDLL(None)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""``M_TRIM_THRESHOLD`` and its like (malloc.h of glibc)."""
_KEPT_BYTES = 64 << 20
_LARGE_BYTES = 32 << 20
"""The greatest that glibc takes on 64 bits; what is as large is mapped and given back each time."""
_GROWTH_BYTES = 4 << 20


def settle() -> None:
    """Take what there is for lasting: collections leave it alone, and freed memory stays with the process.

    Batches are made and freed all the time. Usually glibc gives each back to the kernel, which clears the
    pages that it hands out for the next one; and a collection that goes over all that was loaded holds frames
    up.
    """
    gc.freeze()
    change = getattr(_LIBC, "mallopt", None)
    if change is not None:
        change(_MMAP_THRESHOLD, _LARGE_BYTES)
        change(_TRIM_THRESHOLD, _KEPT_BYTES)
        change(_TOP_PAD, _GROWTH_BYTES)


def give_back() -> None:
    """Give freed memory back to the kernel, which clears it: nothing that is over stays in it."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)
