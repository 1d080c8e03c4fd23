"""Count what the base install of anabranch brings along, and fail above the limits.

Reads the metadata of what is installed in this Python, so that it needs no network and no second environment.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MAX_PACKAGES = 25
MAX_MEGABYTES = 45


@dataclass(frozen=True)
class Package:
    """One installed package.

    Attributes:
        name: As the index spells it.
        size: bytes of its files, as unpacked; compiled bytecode not counted.
    """

    name: str
    size: int


def closure(root: str) -> list[Package]:
    """Find a package and all it requires here, without extras.

    Args:
        root: The package to start from.

    Returns:
        The packages, sorted by name.
    """
    found: dict[str, Package] = {}
    waiting = [root]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        dist = distribution(name)
        found[name] = Package(name, size(dist))
        for line in dist.requires or []:
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return sorted(found.values(), key=lambda package: package.name)


def size(dist: Distribution) -> int:
    """Add up the files of a package.

    Args:
        dist: The installed package.

    Returns:
        bytes on disk.
    """
    paths = (Path(str(dist.locate_file(file))) for file in dist.files or [] if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> int:
    """Print the table.

    Returns:
        The exit code: 1 above a limit.
    """
    packages = closure("anabranch")
    for package in packages:
        print(f"{package.name:<24}{package.size / 1e6:>8.2f} MB")
    megabytes = sum(package.size for package in packages) / 1e6
    print(f"{len(packages)} packages (at most {MAX_PACKAGES}), {megabytes:.1f} MB (at most {MAX_MEGABYTES})")
    return int(len(packages) > MAX_PACKAGES or megabytes > MAX_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
