"""Search where the history is encrypted: no words are kept, labels and trigrams only under the key.

What was stored under an older key, or before there was one, is found as long as that key is among those in force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.conf import settings

from gateway.history.search.query import Query
from gateway.models.at_rest import ring, sealing_key

WORDS_ARE_OFF = (
    "the history is encrypted, so words are not kept: put a piece of text in quotation marks, or use tool: and path:"
)
NO_KEY = b""


def trigram_key() -> bytes:
    """What is stored now is found by this key; empty when nothing is encrypted."""
    key = sealing_key()
    return key.trigrams if key else NO_KEY


def search_keys() -> list[bytes]:
    """Keys that what is stored may be found by, newest first; the empty one is that of what is not encrypted."""
    return [*(key.trigrams for key in ring(tuple(settings.HISTORY_KEYS)).values()), NO_KEY]


def kept_words(words: Iterable[str], labels: Iterable[str]) -> list[str]:
    """What the index holds beside trigrams."""
    key = trigram_key()
    return sorted(kept_labels(labels, key) if key else {*words, *labels})


def kept_labels(labels: Iterable[str], key: bytes) -> list[str]:
    """As they are, or what nobody without the key can tell them from."""
    if not key:
        return list(labels)
    return [hashlib.blake2s(label.encode(), key=key, digest_size=10).hexdigest() for label in labels]


def refuse_words(query: Query) -> None:
    if trigram_key() and (query.words or query.prefixes or query.excluded):
        query.problems.append(WORDS_ARE_OFF)
