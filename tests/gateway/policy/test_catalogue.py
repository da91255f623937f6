"""What a caller means by a model's name, and the pages of a list."""

from __future__ import annotations

import pytest

from gateway.dialects.model_list import ListedModel
from gateway.dialects.names import ProviderDialect
from gateway.policy.catalogue import Catalogue, for_picker, make_listing, merged, page_of, picked_name


def models(*names: str) -> list[ListedModel]:
    return [ListedModel(name, "", ProviderDialect.OPENAI) for name in names]


CATALOGUE = Catalogue(
    {
        "one": make_listing("one", models("Qwen/Qwen3-Coder-480B", "gpt-5.5"), 0),
        "two": make_listing("two", models("gpt-5.5", "kimi-k2.5", "gpt-5.5-mini"), 0),
        "empty": make_listing("empty", [], 0),
    }
)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Coder-480B", "qwen/qwen3-coder-480b", "QWEN/QWEN3-CODER-480B"])
def test_a_name_is_found_whatever_its_case(name: str) -> None:
    found = CATALOGUE.find("one", name)
    assert found is not None
    assert found.id == "Qwen/Qwen3-Coder-480B"
    assert CATALOGUE.provider_of(name) == "one"


def test_the_first_provider_with_the_exact_name_has_the_model() -> None:
    assert CATALOGUE.provider_of("gpt-5.5") == "one"
    assert CATALOGUE.provider_of("KIMI-K2.5") == "two"
    assert CATALOGUE.provider_of("nothing") is None


def test_only_a_provider_that_lists_something_lacks_a_model() -> None:
    assert CATALOGUE.lacks("one", "kimi-k2.5")
    assert not CATALOGUE.lacks("two", "Kimi-K2.5")
    assert not CATALOGUE.lacks("empty", "kimi-k2.5")
    assert not CATALOGUE.lacks("nobody", "kimi-k2.5")


@pytest.mark.parametrize("alias", ["claude-sonnet-4-5", "Claude-Sonnet-4-5-latest", "claude-opus-4", "claude-opus-4-0"])
def test_an_alias_of_a_listed_model_is_not_lacking(alias: str) -> None:
    listed = models("claude-sonnet-4-5-20250929", "claude-opus-4-20250514")
    catalogue = Catalogue({"anthropic": make_listing("anthropic", listed, 0)})
    assert not catalogue.lacks("anthropic", alias)
    assert catalogue.lacks("anthropic", "claude-haiku-4-5")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("gpt-5.6", "gpt-5.5"),
        ("kimi-k2", "kimi-k2.5"),
        ("qwen3-coder", "Qwen/Qwen3-Coder-480B"),
        ("my-alias2", "my-alias"),
    ],
)
def test_the_nearest_names_are_those_a_person_meant(name: str, first: str) -> None:
    assert CATALOGUE.nearest(name, ["my-alias"])[0] == first


def test_nothing_is_near_to_nonsense() -> None:
    assert CATALOGUE.nearest("zzzzzz") == []


def test_merging_keeps_one_of_each_with_the_routes_names_first() -> None:
    names = [model.id for model in merged(CATALOGUE.listings.values(), models("gpt-5.5", "alias"))]
    assert names == ["gpt-5.5", "alias", "Qwen/Qwen3-Coder-480B", "kimi-k2.5", "gpt-5.5-mini"]


def test_the_picker_is_shown_every_model_under_a_name_it_shows() -> None:
    foreign, own = models("kimi-k2.5", "eu.anthropic.claude-x")
    assert for_picker(foreign).id == "anthropic/kimi-k2.5"
    assert for_picker(foreign).display_name == "kimi-k2.5"
    assert for_picker(own) is own
    assert picked_name("anthropic/kimi-k2.5") == "kimi-k2.5"
    assert picked_name("kimi-k2.5") == "kimi-k2.5"


@pytest.mark.parametrize(
    ("limit", "after", "before", "names", "has_more"),
    [
        (2, None, None, "ab", True),
        (9, None, None, "abcde", False),
        (2, "b", None, "cd", True),
        (3, "b", None, "cde", False),
        (2, "e", None, "", False),
        (2, "nobody", None, "", False),
        (2, None, "d", "bc", True),
        (3, None, "d", "abc", False),
    ],
)
def test_pages(limit: int, after: str | None, before: str | None, names: str, has_more: bool) -> None:
    page = page_of(models(*"abcde"), limit, after, before)
    assert ("".join(model.id for model in page.models), page.has_more) == (names, has_more)
