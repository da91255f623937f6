"""Our own memory in pages of 2 MB: where they have room, and that a process that serves has them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from gateway.api.large_pages import LARGE_PAGE, large_places

HEAP = "561b8b800000-561b8be00000 rw-p 00000000 00:00 0                          [heap]"
OBJECTS = "7fe1ee7ff000-7fe1eec01000 rw-p 00000000 00:00 0 "
OTHERS = """\
7fe1f0000000-7fe1f0800000 rw-p 00000000 fe:00 26   /usr/lib/some.so
7fe1f1000000-7fe1f1800000 r--p 00000000 00:00 0
7fe1f2000000-7fe1f2800000 rw-s 00000000 00:00 0
7fe1f3000000-7fe1f3800000 rw-p 00000000 00:00 0                          [stack]
"""


@pytest.mark.parametrize(
    ("maps", "places"),
    [
        (HEAP, [0x561B8B800000, 0x561B8BA00000, 0x561B8BC00000]),
        (OBJECTS, [0x7FE1EE800000, 0x7FE1EEA00000]),
        (f"{OTHERS}{OBJECTS}\n{OTHERS}", [0x7FE1EE800000, 0x7FE1EEA00000]),
        ("7fe1ee7ff000-7fe1ee9ff000 rw-p 00000000 00:00 0", []),
        ("", []),
    ],
    ids=["the heap", "what begins and ends between two", "nobody else's", "too small", "nothing known"],
)
def test_a_large_page_goes_where_a_whole_one_has_room_in_memory_of_our_own(maps: str, places: list[int]) -> None:
    assert list(large_places(maps)) == places
    assert all(place % LARGE_PAGE == 0 for place in places)


def test_what_is_loaded_lies_in_large_pages_and_is_what_it_was() -> None:
    """In a process of its own; a kernel without the call leaves all as it was and says none."""
    script = (
        "from gateway.api.large_pages import collapse\n"
        "kept = [str(number) for number in range(400_000)]\n"
        "joined = collapse()\n"
        "assert kept == [str(number) for number in range(400_000)]\n"
        "print(joined, open('/proc/self/smaps_rollup').read())"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    joined = int(said.split()[0])
    found = re.search(r"AnonHugePages: +(\d+) kB", said)
    assert found
    assert int(found[1]) * 1024 >= joined * LARGE_PAGE
