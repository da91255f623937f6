"""The board for Grafana asks for metrics that exist, by labels they have, and shows each of them."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.metrics.families import FAMILIES, HISTOGRAMS, PREFIX

FILE = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "turnlog.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
SELECTOR = re.compile(r"\bturnlog_(\w+)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
BY = re.compile(r"\bby \(([^)]*)\)")
FROM_SCRAPING = {"instance"}
COUNTED = re.compile(r"\b(?:rate|increase)\(turnlog_(\w+)\{")


def family(name: str) -> str:
    return name.removesuffix("_bucket") if name.removesuffix("_bucket") in HISTOGRAMS else name


def labels(name: str) -> set[str]:
    of_bucket = {"le"} if name.endswith("_bucket") else set()
    return {*FAMILIES[family(name)].labels, *FROM_SCRAPING, *of_bucket}


def test_every_metric_is_on_the_board_and_no_other() -> None:
    asked = {family(name) for query in QUERIES for name, _ in SELECTOR.findall(query)}
    assert asked == FAMILIES.keys()
    assert sum(query.count(PREFIX) for query in QUERIES) == sum(len(SELECTOR.findall(query)) for query in QUERIES)


def test_labels_are_those_of_the_metric() -> None:
    for query in QUERIES:
        found = SELECTOR.findall(query)
        for name, matchers in found:
            assert set(MATCHER.findall(matchers)) <= labels(name), query
            assert 'instance="$instance"' in matchers, query
        for grouped in BY.findall(query):
            common = set.intersection(*(labels(name) for name, _ in found))
            assert {label.strip() for label in grouped.split(",")} <= common, query


def test_what_counts_up_is_asked_for_its_rate_and_nothing_else_is() -> None:
    for query in QUERIES:
        counted = [name for name, _ in SELECTOR.findall(query) if name.endswith(("_total", "_bucket"))]
        assert COUNTED.findall(query) == counted, query


def test_legends_name_labels_that_are_kept() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = {label.strip() for grouped in BY.findall(target["expr"]) for label in grouped.split(",")}
            assert named == kept - {"le"}, target


def test_variables_are_made_of_labels_that_exist_and_are_all_known() -> None:
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    for variable in variables.values():
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\(turnlog_(\w+?)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])
            assert found, variable
            assert found[2] in labels(found[1]), variable
            assert variable["definition"] == variable["query"]["query"]
    used = set(re.findall(r"\$\{?(\w+)", FILE.read_text()))
    assert used - {"__rate_interval", "__range", "__all"} == variables.keys()


def test_panels_have_names_and_places_of_their_own() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert len({panel["title"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken = [
        (place["y"] + row, place["x"] + column)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for row in range(place["h"])
        for column in range(place["w"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(column for _, column in taken) < 24
    tops = [panel["gridPos"]["y"] for panel in BOARD["panels"]]
    assert all(above <= below for above, below in pairwise(tops))
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in PANELS)
