"""What nobody may read in a log or a store: the secrets of the logon. Pure.

Password (554) and NewPassword (925) are struck out wherever they stand as fields. A secret of ``TELLING`` characters or more is
struck out wherever its text stands, since a venue may repeat it in what it says.
*Tested by* tests/unit/test_fix_redaction.py, tests/integration/test_fix_secrets.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from execution.venues.fix.message import FixMessage, Tag

STRUCK: Final = "***"
#: A shorter secret could be part of an order's id or a price by chance; its fields are struck out all the same.
TELLING: Final = 6
_FIELD: Final = re.compile(r"((?:^|\x01)(?:554|925)=)[^\x01]*")


class Redaction:
    """Strikes out ``secrets``; empty ones are none."""

    def __init__(self, *secrets: str) -> None:
        #: The longer first: one may be part of another.
        self._secrets = sorted({s for s in secrets if len(s) >= TELLING}, key=len, reverse=True)

    def line(self, text: str) -> str:
        """A message as it stands on the line, or any other text, without secrets."""
        text = _FIELD.sub(rf"\g<1>{STRUCK}", text)
        for secret in self._secrets:
            text = text.replace(secret, STRUCK)
        return text

    def message(self, message: FixMessage) -> FixMessage:
        """A message with its Text (58) struck out: the one field of it that is kept as the venue wrote it."""
        if not self._secrets or Tag.Text not in message.first:
            return message
        fields = tuple((tag, self.line(value) if tag == Tag.Text else value) for tag, value in message.fields)
        return replace(message, fields=fields)
