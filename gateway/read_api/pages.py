"""`/api/v1/docs`: the document as a page to read."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from gateway.read_api.application import api


@api.get("/docs", auth=None, include_in_schema=False)
def document_page(request: HttpRequest) -> HttpResponse:
    """Open to everybody, as the document is."""
    document = api.get_openapi_schema()
    context = {"about": document["info"]["description"], "routes": routes_of(document), "shapes": shapes_of(document)}
    return render(request, "read_api/docs.html", context)


def routes_of(document: Any) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation["summary"],
            "description": operation.get("description", ""),
            "parameters": operation.get("parameters", []),
            "body": body_of(operation.get("requestBody")),
            "answer": body_of(operation["responses"][200]),
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def body_of(part: Any) -> str:
    """The name of the shape a body has; empty when there is none."""
    return reference(part["content"]["application/json"]["schema"]) if part else ""


def reference(schema: Any) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def shapes_of(document: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "about": shape.get("description", ""),
            "fields": [(field, kind_of(schema)) for field, schema in shape.get("properties", {}).items()],
            "required": shape.get("required", []),
        }
        for name, shape in sorted(document["components"]["schemas"].items())
    ]


def kind_of(schema: Any) -> str:
    """In words: `integer`, `list of ChunkTiming`, `RequestLog`."""
    choices = [kind_of(choice) for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    if choices:
        return " or ".join(choices)
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    return reference(schema) or schema.get("format") or schema.get("type") or "anything"
