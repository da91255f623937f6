"""The memory bounds of control groups, read from trees as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.api.control_group import control_groups

MIB = 1024 * 1024


def tree(root: Path, cgroup: str, mount: str, files: dict[str, str]) -> Path:
    """A /proc/self with that membership and mount, beside the mounted files; `{point}` stands for the mount point."""
    proc, point = root / "proc", root / "mounted"
    proc.mkdir()
    for name, content in files.items():
        (point / name).parent.mkdir(parents=True, exist_ok=True)
        (point / name).write_text(content)
    (proc / "cgroup").write_text(cgroup)
    (proc / "mountinfo").write_text(f"24 1 8:1 / / rw - ext4 /dev/sda rw\n{mount.format(point=point)}\n")
    return proc


V2 = "31 23 0:28 / {point} rw,relatime - cgroup2 cgroup2 rw"
V1 = "35 31 0:32 / {point} rw,relatime - cgroup cgroup rw,memory"
STAT = "anon 10\ninactive_file 20971520\nactive_file 5\n"


def test_a_container_sees_its_own_group_at_the_mount(tmp_path: Path) -> None:
    files = {"memory.max": f"{512 * MIB}\n", "memory.current": f"{100 * MIB}\n", "memory.stat": STAT}
    (group,) = control_groups(tree(tmp_path, "0::/\n", V2, files))
    assert group.limit() == 512 * MIB
    assert group.used() == 80 * MIB, "the cache that is not in use can be taken back"


def test_every_group_above_bounds_too(tmp_path: Path) -> None:
    files = {
        "a/b/memory.max": "max\n",
        "a/b/memory.high": f"{300 * MIB}\n",
        "a/b/memory.current": "1048576\n",
        "a/memory.max": f"{400 * MIB}\n",
        "a/memory.current": "2097152\n",
    }
    groups = control_groups(tree(tmp_path, "0::/a/b\n", V2, files))
    assert [group.limit() for group in groups] == [300 * MIB, 400 * MIB]
    assert [group.used() for group in groups] == [MIB, 2 * MIB]


def test_version_1_has_other_names_and_a_number_for_no_limit(tmp_path: Path) -> None:
    files = {
        "docker/c1/memory.limit_in_bytes": f"{256 * MIB}\n",
        "docker/c1/memory.usage_in_bytes": f"{64 * MIB}\n",
        "docker/c1/memory.stat": "inactive_file 1\ntotal_inactive_file 4194304\n",
        "memory.limit_in_bytes": "9223372036854771712\n",
        "memory.usage_in_bytes": "1\n",
    }
    (group,) = control_groups(tree(tmp_path, "4:memory:/docker/c1\n1:cpu:/x\n", V1, files))
    assert (group.limit(), group.used()) == (256 * MIB, 60 * MIB)


def test_a_mount_of_a_part_of_the_hierarchy_is_where_that_part_begins(tmp_path: Path) -> None:
    mount = V1.replace("0:32 / ", "0:32 /docker/c1 ")
    files = {"memory.limit_in_bytes": f"{256 * MIB}\n", "memory.usage_in_bytes": "1\n"}
    (group,) = control_groups(tree(tmp_path, "4:memory:/docker/c1\n", mount, files))
    assert group.limit() == 256 * MIB


@pytest.mark.parametrize("cgroup", ["", "0::/gone\n", "4:memory:/x\n"])
def test_where_nothing_limits_there_is_no_bound(tmp_path: Path, cgroup: str) -> None:
    assert control_groups(tree(tmp_path, cgroup, V2, {"other": ""})) == []


def test_where_there_is_no_proc_there_is_no_bound(tmp_path: Path) -> None:
    assert control_groups(tmp_path / "none") == []


def test_what_is_read_is_read_again_each_time(tmp_path: Path) -> None:
    files = {"memory.max": "100\n", "memory.current": "50\n"}
    proc = tree(tmp_path, "0::/\n", V2, files)
    (group,) = control_groups(proc)
    (group.folder / "memory.max").write_text("200\n")
    (group.folder / "memory.current").write_text("150\n")
    assert (group.limit(), group.used()) == (200, 150)
