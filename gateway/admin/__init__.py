from gateway.admin import (
    access,
    capabilities,
    deadletters,
    people,
    prices,
    providers,
    requests,
    retention,
    rollups,
    routes,
)

__all__ = [
    "access",
    "capabilities",
    "deadletters",
    "people",
    "prices",
    "providers",
    "requests",
    "retention",
    "rollups",
    "routes",
]
