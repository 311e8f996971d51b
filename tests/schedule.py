"""Which worker runs which test: what must not run at once stays together and goes first, the rest where there is room.

pytest-xdist's own ``--dist loadgroup`` hands groups on in the tests' names, which pytest 9.2 no longer lets it change:
a group is then spread over all workers without a word. So groups are read from the files here: a module that names
one (``pytestmark = pytest.mark.xdist_group("…")``) is run by one worker, one test after the other.
"""

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_GROUP = re.compile(r"\bxdist_group\(\"(\w+)\"\)")


@cache
def group_of(path: Path) -> str:
    """Return the group that the tests of a module are in, "" when it names none."""
    found = _GROUP.search(path.read_text(encoding="utf-8"))
    return found[1] if found else ""


class Schedule(LoadScopeScheduling):
    """One group, one worker; every other test alone. The largest groups are given out first."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(self.config.rootpath / nodeid.split("::")[0]) or nodeid
