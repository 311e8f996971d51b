"""Versions as they stand for good: one that has ruled never changes again, so a process reads its rows once."""

from __future__ import annotations

from playbooks.models import PlaybookVersion

_FOR_GOOD = (PlaybookVersion.Status.ACTIVE, PlaybookVersion.Status.RETIRED)
_MOST = 200
_kept: dict[int, PlaybookVersion] = {}


def frozen_version(version_id: int) -> PlaybookVersion:
    """The version with its criteria, stage rules and channel policies at hand, to be read and never written.

    PostgreSQL refuses any change to them once the version has ruled; only ``status`` may be older than it says.

    Raises:
        PlaybookVersion.DoesNotExist: when there is none.
    """
    version = _kept.get(version_id)
    if version is None:
        rows = PlaybookVersion.objects.prefetch_related("criteria", "stage_rules", "channel_policies")
        version = rows.get(pk=version_id)
        if version.status in _FOR_GOOD:
            if len(_kept) >= _MOST:
                _kept.clear()
            _kept[version_id] = version
    return version
