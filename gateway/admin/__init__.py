from gateway.admin import (
    access,
    breakers,
    capabilities,
    configuration,
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
    "breakers",
    "capabilities",
    "configuration",
    "deadletters",
    "people",
    "prices",
    "providers",
    "requests",
    "retention",
    "rollups",
    "routes",
]
