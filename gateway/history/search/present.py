"""Results of a search as the object that commands print and pages show."""

from __future__ import annotations

from typing import Any

from gateway.history.search.find import Hit, Results


def results_object(results: Results) -> dict[str, Any]:
    """`spans` are [start, end) of what was found in `text`, in characters."""
    return {
        "turns": [hit_object(hit) for hit in results.hits],
        "count": results.count,
        "counted_all": results.counted_all,
        "facets": {
            name: [{"value": value, "turns": number} for value, number in values]
            for name, values in results.facets.items()
        },
        "problems": results.problems,
        "older": str(results.older) if results.older else None,
    }


def hit_object(hit: Hit) -> dict[str, Any]:
    places = [
        {
            "section": place.section,
            "role": place.role,
            "text": place.snippet.text,
            "spans": [list(span) for span in place.snippet.spans],
            "cut_before": place.snippet.cut_before,
            "cut_after": place.snippet.cut_after,
        }
        for place in hit.places
    ]
    return {**hit.row, "places": places}
