"""What came of trying a fault many times."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """A row of the table: how often something was tried, and how often it was survived."""

    name: str
    tried: int = 0
    survived: int = 0
    note: str = ""
    failures: list[str] = field(default_factory=list)

    def add(self, count: int, failure: str = "") -> None:
        """`count` more tries; `failure` says what went wrong with them, if anything."""
        self.tried += count
        if failure:
            self.failures.append(failure)
        else:
            self.survived += count
