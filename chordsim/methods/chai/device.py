"""Device half of `chai`: a shipped model with the student's backbone."""

from __future__ import annotations

from chordsim.methods import MethodContext
from chordsim.methods.chai.spec import student
from chordsim.methods.shipped.device import ShippedDevice


class ChaiDevice(ShippedDevice):
    """Runs the student."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(student(context))
