"""Words that look like a project's: sentences, files, code, and what tools say of them."""

from __future__ import annotations

import random

NOUN_LIST = """
cache order invoice session token router worker queue schema index report ledger parser stream buffer migration template
handler webhook retry timeout budget shard replica cursor snapshot payload header cookie digest
"""
VERB_LIST = """
load store parse merge split route retry flush check build render encode decode verify rotate resolve compact fetch
apply drop
"""
NOUNS, VERBS = NOUN_LIST.split(), VERB_LIST.split()
ASKS = (
    "The {noun} {verb}s twice when the {other} is empty. Find out why and mend it.",
    "Add a test that shows what happens when {noun} and {other} disagree.",
    "Please {verb} the {noun} in {path} without touching the {other}.",
    "Why is {path} so slow? It should {verb} ten thousand {noun}s a second.",
    "Rename {noun}_{other} to {other}_{noun} everywhere, and update the docs.",
    "Explain how the {noun} gets to the {other}.",
)
SAYS = (
    "I'll look at {path} first.",
    "The {noun} is read before the {other} is written, so the first {verb} sees an old value.",
    "That confirms it: `{verb}_{noun}` never checks the {other}.",
    "Tests pass. I have changed `{verb}_{noun}` and left the {other} as it was.",
    "Let me run the tests of the {noun} again.",
)


class Texts:
    """Everything is drawn from one random source, so that a seed gives the same demonstration again."""

    def __init__(self, source: random.Random) -> None:
        self.random = source

    def ask(self) -> str:
        return self._fill(self.random.choice(ASKS))

    def say(self) -> str:
        return self._fill(self.random.choice(SAYS))

    def path(self) -> str:
        noun, verb = self.random.choice(NOUNS), self.random.choice(VERBS)
        return f"src/{self.random.choice(NOUNS)}/{verb}_{noun}.py"

    def name(self) -> str:
        return f"{self.random.choice(VERBS)}_{self.random.choice(NOUNS)}"

    def code(self, lines: int) -> str:
        return "\n".join(self._line(number) for number in range(1, lines + 1))

    def source(self, lines: int) -> str:
        return "\n".join(f"{number:6}\t{self._line(number)}" for number in range(1, lines + 1))

    def _line(self, number: int) -> str:
        noun, verb, other = self.random.choice(NOUNS), self.random.choice(VERBS), self.random.choice(NOUNS)
        if number % 6 == 1:
            return f"def {verb}_{noun}({other}: int) -> None:"
        return f"    {noun}_{self.random.randrange(99)} = {verb}({other}, {self.random.randrange(9999)})"

    def _fill(self, sentence: str) -> str:
        return sentence.format(
            noun=self.random.choice(NOUNS),
            other=self.random.choice(NOUNS),
            verb=self.random.choice(VERBS),
            path=self.path(),
        )
