"""The result of injecting a fault many times."""

from dataclasses import dataclass, field


@dataclass
class FaultResult:
    """A row of the table: how often a fault was injected, and how often it was survived."""

    name: str
    tried: int = 0
    survived: int = 0
    note: str = ""
    failures: list[str] = field(default_factory=list)

    def add(self, count: int, failure: str = "") -> None:
        """Add `count` attempts; `failure` says what went wrong with them, if anything."""
        self.tried += count
        if failure:
            self.failures.append(failure)
        else:
            self.survived += count
