"""What a scenario sees: the kind's name, its settings, and where its functions are."""

from chordsim.nets.spec import BackboneSpec

FADING = BackboneSpec(
    name="fading",
    summary="the last item beside a fading mean of all, through one hidden layer",
    net="fading.net",
    defaults={"half_life": 4.0, "hidden": 64},
    allowed={"half_life": (0.1, 1000), "hidden": (4, 4096)},
)
