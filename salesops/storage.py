"""Static files under names that carry their hash: browsers keep them for ever, and see a new release at once."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """Hashed and compressed once ``collectstatic`` has run; plain names before, when WhiteNoise serves the sources."""

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name
