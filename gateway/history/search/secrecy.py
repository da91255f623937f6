"""Search where the history is encrypted: no words are kept, labels and trigrams only under the key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gateway.history.search.query import Query
from gateway.models.at_rest import sealing_key

WORDS_ARE_OFF = (
    "the history is encrypted, so words are not kept: put a piece of text in quotation marks, or use tool: and path:"
)


def trigram_key() -> bytes:
    """Empty when nothing is encrypted."""
    key = sealing_key()
    return key.trigrams if key else b""


def kept_words(words: Iterable[str], labels: Iterable[str]) -> list[str]:
    """What the index holds beside trigrams."""
    return sorted(kept_labels(labels) if trigram_key() else {*words, *labels})


def kept_labels(labels: Iterable[str]) -> list[str]:
    """As they are, or what nobody without the key can tell them from."""
    key = trigram_key()
    if not key:
        return list(labels)
    return [hashlib.blake2s(label.encode(), key=key, digest_size=10).hexdigest() for label in labels]


def refuse_words(query: Query) -> None:
    if trigram_key() and (query.words or query.prefixes or query.excluded):
        query.problems.append(WORDS_ARE_OFF)
