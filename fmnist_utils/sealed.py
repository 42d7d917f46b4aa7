"""Records that notice when they were edited."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from fmnist_utils.strict import Strict


def sha256(content: Any) -> str:
    """Return the SHA-256 of JSON content, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Sealed(Strict):
    """A record with the SHA-256 of all its other fields."""

    digest: str = ""

    def sealed(self) -> Self:
        """Return the record with its digest filled in."""
        return self.model_copy(update={"digest": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether the digest fits the record."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        # Fields that a record does not have are left out, so that a new optional one breaks none.
        return sha256(self.model_dump(mode="json", exclude={"digest"}, exclude_unset=True))
