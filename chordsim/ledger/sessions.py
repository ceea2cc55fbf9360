"""What a phone's sessions cost in bytes, from the ledger alone: first contact, a session, and what new versions bring again."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import Bools, Ints


class Sessions:
    """Feed it one method's rounds in order, whole or in parts; memory grows with devices, not with rows.

    A phone owns a bootstrap once one has crossed whole: nothing follows a cut one, so then ``down_bytes`` is at least
    ``bootstrap_bytes``. What it is charged before that is first contact, what it is charged later are new versions. Where the
    catalogue stays in the cloud, a phone's first served session brings rows as no later one does, so these are told apart.
    """

    def __init__(self) -> None:
        self._owns = np.zeros(0, np.bool_)
        self._met = np.zeros(0, np.bool_)
        self._first, self._each, self._again, self._renewed = [0, 0], [0, 0], [0, 0], [0, 0]
        self._rows_first, self._rows_later = [0, 0], [0, 0]

    def add(self, device_id: Ints, served: Bools, bootstrap: Ints, down: Ints, up: Ints, rows: Ints | None = None) -> None:
        """Take in some phones of one round, each at most once.

        Args:
            device_id: Who, [D].
            served: Whose outcome is served, [D].
            bootstrap: ``bootstrap_bytes``, [D].
            down: ``down_bytes``, [D].
            up: ``up_bytes``, [D].
            rows: ``rows_bytes``, [D]; None for none.
        """
        if not device_id.size:
            return
        most = int(device_id.max()) + 1
        if most > self._owns.size:
            more = np.zeros(max(most, 2 * self._owns.size) - self._owns.size, np.bool_)
            self._owns, self._met = np.concatenate([self._owns, more]), np.concatenate([self._met, more])
        owned = self._owns[device_id]
        _count(self._first, bootstrap, ~owned & (bootstrap > 0))
        _count(self._each, down + up - bootstrap, served)
        _count(self._again, bootstrap, served & owned)
        _count(self._renewed, bootstrap, owned & (bootstrap > 0))
        if rows is not None and rows.any() or self._met.any():
            met, came = self._met[device_id], np.zeros_like(down) if rows is None else rows
            _count(self._rows_first, came, served & ~met)
            _count(self._rows_later, came, served & met)
            self._met[device_id[served]] = True
        self._owns[device_id[(bootstrap > 0) & (down >= bootstrap)]] = True

    @property
    def contacts(self) -> int:
        """How many first contacts were charged a bootstrap."""
        return self._first[1]

    @property
    def first(self) -> float:
        """Mean bootstrap of a first contact, 0 where none was charged one."""
        return self._first[0] / self._first[1] if self._first[1] else 0.0

    @property
    def first_contact(self) -> float | None:
        """Mean bootstrap of a first contact, 0 for a method without one; None where nobody came so far."""
        return self.first if self.contacts or self._each[1] else None

    def per_version(self, learns: bool) -> float | None:
        """Return what a new version of the model brings to a phone that owns an older one.

        Args:
            learns: Whether the cloud learns from phones, so that not all of the bootstrap is new; None is then told until one came.
        """
        if self._renewed[1]:
            return self._renewed[0] / self._renewed[1]
        return None if learns else self.first_contact

    @property
    def each(self) -> float | None:
        """Mean bytes up and down of a served session without bootstrap; None if no one was served."""
        return self._each[0] / self._each[1] if self._each[1] else None

    @property
    def again(self) -> float:
        """Mean bootstrap of the served sessions after first contact, 0 where there were none."""
        return self._again[0] / self._again[1] if self._again[1] else 0.0

    @property
    def rows_at_first(self) -> float:
        """Mean bytes of item rows of a phone's first served session beyond those of a later one; 0 where there is no later one."""
        if not self._rows_first[1] or not self._rows_later[1]:
            return 0.0
        return self._rows_first[0] / self._rows_first[1] - self._rows_later[0] / self._rows_later[1]

    @property
    def slope(self) -> float | None:
        """Mean bytes up and down of a session after first contact, new versions included; None if no one was served."""
        if self.each is None:
            return None
        # The mean over all served sessions holds the rows of first ones, as many as this run happens to have.
        return self.each - self.rows_at_first * self._rows_first[1] / self._each[1] + self.again

    def after(self, sessions: int) -> float | None:
        """Return the bytes up and down of a phone that was served so many times; None if no one was served."""
        return None if self.slope is None else self.first + self.rows_at_first - self.again + sessions * self.slope


def _count(sums: list[int], values: Ints, of: Bools) -> None:
    sums[0] += int(values[of].sum())
    sums[1] += int(np.count_nonzero(of))
